// SPDX-License-Identifier: Apache-2.0
internal import Initrd

/// What runs the unlocking, in an initrd or in the root: the program, its libraries, drivers, the network.
struct ProgramRules {
    let tree: any FileTree
    let place: String
    let needs: PinNeeds

    static let path = "/usr/bin/cvm-clevis-unlock"

    func findings() -> [Finding] {
        guard tree.isProgram(Self.path) else {
            return [
                finding(
                    .fails, .program, "\(Self.path) is not there, or cannot be run",
                    "install it there, and make the initrd anew")
            ]
        }
        guard tree.elf(Self.path) != nil else {
            return [finding(.fails, .program, "\(Self.path) is no program of this kind of machine", "install it anew")]
        }
        let libraries = Libraries(tree)
        var missing = libraries.missing(for: Self.path).map { library, user in
            finding(.fails, .library, "\(library) is missing, which \(user) needs", "put it in, and make the initrd anew")
        }
        for (name, pins) in needs.libraries {
            missing += libraries.missing(opened: name).map { library, user in
                let reason = user.isEmpty ? "" : " (\(user) needs it)"
                return finding(
                    .fails, .library, "\(library) is missing\(reason), for \(pins)", "put it in, and make the initrd anew")
            }
        }
        let well = finding(.ok, .program, "\(Self.path) is there, with all libraries that it needs")
        return missing.isEmpty ? [well] : missing
    }

    private func finding(_ severity: Finding.Severity, _ code: Finding.Code, _ text: String, _ remedy: String? = nil)
        -> Finding
    {
        Finding(severity, code, at: place, text, remedy: remedy)
    }
}
