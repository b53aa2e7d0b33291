// SPDX-License-Identifier: Apache-2.0
import BrokerProtocol
import PinKit

/// What a guest sends to a broker and a broker to a guest: each of the messages, read from the same bytes.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    unsafe Harness.run(start, count) { bytes in
        read(AuthRequest.self, bytes)
        read(Challenge.self, bytes)
        read(UnsealRequest.self, bytes)
        read(UnsealResponse.self, bytes)
        read(KBSError.self, bytes)
    }
}

/// What is read is written and read again without a change.
private func read<Kind: Message>(_ kind: Kind.Type, _ bytes: [UInt8]) {
    guard let message = try? Kind(body: bytes) else { return }
    guard let again = try? Kind(body: message.body) else { fatalError("\(kind) not read again") }
    precondition(again.body == message.body)
}
