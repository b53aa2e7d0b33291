// SPDX-License-Identifier: Apache-2.0
import BootFronts
import Glibc
import LUKS
import PinKit

/// `serve`: answers systemd-cryptsetup on the key socket, for all volumes, from one key ring.
final class KeyServer {
    /// What is waited for clients, in seconds, and how many may wait for their keys.
    private static let idleTime = 10
    private static let maximumClients = 64

    private final class Waiting {
        var client: KeyClient
        let process: AskingProcess
        let volume: Int

        init(_ client: consuming KeyClient, _ process: consuming AskingProcess, _ volume: Int) {
            self.client = client
            self.process = process
            self.volume = volume
        }
    }

    private let listener: Int32
    private let configuration: BootConfig
    private let action: FailureAction
    private let ring: KeyRing
    private let timeout: Int
    private var waiting: [Waiting] = []
    private var served: Set<Int> = []
    private var closed: Set<Int> = []
    /// Of those who wait; from the first of them on.
    private var deadline: Deadline?
    private var idle = Deadline.after(seconds: KeyServer.idleTime)

    init(at listener: Int32, _ configuration: BootConfig, _ ring: KeyRing, _ action: FailureAction, timeout: Int) {
        self.listener = listener
        self.configuration = configuration
        self.ring = ring
        self.action = action
        self.timeout = timeout
    }

    /// Until all volumes are served, or nobody asks any more. True when none stayed closed.
    func run() -> Bool {
        while true {
            admit()
            for event in ring.collect() { action.tell(event, configuration) }
            answer()
            if waiting.isEmpty {
                deadline = nil
                let isDone = served.count == configuration.volumes.count || idle.hasPassed
                if isDone && !ring.isWalking { return closed.isEmpty }
            }
            ring.advance(Set(waiting.map(\.volume)))
            wait()
        }
    }

    private func admit() {
        while waiting.count < KeyServer.maximumClients, let client = KeyClient(at: listener) {
            idle = .after(seconds: KeyServer.idleTime)
            admit(client)
        }
    }

    private func admit(_ client: consuming KeyClient) {
        do throws(FrontError) {
            let volume = try volume(of: client)
            let process = try client.process()
            try process.check(opens: configuration.volumes[volume].name)
            if deadline == nil { deadline = .after(seconds: timeout) }
            waiting.append(Waiting(client, process, volume))
        } catch {
            Console.say("error: the key socket: refused: \(error)")
        }
    }

    private func volume(of client: borrowing KeyClient) throws(FrontError) -> Int {
        let name = try client.volume()
        guard let volume = configuration.volumes.firstIndex(where: { $0.name == name }) else {
            throw FrontError("boot.json has no volume of the name that the client's address ends in")
        }
        return volume
    }

    /// Whoever's volume is settled, or out of time.
    private func answer() {
        let isLate = deadline?.hasPassed ?? false
        waiting.removeAll { waiting in
            let answered = answer(waiting, isLate: isLate)
            if answered { idle = .after(seconds: KeyServer.idleTime) }
            return answered
        }
    }

    private func answer(_ waiting: Waiting, isLate: Bool) -> Bool {
        let volume = waiting.volume
        if ring.withKey(of: volume, { hand($0, to: waiting) }) != nil { return true }
        let late = LUKSError(.unavailable, step: "wait", detail: "no answer within \(timeout) s")
        guard let error = ring.refusal(of: volume) ?? (isLate ? ring.delay(of: volume) ?? late : nil) else { return false }
        // Before the client goes without a key: what it does next is to ask for a passphrase.
        if closed.insert(volume).inserted { action.closed(configuration.volumes[volume], because: error) }
        return true
    }

    private func hand(_ passphrase: borrowing SecretBytes, to waiting: Waiting) {
        let name = configuration.volumes[waiting.volume].name
        do throws(FrontError) {
            try waiting.process.check(opens: name)
            guard waiting.client.send(passphrase) else { throw FrontError("the client does not take its answer") }
            served.insert(waiting.volume)
        } catch {
            Console.say("error: \(name): the key socket: refused: \(error)")
        }
    }

    private func wait() {
        var polled = [listener, ring.descriptor].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        polled += waiting.map { pollfd(fd: $0.client.descriptor, events: 0, revents: 0) }
        var times = [millisecondsLeft]
        if !waiting.isEmpty, let next = ring.millisecondsToNext { times.append(next) }
        // One more, so that what is waited for has passed.
        _ = unsafe poll(&polled, nfds_t(polled.count), Int32((times.min() ?? 0) + 1))
        let gone = polled.dropFirst(2).map { $0.revents & Int16(POLLHUP | POLLERR) != 0 }
        waiting = zip(waiting, gone).filter { !$0.1 }.map { $0.0 }
    }

    /// For those who wait, or for more of them to come. The end of a walk is announced.
    private var millisecondsLeft: Int {
        guard waiting.isEmpty else { return deadline?.millisecondsLeft ?? 0 }
        return ring.isWalking ? 1000 : idle.millisecondsLeft
    }
}
