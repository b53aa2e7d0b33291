// SPDX-License-Identifier: Apache-2.0
import Glibc

let inherited = Inherited()
// Libraries listen to variables that nobody measured: libssl would trust other authorities, libcrypto would load a configuration.
clearenv()
// A reader that goes away ends a write with EPIPE instead of ending the program.
_ = signal(SIGPIPE, SIG_IGN)

// They come from /proc. Who asked for one thing must not get another.
guard !CommandLine.arguments.isEmpty else {
    Console.say("error: /proc is not mounted")
    exit(2)
}

switch Arguments.parse(CommandLine.arguments.dropFirst()) {
case .answer(let text):
    Console.answer(text)
case .wrong(let problem):
    Console.say("error: \(problem)")
    Console.say("hint: cvm-clevis-unlock --help")
    exit(2)
case .run(let arguments):
    // Nothing is buffered, and what libraries free when a program exits the kernel takes back anyway.
    _exit(arguments.run(inherited))
}
