// SPDX-License-Identifier: Apache-2.0
import FileIO
import Glibc
import PinKit

/// A person changes a configuration in the editor of their choice. A configuration holds no secret, and is in a directory of
/// its own that nobody else may enter; it goes when this is done.
enum Editor {
    /// What `configuration` was changed to; asks again while it is not an object.
    static func edit(_ configuration: JSON) throws -> JSON {
        let directory = try makeDirectory()
        let path = "\(directory)/config.json"
        defer {
            _ = unsafe unlink(path)
            _ = unsafe rmdir(directory)
        }
        try FileIO.create(path, Array("\(configuration.pretty)\n".utf8), mode: 0o600)
        while true {
            try open(path)
            do {
                let edited = try Input.json(path)
                guard edited.object != nil else { throw Failure("the configuration is not an object") }
                return edited
            } catch {
                Console.say("cvm-clevis: \((error as? Failure)?.message ?? "\(error)")")
                guard Terminal.confirms("Edit it again? [yN] ") == true else { throw Failure("nothing was changed") }
            }
        }
    }

    private static func makeDirectory() throws -> String {
        var template = Array("\(Paths.temporary)/cvm-clevis-XXXXXX".utf8CString)
        let made = unsafe template.withUnsafeMutableBufferPointer { unsafe mkdtemp($0.baseAddress!) != nil }
        guard made else { throw Failure("no directory for the editor below \(Paths.temporary)") }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// `$EDITOR` may have arguments, so a shell takes it apart.
    private static func open(_ path: String) throws {
        let quoted = path.split(separator: "'", omittingEmptySubsequences: false).joined(separator: #"'\''"#)
        guard unsafe system("${EDITOR:-vi} '\(quoted)'") == 0 else {
            throw Failure("the editor failed; nothing was changed", hint: "set EDITOR, or give the configuration with -c")
        }
    }
}
