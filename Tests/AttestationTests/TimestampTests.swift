// SPDX-License-Identifier: Apache-2.0
import Attestation
import Testing

@Suite struct TimestampTests {
    private static let moments: [(Int64, String)] = [
        (0, "1970-01-01T00:00:00Z"), (951_782_399, "2000-02-28T23:59:59Z"), (951_782_400, "2000-02-29T00:00:00Z"),
        (1_709_251_199, "2024-02-29T23:59:59Z"), (1_751_328_000, "2025-07-01T00:00:00Z"),
        (1_798_761_599, "2026-12-31T23:59:59Z"), (4_107_542_400, "2100-03-01T00:00:00Z"),
        (253_402_300_799, "9999-12-31T23:59:59Z"),
    ]

    @Test(arguments: moments)
    func `a moment is written and read`(seconds: Int64, text: String) {
        #expect(Timestamp.text(seconds) == text)
        #expect(Timestamp.seconds(text) == seconds)
    }

    @Test func `each day of the calendar comes back`() {
        for day in stride(from: 0, to: Int64(2_932_896), by: 97) {
            #expect(Timestamp.seconds(Timestamp.text(day * 86_400)) == day * 86_400)
        }
    }

    @Test func `a date alone is its midnight`() {
        #expect(Timestamp.seconds("2025-06-01") == 1_748_736_000)
    }

    @Test(arguments: [
        "", "2025", "2025-06-01T00:00:00", "2025-06-01t00:00:00z", "2025-06-01 00:00:00Z", "2025-06-01T24:00:00Z",
        "2025-06-01T00:60:00Z", "2025-06-30T23:59:60Z", "2025-02-29", "2100-02-29", "2025-13-01", "2025-00-01", "2025-06-31",
        "2025-06-00", "1969-12-31", "+025-06-01", "2025-06-0x", "2025-06-01T00:00:00.0", "2025-06-01T00:00:00+0",
    ])
    func `what is not in UTC with whole seconds, or no date there is, is not read`(text: String) {
        #expect(Timestamp.seconds(text) == nil)
    }

    @Test func `a moment that no calendar here has is a number`() {
        #expect(Timestamp.text(-1) == "-1")
        #expect(Timestamp.text(253_402_300_800) == "253402300800")
    }
}
