// SPDX-License-Identifier: Apache-2.0

/// The pins of one program, by name. A value, built in one place (`Sources/Pins/Registry`): no global table.
public struct PinRegistry: Sendable {
    /// Looks for a pin that is not built in; nil where there is none of this name.
    public typealias Finder = @Sendable (_ name: String) -> (any Pin)?

    private let pins: [any Pin]
    private let find: Finder

    /// Traps when two pins share a name: that is a mistake in the program, not in its input.
    ///
    /// - Parameter find: asked for names that none of `pins` has.
    public init(_ pins: [any Pin], finding find: @escaping Finder = { _ in nil }) {
        precondition(Set(pins.map(\.name)).count == pins.count, "two pins have the same name")
        self.pins = pins
        self.find = find
    }

    /// Those that are built in.
    public var names: [String] { pins.map(\.name).sorted() }

    /// `.malformed` for a name that this program does not know, with those it does.
    public func pin(named name: String) throws(PinError) -> any Pin {
        guard let pin = pins.first(where: { $0.name == name }) ?? find(name) else {
            throw PinError(
                .malformed, step: "unknown pin \(name)", detail: "this program has \(names.joined(separator: ", "))")
        }
        return pin
    }

    /// The pin that made `message`.
    public func pin(of message: JWE) throws(PinError) -> any Pin {
        guard let name = message.pin else { throw JWE.malformed("its header names no pin (clevis.pin)") }
        return try pin(named: name)
    }

    /// Reads the configuration of the pin `name`, completed with the binding's defaults. What it throws, now and when it
    /// encrypts, names the pin.
    public func encryptor(
        named name: String, for configuration: JSON, in binding: Binding
    ) throws(PinError) -> any Encryptor {
        do throws(PinError) {
            let encryptor = try pin(named: name).encryptor(for: binding.completing(configuration, for: name), in: binding)
            return NamedEncryptor(pin: name, encryptor: encryptor)
        } catch {
            throw error.within(name)
        }
    }
}

/// An encryptor whose errors say which pin failed.
private struct NamedEncryptor: Encryptor {
    let pin: String
    let encryptor: any Encryptor

    func encrypt(_ secret: borrowing SecretBytes) throws(PinError) -> JWE {
        do throws(PinError) {
            return try encryptor.encrypt(secret)
        } catch {
            throw error.within(pin)
        }
    }
}
