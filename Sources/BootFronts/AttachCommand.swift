// SPDX-License-Identifier: Apache-2.0

/// The command line of a systemd-cryptsetup: which volume it opens, and from which header (docs/spec/boot.md §3).
public struct AttachCommand: Sendable, Equatable {
    /// Bytes of a command line that is looked at.
    public static let maximumLength = 64 << 10

    public let volume: String
    public let options: [String]

    /// Reads `PROGRAM attach NAME DEVICE KEYFILE OPTIONS`, as /proc shows it: each word ends in a zero byte.
    public init(_ commandLine: [UInt8]) throws(FrontError) {
        guard commandLine.count <= AttachCommand.maximumLength else { throw FrontError("its command line is too long") }
        let words = commandLine.split(separator: 0, omittingEmptySubsequences: false).map {
            String(decoding: $0, as: UTF8.self)
        }
        // What ends in a zero byte is followed by one more, empty word.
        guard words.count >= 4, words[1] == "attach" else {
            throw FrontError("it is no 'systemd-cryptsetup attach'")
        }
        volume = words[2]
        options = words.count > 6 ? words[5].split(separator: ",").map(String.init) : []
    }

    /// Throws unless it opens `volume` by our copy of the header and by no other.
    public func check(opens volume: String) throws(FrontError) {
        guard self.volume == volume else {
            throw FrontError("it opens \(printable(self.volume)), not \(volume)")
        }
        let headers = options.filter { $0.hasPrefix("header=") }
        let wanted = "header=\(BootPaths.header(of: volume))"
        guard !headers.isEmpty else {
            throw FrontError(
                "it reads the header from the disk, which can change after the check: give it the option \(wanted)"
                    + " (what systemd-gpt-auto-generator opens has none: use rd.luks.name)")
        }
        guard headers == [wanted] else {
            throw FrontError("it opens another header (\(printable(headers.joined(separator: ",")))), not \(wanted)")
        }
        for option in options where AttachCommand.otherTypes.contains(where: { option.hasPrefix($0) }) {
            throw FrontError("its option \(printable(option)) is not for LUKS")
        }
    }

    private static let otherTypes = ["plain", "tcrypt", "bitlk", "swap", "tmp"]
}

/// Why a client is not answered; what a line in the journal says.
public struct FrontError: Error, Sendable, Equatable, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}

/// Foreign text in a message: short, and printable characters only.
func printable(_ text: String) -> String {
    String(decoding: text.utf8.prefix(120).map { (0x20...0x7e).contains($0) ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
}
