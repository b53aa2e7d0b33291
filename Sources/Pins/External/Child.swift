// SPDX-License-Identifier: Apache-2.0
internal import CSpawn
internal import Glibc
internal import PinKit

/// A running program with pipes to its three standard streams, in a session of its own: it has no terminal to ask on, and
/// its process group is not ours. When this value goes, the program and all of its group go.
struct Child: ~Copyable {
    var input: Descriptor
    var output: Descriptor
    var errors: Descriptor
    /// Readable when the program has ended, whoever still holds its pipes.
    let ending: Descriptor
    private let process: pid_t
    private var isReaped = false

    private init(
        input: consuming Descriptor, output: consuming Descriptor, errors: consuming Descriptor,
        ending: consuming Descriptor, process: pid_t
    ) {
        self.input = input
        self.output = output
        self.errors = errors
        self.ending = ending
        self.process = process
    }

    static func start(_ program: PinProgram, _ arguments: [String]) throws(SystemError) -> Child {
        let input = try Pipe()
        let output = try Pipe()
        let errors = try Pipe()
        for end in [input.writing.number, output.reading.number, errors.reading.number] {
            guard fcntl(end, F_SETFL, O_NONBLOCK) == 0 else { throw SystemError("fcntl") }
        }
        let process = try RunningGroups.start { () throws(SystemError) in
            try spawn(program, arguments, input.reading.number, output.writing.number, errors.writing.number)
        }
        let ending = cvm_pidfd_open(process)
        guard ending >= 0 else {
            let error = SystemError("pidfd_open")
            _ = reap(process, whenReadable: -1)
            throw error
        }
        return Child(
            input: input.writing, output: output.reading, errors: errors.reading, ending: Descriptor(ending),
            process: process)
    }

    deinit {
        if !isReaped { _ = Child.reap(process, whenReadable: ending.number) }
    }

    /// Kills what is left of the group and gives the status the program itself ended with, in wait()'s form; nil where the
    /// kernel cannot end it now.
    mutating func end() -> Int32? {
        isReaped = true
        return Child.reap(process, whenReadable: ending.number)
    }

    /// The group is killed while its leader, running or a zombie, still keeps the number from being given to another.
    private static func reap(_ process: pid_t, whenReadable ending: Int32) -> Int32? {
        kill(-process, SIGKILL)
        // Not longer: a process that is stuck in the kernel must not stop this one.
        var wait = pollfd(fd: ending, events: Int16(POLLIN), revents: 0)
        _ = unsafe poll(&wait, 1, 1000)
        var status: Int32 = 0
        let isEnded = unsafe waitpid(process, &status, WNOHANG) == process
        RunningGroups.forget(process)
        return isEnded ? status : nil
    }
}

/// Starts `program` with three descriptors as its standard streams and nothing else of this process: no descriptor, no
/// blocked or ignored signal, no variable of the environment.
private func spawn(
    _ program: PinProgram, _ arguments: [String], _ input: Int32, _ output: Int32, _ errors: Int32
) throws(SystemError) -> pid_t {
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    // In this order, since `input` was opened first and may be 0, 1 or 2 itself; the others cannot.
    unsafe posix_spawn_file_actions_adddup2(&actions, input, 0)
    unsafe posix_spawn_file_actions_adddup2(&actions, output, 1)
    unsafe posix_spawn_file_actions_adddup2(&actions, errors, 2)
    _ = unsafe posix_spawn_file_actions_addclosefrom_np(&actions, 3)

    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    var all = sigset_t()
    unsafe sigemptyset(&none)
    unsafe sigfillset(&all)
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    unsafe posix_spawnattr_setsigdefault(&attributes, &all)
    let flags = Int32(CVM_SPAWN_SETSID) | Int32(POSIX_SPAWN_SETSIGMASK) | Int32(POSIX_SPAWN_SETSIGDEF)
    unsafe posix_spawnattr_setflags(&attributes, Int16(flags))

    let argv = CStringVector([program.path] + arguments)
    let environment = CStringVector(program.environment)
    var process = pid_t()
    let code = unsafe posix_spawn(
        &process, program.path, &actions, &attributes, argv.pointer, environment.pointer)
    guard code == 0 else { throw SystemError("posix_spawn", code) }
    return process
}

/// Strings as C passes them on: an array that ends with a null pointer.
@safe private struct CStringVector: ~Copyable {
    let pointer: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private let count: Int

    init(_ strings: [String]) {
        count = strings.count
        unsafe pointer = .allocate(capacity: count + 1)
        for (index, string) in strings.enumerated() { unsafe (pointer + index).initialize(to: strdup(string)) }
        unsafe (pointer + count).initialize(to: nil)
    }

    deinit {
        for index in 0..<count { unsafe free(pointer[index]) }
        unsafe pointer.deallocate()
    }
}
