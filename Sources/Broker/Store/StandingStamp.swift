// SPDX-License-Identifier: Apache-2.0

/// A number that is another one whenever something has changed by which decisions are made: owners, revocations, reference values.
/// So a decision can be made from memory, and counts only if the stamp is still the same where it is written to the audit log.
///
/// It is random, so that a store that was put back to an earlier state has none that meant something else.
enum StandingStamp {
    private static let tables = ["owner", "revocation", "reference_set"]

    static func read(_ transaction: any Transaction) throws -> Int64 {
        guard let row = try transaction.row("SELECT stamp FROM standing") else {
            throw BrokerError("table standing is empty")
        }
        return try row.integer("stamp")
    }

    static let sqlite =
        """
        CREATE TABLE standing (stamp INTEGER NOT NULL) STRICT;
        INSERT INTO standing VALUES (random());

        """
        + tables.flatMap { table in ["INSERT", "UPDATE", "DELETE"].map { (table, $0) } }.map { table, event in
            """
            CREATE TRIGGER \(table)_\(event.lowercased())_is_stamped AFTER \(event) ON \(table)
                BEGIN UPDATE standing SET stamp = random(); END;
            """
        }.joined(separator: "\n")

    static let postgres =
        """
        CREATE TABLE standing (stamp BIGINT NOT NULL);
        INSERT INTO standing VALUES ((random() * 9e18)::BIGINT);
        CREATE FUNCTION stamp_standing() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN UPDATE standing SET stamp = (random() * 9e18)::BIGINT; RETURN NULL; END $$;

        """
        + tables.map { table in
            """
            CREATE TRIGGER \(table)_is_stamped AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON \(table)
                EXECUTE FUNCTION stamp_standing();
            """
        }.joined(separator: "\n")
}
