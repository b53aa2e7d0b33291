// SPDX-License-Identifier: Apache-2.0

/// Moments as people and vendors write them: RFC 3339 in UTC, whole seconds.
public enum Timestamp {
    /// `2026-07-01T00:00:00Z`. `seconds` since 1970; outside of the years 1970 to 9999 it is given as a number.
    public static func text(_ seconds: Int64) -> String {
        guard range.contains(seconds) else { return "\(seconds)" }
        let (year, month, day) = date(ofDay: seconds / 86_400)
        let second = seconds % 86_400
        let clock = [second / 3600, second / 60 % 60, second % 60].map { padded($0, 2) }.joined(separator: ":")
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))T\(clock)Z"
    }

    /// Seconds since 1970 of `2026-07-01T00:00:00Z`, or of midnight for `2026-07-01`; nil for any other text, a date that
    /// there is not, and a leap second.
    public static func seconds(_ text: String) -> Int64? {
        let characters = Array(text.utf8)
        guard characters.count == 20 || characters.count == 10 else { return nil }
        for (index, separator) in separators where index < characters.count {
            guard characters[index] == separator else { return nil }
        }
        let numbers = fields.filter { $0.upperBound <= characters.count }.map { number(characters[$0]) }
        guard let year = numbers[0], let month = numbers[1], let day = numbers[2], year >= 1970 else { return nil }
        let days = days(year, month, day)
        guard (1...12).contains(month), date(ofDay: days) == (year, month, day) else { return nil }
        guard characters.count == 20 else { return days * 86_400 }
        guard let hour = numbers[3], let minute = numbers[4], let second = numbers[5], hour < 24, minute < 60, second < 60
        else { return nil }
        return days * 86_400 + hour * 3600 + minute * 60 + second
    }

    /// The years 1970 to 9999.
    private static let range: Range<Int64> = 0..<253_402_300_800

    private static let separators: [(Int, UInt8)] = [
        (4, UInt8(ascii: "-")), (7, UInt8(ascii: "-")), (10, UInt8(ascii: "T")), (13, UInt8(ascii: ":")),
        (16, UInt8(ascii: ":")), (19, UInt8(ascii: "Z")),
    ]
    private static let fields = [0..<4, 5..<7, 8..<10, 11..<13, 14..<16, 17..<19]

    private static func number(_ digits: ArraySlice<UInt8>) -> Int64? {
        var value: Int64 = 0
        for digit in digits {
            guard UInt8(ascii: "0")...UInt8(ascii: "9") ~= digit else { return nil }
            value = value * 10 + Int64(digit - UInt8(ascii: "0"))
        }
        return value
    }

    private static func padded(_ value: Int64, _ count: Int) -> String {
        let digits = "\(value)"
        return String(repeating: "0", count: max(0, count - digits.count)) + digits
    }

    // The Gregorian calendar in years that begin in March, so that the leap day is a year's last: 400 of them are 146097 days,
    // and 719468 days lie between the first of March of year 0 and 1970.

    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let year = month <= 2 ? year - 1 : year
        let era = year / 400
        let ofEra = year - era * 400
        let ofYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + ofEra * 365 + ofEra / 4 - ofEra / 100 + ofYear - 719_468
    }

    private static func date(ofDay day: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = day + 719_468
        let era = shifted / 146_097
        let ofEra = shifted - era * 146_097
        let year = (ofEra - ofEra / 1460 + ofEra / 36_524 - ofEra / 146_096) / 365
        let ofYear = ofEra - (365 * year + year / 4 - year / 100)
        let month = (5 * ofYear + 2) / 153
        let isAfterNewYear = month >= 10
        return (
            year + era * 400 + (isAfterNewYear ? 1 : 0), isAfterNewYear ? month - 9 : month + 3,
            ofYear - (153 * month + 2) / 5 + 1
        )
    }
}
