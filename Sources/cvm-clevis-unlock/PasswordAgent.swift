// SPDX-License-Identifier: Apache-2.0
import BootFronts
import FileIO
import Glibc
import LUKS
import PinKit

/// `agent`: answers systemd-cryptsetup's questions for passphrases, as long as there are any.
final class PasswordAgent {
    fileprivate final class Question {
        let file: AskFile
        let process: AskingProcess
        let volume: Int

        init(_ file: AskFile, _ process: consuming AskingProcess, _ volume: Int) {
            self.file = file
            self.process = process
            self.volume = volume
        }
    }

    private enum State {
        case open(Question)
        /// Answered, refused, or not for us: it stands until somebody else takes it away.
        case done
    }

    /// Questions that are looked at.
    private static let maximumQuestions = 64

    private let configuration: BootConfig
    private let action: FailureAction
    private let ring: KeyRing
    private var questions: [String: State] = [:]
    private var closed: Set<Int> = []

    init(_ configuration: BootConfig, _ ring: KeyRing, _ action: FailureAction) {
        self.configuration = configuration
        self.ring = ring
        self.action = action
    }

    /// Until nobody asks any more. True when no volume stayed closed.
    func run() -> Bool {
        let changes = inotify_init1(Int32(IN_CLOEXEC | IN_NONBLOCK))
        defer { close(changes) }
        try? FileIO.makeDirectory(BootPaths.asks)
        let wanted = UInt32(IN_CLOSE_WRITE) | UInt32(IN_MOVED_TO) | UInt32(IN_DELETE)
        guard changes >= 0, unsafe inotify_add_watch(changes, BootPaths.asks, wanted) >= 0 else {
            Console.say("error: \(BootPaths.asks): cannot be watched: \(unsafe String(cString: strerror(errno)))")
            return false
        }
        while true {
            lookAround()
            for event in ring.collect() { action.tell(event, configuration) }
            answer()
            if questions.isEmpty, !ring.isWalking { return closed.isEmpty }
            ring.advance(Set(open.map(\.volume)))
            wait(for: changes)
        }
    }

    private var open: [Question] {
        questions.values.compactMap { state in if case .open(let question) = state { question } else { nil } }
    }

    private func lookAround() {
        let names = ((try? FileIO.names(in: BootPaths.asks)) ?? []).filter { $0.hasPrefix("ask.") }
        questions = questions.filter { names.contains($0.key) }
        for name in names where questions[name] == nil && questions.count < PasswordAgent.maximumQuestions {
            questions[name] = read(name)
        }
    }

    private func read(_ name: String) -> State {
        do {
            let file = try AskFile(FileIO.read("\(BootPaths.asks)/\(name)", limit: AskFile.maximumLength))
            guard file.isForVolume else { return .done }
            let process = try AskingProcess(file.process)
            let opens = try process.command().volume
            guard let volume = configuration.volumes.firstIndex(where: { $0.name == opens }) else { return .done }
            try process.check(opens: opens)
            return .open(Question(file, process, volume))
        } catch {
            Console.say("error: the question \(name): refused: \(error)")
            return .done
        }
    }

    private func answer() {
        for (name, state) in questions {
            guard case .open(let question) = state else { continue }
            if question.hasEnded || answer(question) { questions[name] = .done }
        }
    }

    private func answer(_ question: Question) -> Bool {
        let volume = question.volume
        if ring.withKey(of: volume, { hand($0, to: question) }) != nil { return true }
        guard let error = ring.refusal(of: volume) else { return false }
        if closed.insert(volume).inserted { action.closed(configuration.volumes[volume], because: error) }
        return true
    }

    private func hand(_ passphrase: borrowing SecretBytes, to question: Question) {
        let name = configuration.volumes[question.volume].name
        do throws(FrontError) {
            let answer = try AskFile.answer(passphrase)
            try question.process.check(opens: name)
            try question.file.send(answer)
        } catch {
            Console.say("error: \(name): the passphrase prompt: \(error)")
        }
    }

    private func wait(for changes: Int32) {
        var polled = [changes, ring.descriptor].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        // A question's end is looked at as often; nothing announces it.
        var time = 1000
        if !open.isEmpty, let next = ring.millisecondsToNext { time = min(time, next + 1) }
        _ = unsafe poll(&polled, 2, open.isEmpty ? -1 : Int32(time))
        var events = [UInt8](repeating: 0, count: 4096)
        while unsafe Glibc.read(changes, &events, events.count) > 0 {}
    }
}

extension PasswordAgent.Question {
    var hasEnded: Bool {
        var now = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &now)
        let microseconds = UInt64(max(0, now.tv_sec)) * 1_000_000 + UInt64(max(0, now.tv_nsec)) / 1000
        return file.notAfter != 0 && file.notAfter <= microseconds
    }
}
