// SPDX-License-Identifier: Apache-2.0
package import PinKit

/// A message whose content key is made from a resource.
package struct ResourceMessage {
    /// Where the message stands among those of its run.
    let index: Int
    let message: JWE
    /// Asked one after another until one gives the resource; not empty.
    let servers: [KBSServer]
    let resource: String
    let contentKey: (borrowing SecretBytes) throws(PinError) -> SecretBytes

    package init(
        index: Int, message: JWE, servers: [KBSServer], resource: String,
        contentKey: @escaping (borrowing SecretBytes) throws(PinError) -> SecretBytes
    ) {
        self.index = index
        self.message = message
        self.servers = servers
        self.resource = resource
        self.contentKey = contentKey
    }
}

extension KBSGuest {
    /// Calls `deliver` once for each of `messages`, with its index. One session serves all that ask the same servers.
    package func open(_ messages: [ResourceMessage], deliver: (Int, consuming Recovered) -> Void) {
        var waiting = messages
        while let servers = waiting.first?.servers {
            let asked = waiting.filter { $0.servers == servers }
            waiting.removeAll { $0.servers == servers }
            var resources: [String] = []
            for message in asked where !resources.contains(message.resource) { resources.append(message.resource) }
            fetch(resources, from: servers) { position, recovered in
                let wanted = asked.filter { $0.resource == resources[position] }
                switch consume recovered {
                case .failure(let error): for message in wanted { deliver(message.index, .failure(error)) }
                case .secret(let resource):
                    for message in wanted {
                        let opened = Recovered { () throws(PinError) in
                            try message.message.decrypt(contentKey: message.contentKey(resource))
                        }
                        deliver(message.index, opened)
                    }
                }
            }
        }
    }

    /// One resource, for who binds.
    package func fetch(_ resource: String, from servers: [KBSServer]) throws(PinError) -> SecretBytes {
        let outcome = Outcome()
        fetch([resource], from: servers) { _, recovered in outcome.set(recovered) }
        return try outcome.take()
    }

    private func fetch(
        _ resources: [String], from servers: [KBSServer], deliver: (Int, consuming Recovered) -> Void
    ) {
        var pending = Array(resources.indices)
        var errors = [PinError?](repeating: nil, count: resources.count)
        for server in servers where !pending.isEmpty {
            let asked = pending
            pending = []
            KBSSession(guest: self, server: server).fetch(asked.map { resources[$0] }) { position, recovered in
                let index = asked[position]
                switch consume recovered {
                case .secret(let secret): deliver(index, .secret(secret))
                case .failure(let error):
                    pending.append(index)
                    // What may work later counts for more than another server's no.
                    if errors[index]?.code != .unavailable { errors[index] = error }
                }
            }
        }
        for index in pending {
            deliver(index, .failure(errors[index] ?? PinError(.malformed, step: "resource", detail: "no server is named")))
        }
    }
}
