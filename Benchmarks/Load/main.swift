// SPDX-License-Identifier: Apache-2.0
internal import BrokerProtocol
internal import Glibc
internal import PinKit
internal import Synchronization
internal import TEESimulator

// Load for a broker: guests on the simulated SEV-SNP platform that ask for one envelope over and over.
//
//   broker-load prepare PUBLIC.json DIRECTORY        writes owner.jwk, to be enrolled, and an envelope
//   broker-load run PUBLIC.json DIRECTORY URL GUESTS SECONDS [RATE | new]
//   broker-load storm PUBLIC.json DIRECTORY URL GUESTS WAVES
//   broker-load hostile PUBLIC.json DIRECTORY URL RATE SECONDS
//   broker-load operations SECONDS
//
// `run` prints handshakes a second, their times in milliseconds, and errors, as one JSON object. RATE: handshakes a second of all guests
// together, at even distances; else each asks as fast as it can. `new`: a new connection for each handshake. `storm`: so many guests
// at once, a thread and a new connection each, as often as there are waves; prints how long it took. `hostile`: one client sends what has to
// be refused, so many a second; prints how often each kind was. `operations`: what libcrypto takes for one handshake.

do {
    let arguments = Array(CommandLine.arguments.dropFirst())
    switch (arguments.first, arguments.count) {
    case ("prepare", 3): try prepare(arguments[1], arguments[2])
    case ("run", 6...7): try run(Array(arguments[1...]))
    case ("storm", 6): try storm(Array(arguments[1...]))
    case ("hostile", 6): try hostile(Array(arguments[1...]))
    case ("operations", 2): try print(Operations().measured(seconds: number(arguments[1])))
    default: throw LoadError("usage: broker-load prepare|run|storm|hostile|operations …, see main.swift")
    }
} catch {
    print("broker-load: error: \(error)")
    exit(1)
}

private func number(_ text: String) throws -> Int {
    guard let number = Int(text), number > 0 else { throw LoadError("\(text) is no number above 0") }
    return number
}

/// `public.json`, as far as it is needed.
private func description(_ path: String) throws -> (broker: PublicKey, tls: [UInt8]?) {
    let json = try JSON(parsing: read(path))
    return (
        try PublicKey(jwk: json["broker"] ?? .null, at: "broker"), (json["tls"]?.string).flatMap { Base64URL.decode($0) }
    )
}

private func prepare(_ path: String, _ directory: String) throws {
    let (broker, tls) = try description(path)
    let owner = try SigningKey.generate()
    let policy: JSON = [
        "covers": ["firmware", "kernel", "initrd", "cmdline"],
        "measurement": [.string(Base64URL.encode(SNPSettings.defaultMeasurement))],
    ]
    let envelope = try Envelope.seal(
        SecretBytes(copyingPublic: [UInt8](repeating: 5, count: 32)), to: broker, by: owner, platform: .snp,
        id: Base64URL.encode(Random.bytes(16)), issuedAt: Int64(time(nil)), policy: policy, tls: tls,
        url: BrokerURL("https://broker.example"))
    try write(owner.publicKey.jwk.canonical, to: directory + "/owner.jwk")
    try write(envelope.message.compact, to: directory + "/envelope")
}

/// `arguments`: PUBLIC DIRECTORY URL.
private func order(_ arguments: [String], isConnectionKept: Bool, patience: Int = 30) throws -> Guest.Order {
    let (broker, tls) = try description(arguments[0])
    return Guest.Order(
        url: arguments[2], pin: arguments[2].hasPrefix("https") ? tls : nil, broker: broker,
        envelope: String(decoding: try read(arguments[1] + "/envelope"), as: UTF8.self),
        isConnectionKept: isConnectionKept, reports: try SharedReports(), patience: patience)
}

private func run(_ arguments: [String]) throws {
    let (guests, seconds) = (try number(arguments[3]), try number(arguments[4]))
    let last = arguments.count > 5 ? arguments[5] : ""
    let order = try order(arguments, isConnectionKept: last != "new")
    let load = Load(guests: guests, rate: Double(last) ?? 0)
    for number in 0..<guests {
        guard startWorker({ load.run(order, number) }) else { throw LoadError("no more threads") }
    }
    sleep(1)
    print(load.measure(seconds: seconds))
}

private func storm(_ arguments: [String]) throws {
    let (guests, waves) = (try number(arguments[3]), try number(arguments[4]))
    let order = try order(arguments, isConnectionKept: false, patience: 120)
    let load = Load(guests: guests, rate: 0)
    print(try load.storm(order, waves: waves))
}

private func hostile(_ arguments: [String]) throws {
    let (rate, seconds) = (try number(arguments[3]), try number(arguments[4]))
    print(try Hostile(order(arguments, isConnectionKept: true)).run(rate: rate, seconds: seconds))
}

func read(_ path: String) throws -> [UInt8] {
    guard let file = unsafe fopen(path, "r") else { throw LoadError("cannot read \(path)") }
    defer { unsafe fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    let count = unsafe fread(&bytes, 1, bytes.count, file)
    return Array(bytes.prefix(count))
}

func write(_ text: String, to path: String) throws {
    guard let file = unsafe fopen(path, "w") else { throw LoadError("cannot write \(path)") }
    defer { unsafe fclose(file) }
    guard unsafe fputs(text, file) >= 0 else { throw LoadError("cannot write \(path)") }
}
