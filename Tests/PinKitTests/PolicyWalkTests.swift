// SPDX-License-Identifier: Apache-2.0
import Glibc
import PinKit
import Synchronization
import Testing

/// A pin that answers after some milliseconds, refuses, or never answers; counts how often it is asked.
private struct ScriptedPin: Pin {
    let name: String
    var asked: Counter?
    let answer: @Sendable (JWE, Run) throws(PinError) -> SecretBytes

    func encryptor(for configuration: JSON, in binding: Binding) throws(PinError) -> any Encryptor {
        throw PinError(.malformed)
    }

    func decrypt(_ message: JWE, in run: Run) throws(PinError) -> SecretBytes {
        asked?.increment()
        return try answer(message, run)
    }
}

private final class Counter: Sendable {
    private let count = Mutex(0)
    var value: Int { count.withLock { $0 } }
    func increment() { count.withLock { $0 += 1 } }
}

/// Any `t` of its children, joined.
private struct ThresholdPin: PolicyPin {
    let name = "threshold"

    func encryptor(for configuration: JSON, in binding: Binding) throws(PinError) -> any Encryptor {
        throw PinError(.malformed)
    }

    func threshold(of message: JWE) throws(PinError) -> Threshold {
        var children: [JWE] = []
        for child in message.parameters?["jwe"]?.array ?? [] { children.append(try JWE(compact: child.string ?? "")) }
        return Threshold(needed: Int(message.parameters?["t"]?.integer ?? 0), children: children)
    }

    func combine(_ shares: borrowing Shares, of message: JWE) throws(PinError) -> SecretBytes {
        var joined = SecretBytes(copyingPublic: [])
        for index in 0..<shares.count { joined = shares.withShare(index) { joined.appending($0) } }
        return joined
    }
}

/// Serves all its messages in one exchange.
private struct BatchedPin: BatchPin {
    let name = "batched"
    let exchanges = Counter()

    func encryptor(for configuration: JSON, in binding: Binding) throws(PinError) -> any Encryptor {
        throw PinError(.malformed)
    }

    func decrypt(_ messages: [JWE], in run: Run, deliver: (Int, consuming Recovered) -> Void) {
        exchanges.increment()
        for index in messages.indices { deliver(index, .secret(SecretBytes(copyingPublic: [7]))) }
    }
}

private func message(_ pin: String, _ parameters: JSON = [:]) throws -> JWE {
    let members: JSON = .object(["pin": .string(pin), pin: parameters] as JSONObject)
    return try JWE.encrypt(
        SecretBytes(copyingPublic: [1]), contentKey: SecretBytes.random(count: 32), header: ["clevis": members])
}

private func threshold(_ needed: Int64, _ children: [JWE]) throws -> JWE {
    try message("threshold", ["t": .integer(needed), "jwe": .array(children.map { .string($0.compact) })])
}

private let good = ScriptedPin(name: "good") { (_, _) throws(PinError) in SecretBytes(copyingPublic: [42]) }
private let no = ScriptedPin(name: "no") { (_, _) throws(PinError) in throw PinError(.refused, step: "ask", detail: "no") }
private let away = ScriptedPin(name: "away") { (_, _) throws(PinError) in throw PinError(.unavailable, step: "connect") }
private let hanging = ScriptedPin(name: "hanging") { (_, _) throws(PinError) in
    sleep(60)
    throw PinError(.failed)
}

private func walk(_ pins: [any Pin], milliseconds: Int = 5000) -> PolicyWalk {
    PolicyWalk(registry: PinRegistry(pins), deadline: .after(milliseconds: milliseconds))
}

@Suite struct PolicyWalkTests {
    @Test func `a leaf's secret comes back`() throws {
        #expect(bytes(of: try walk([good]).recover(message("good"))) == [42])
    }

    @Test func `the walk ends when the threshold is met, whatever the others do`() throws {
        let policy = try threshold(2, [message("hanging"), message("good"), message("no"), message("good")])
        let deadline = Deadline.after(seconds: 30)
        let pins: [any Pin] = [good, no, hanging, ThresholdPin()]
        let secret = try PolicyWalk(registry: PinRegistry(pins), deadline: deadline).recover(policy)
        #expect(bytes(of: secret) == [42, 42])
        #expect(!deadline.hasPassed)
    }

    @Test func `a pin that never answers is unavailable at the deadline`() throws {
        let policy = try threshold(2, [message("hanging"), message("good")])
        let error = try #require(throws: PinError(.unavailable)) {
            _ = try walk([good, hanging, ThresholdPin()], milliseconds: 200).recover(policy)
        }
        #expect(error.description.contains("threshold[0].hanging: unavailable: wait: no answer before the deadline"))
    }

    @Test func `too few shares name every reason, and waiting helps only where something was away`() throws {
        let pins: [any Pin] = [good, no, away, ThresholdPin()]
        let lost = try threshold(2, [message("no"), message("good")])
        let error = try #require(throws: PinError(.refused)) { _ = try walk(pins).recover(lost) }
        #expect(
            error.description == "threshold: refused: 1 of the 2 shares it needs: threshold[0].no: refused: ask: no"
                || error.description == "threshold: refused: 0 of the 2 shares it needs: threshold[0].no: refused: ask: no")
        let later = try threshold(2, [message("away"), message("good"), message("no")])
        #expect(throws: PinError(.unavailable)) { _ = try walk(pins).recover(later) }
    }

    @Test func `reasons come in the policy's order, whichever pin answered first`() throws {
        let policy = try threshold(1, [message("hanging"), message("no"), message("away")])
        let pins: [any Pin] = [no, away, hanging, ThresholdPin()]
        let error = try #require(throws: PinError(.unavailable)) { _ = try walk(pins, milliseconds: 200).recover(policy) }
        let reasons = error.detail.split(separator: "; ").map { $0.prefix { $0 != ":" } }
        #expect(reasons == ["threshold[0].hanging", "threshold[1].no", "threshold[2].away"])
    }

    @Test func `one exchange serves every leaf of a batch pin, in all messages`() throws {
        let pin = BatchedPin()
        let messages = [
            try message("batched"), try threshold(2, [message("batched"), message("batched")]), try message("good"),
        ]
        var answered: [Int] = []
        walk([pin, good, ThresholdPin()]).recover(messages) { index, _ in
            answered.append(index)
            return .proceed
        }
        #expect(answered.sorted() == [0, 1, 2])
        #expect(pin.exchanges.value == 1)
    }

    @Test func `an unknown pin fails by name without anybody being asked`() throws {
        let counter = Counter()
        var asked = good
        asked.asked = counter
        let policy = try threshold(2, [message("tung"), message("good")])
        let error = try #require(throws: PinError.self) { _ = try walk([asked, ThresholdPin()]).recover(policy) }
        #expect(
            error.description.contains("threshold[0].tung: malformed: unknown pin tung: this program has good, threshold"))
        #expect(counter.value == 0)
    }

    @Test func `a policy nested too deep is malformed`() throws {
        var policy = try message("good")
        for _ in 0..<PolicyWalk.maximumDepth { policy = try threshold(1, [policy]) }
        #expect(throws: PinError.self) { _ = try walk([good, ThresholdPin()]).recover(policy) }
    }

    @Test func `the caller may stop after the first answer`() throws {
        var answers = 0
        walk([good]).recover([try message("good"), try message("good")]) { _, _ in
            answers += 1
            return .stop
        }
        #expect(answers == 1)
    }
}
