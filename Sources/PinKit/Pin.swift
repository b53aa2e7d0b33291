// SPDX-License-Identifier: Apache-2.0

/// One way to get a secret back under a condition. A pin never sees the disk, never prints, and reads no environment.
///
/// Clevis' contract (docs/spec/pins.md): a pin turns a secret into a JWE whose protected header carries all that recovering
/// needs, and turns that JWE back. Powers that only some pins have are separate protocols: ``PolicyPin``, ``BatchPin``,
/// ``OneTimePin``.
public protocol Pin: Sendable {
    /// The value of `clevis.pin` in a JWE header. Part of the on-disk format: never changes, never reused.
    var name: String { get }

    /// Reads `configuration` completely, or throws `.malformed`: before anything is contacted.
    func encryptor(for configuration: JSON, in binding: Binding) throws(PinError) -> any Encryptor

    /// Recovers the secret, or throws before `run.deadline`: `.unavailable` when it may work elsewhere or later, `.refused`
    /// when somebody said no, `.malformed` when this message can never be opened.
    func decrypt(_ message: JWE, in run: Run) throws(PinError) -> SecretBytes
}

/// A pin with its configuration read: what encrypts.
public protocol Encryptor: Sendable {
    func encrypt(_ secret: borrowing SecretBytes) throws(PinError) -> JWE
}

/// A pin whose secret is made of other pins' secrets. The walk recovers the children, in parallel; the pin only combines.
public protocol PolicyPin: Pin {
    /// The children and how many of them are needed.
    func threshold(of message: JWE) throws(PinError) -> Threshold

    /// The secret from exactly `threshold.needed` of the children's secrets.
    func combine(_ shares: borrowing Shares, of message: JWE) throws(PinError) -> SecretBytes
}

extension PolicyPin {
    public func decrypt(_ message: JWE, in run: Run) throws(PinError) -> SecretBytes {
        try PolicyWalk(registry: run.registry, deadline: run.deadline).recover(message)
    }
}

/// `needed` of `children`: 1 ≤ needed ≤ children.count.
public struct Threshold: Sendable {
    public let needed: Int
    public let children: [JWE]

    public init(needed: Int, children: [JWE]) {
        self.needed = needed
        self.children = children
    }
}

/// A pin that recovers all its messages of one run in one exchange: one report and one request, whatever their number.
public protocol BatchPin: Pin {
    /// Calls `deliver` exactly once for each index of `messages`, as results come.
    func decrypt(_ messages: [JWE], in run: Run, deliver: (Int, consuming Recovered) -> Void)
}

extension BatchPin {
    public func decrypt(_ message: JWE, in run: Run) throws(PinError) -> SecretBytes {
        let outcome = Outcome()
        decrypt([message], in: run) { _, recovered in outcome.set(recovered) }
        return try outcome.take()
    }
}

/// A pin whose secrets stay where the guest can read them again until it takes them away.
public protocol OneTimePin: Pin {
    /// Takes away what opens `message`, after it was used. Nothing to do where it is gone.
    func forget(_ message: JWE) throws(PinError)
}

/// What became of one message. (`Result` has no typed `throws` for a value that cannot be copied.)
public enum Recovered: ~Copyable, Sendable {
    case secret(SecretBytes)
    case failure(PinError)

    public init(catching body: () throws(PinError) -> SecretBytes) {
        do throws(PinError) {
            self = .secret(try body())
        } catch {
            self = .failure(error)
        }
    }

    public consuming func get() throws(PinError) -> SecretBytes {
        switch consume self {
        case .secret(let secret): return secret
        case .failure(let error): throw error
        }
    }
}

/// What all pins of one new binding share. A binding is one JWE in one token, however deep its policy.
public struct Binding: Sendable {
    /// 16 random bytes in base64url: what a revocation names.
    public let id: String
    /// Seconds since 1970.
    public let issuedAt: Int64
    /// Signs what the pins seal and, at the end, the binding; nil where a binding is made without an owner.
    public let owner: SigningKey?
    public let registry: PinRegistry
    /// Per pin name, members a configuration may leave out: the owner's defaults file.
    public let defaults: JSONObject

    public init(
        issuedAt: Int64, owner: SigningKey?, registry: PinRegistry, defaults: JSONObject = [:]
    ) throws(PinError) {
        self.id = Base64URL.encode(try Random.bytes(16))
        self.issuedAt = issuedAt
        self.owner = owner
        self.registry = registry
        self.defaults = defaults
    }

    /// `configuration` completed with the defaults of `pin`.
    public func completing(_ configuration: JSON, for pin: String) -> JSON {
        guard var members = configuration.object, let defaults = defaults[pin]?.object else { return configuration }
        for member in defaults.members where members[member.name] == nil { members[member.name] = member.value }
        return .object(members)
    }
}

/// What the pins of one recovery share.
public struct Run: Sendable {
    public let registry: PinRegistry
    public let deadline: Deadline

    public init(registry: PinRegistry, deadline: Deadline) {
        self.registry = registry
        self.deadline = deadline
    }
}
