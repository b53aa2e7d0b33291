import ExternalPin
import FileIO
import Glibc
import PinKit
import Synchronization

/// The person at the terminal, where there is one. What is typed is not shown, and however the program ends, the terminal
/// shows again what is typed next.
enum Terminal {
    private static let limit = 256
    /// Pins ask on threads of their own; a person answers one after the other.
    private static let turn = Mutex(())

    /// Asks on /dev/tty, whatever standard input and output are; nil without a terminal, and for no answer.
    static func ask(_ prompt: String) throws(PinError) -> SecretBytes? {
        try turn.withLock { (_) throws(PinError) in
            let terminal = unsafe open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)
            guard terminal >= 0 else { return nil }
            defer { close(terminal) }
            do throws(FileError) {
                try FileIO.write(terminal, prompt, name: "/dev/tty")
                let answer = try hidingTyping(on: terminal) { () throws(FileError) in
                    try FileIO.readSecret(terminal, limit: limit, line: true, name: "/dev/tty")
                }
                try FileIO.write(terminal, "\n", name: "/dev/tty")
                guard !answer.isEmpty else { return nil }
                return answer
            } catch {
                throw PinError(.failed, step: "ask on the terminal", detail: error.description)
            }
        }
    }

    /// Whether the answer to `question` is y or yes; nil where there is no terminal.
    static func confirms(_ question: String) -> Bool? {
        turn.withLock { _ in
            let terminal = unsafe open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)
            guard terminal >= 0 else { return nil }
            defer { close(terminal) }
            do {
                try FileIO.write(terminal, question, name: "terminal")
                let answer = try FileIO.readSecret(terminal, limit: 64, line: true, name: "terminal")
                return ["y", "Y", "yes"].contains { answer.equals(SecretBytes(copyingPublic: Array($0.utf8))) }
            } catch {
                return nil
            }
        }
    }

    /// Runs `body` while the terminal `descriptor` does not show what is typed. A signal that ends the program ends that first.
    static func hidingTyping<R: ~Copyable, E: Error>(on descriptor: Int32, _ body: () throws(E) -> R) throws(E) -> R {
        var settings = termios()
        guard unsafe tcgetattr(descriptor, &settings) == 0 else { return try body() }
        var hidden = settings
        hidden.c_lflag &= ~tcflag_t(ECHO)
        unsafe shown = (descriptor, settings)
        RunningGroups.installHandlers()
        for number in endings {
            unsafe sigaction(number, nil, &before[Int(number)])
            signal(number) { number in
                Terminal.showTyping()
                unsafe sigaction(number, &Terminal.before[Int(number)], nil)
                raise(number)
            }
        }
        // Stopped in the middle, it would leave the shell with the terminal as it is.
        unsafe sigaction(SIGTSTP, nil, &before[Int(SIGTSTP)])
        signal(SIGTSTP, SIG_IGN)
        atexit { Terminal.showTyping() }
        _ = unsafe tcsetattr(descriptor, TCSAFLUSH, &hidden)
        defer {
            showTyping()
            for number in endings + [SIGTSTP] { unsafe sigaction(number, &before[Int(number)], nil) }
        }
        return try body()
    }

    /// Undoes ``hidingTyping(on:_:)``, also from a signal handler and for a thread that is still asking.
    static func showTyping() {
        guard let (descriptor, settings) = unsafe shown else { return }
        var copy = settings
        _ = unsafe tcsetattr(descriptor, TCSAFLUSH, &copy)
        unsafe shown = nil
    }

    private static let endings = [SIGHUP, SIGINT, SIGQUIT, SIGTERM]

    /// By number, what happened at a signal before typing was hidden.
    private nonisolated(unsafe) static var before = Array(repeating: sigaction(), count: 32)

    /// The terminal that hides what is typed, and how it was before. One thread at a time writes it; a signal handler or the
    /// end of the program may read it.
    private nonisolated(unsafe) static var shown: (descriptor: Int32, settings: termios)?
}
