// SPDX-License-Identifier: Apache-2.0
internal import NIOCore
internal import NIOHTTPTypes

/// Ends the reading of a request whose body does not come: whoever waits for it gets ``DeadlinePassed``, and can still answer.
///
/// Most bodies are there with their head, and then there is nothing to wait for.
final class BodyDeadline: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart

    /// From the end of a request's head until its body is complete.
    static let seconds: Int64 = 10

    private var isWaiting = false
    private var timer: Scheduled<Void>?

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head: isWaiting = true
        case .body: break
        case .end: stop()
        }
        context.fireChannelRead(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if isWaiting, timer == nil {
            timer = context.eventLoop.assumeIsolated().scheduleTask(in: .seconds(Self.seconds)) {
                context.fireErrorCaught(DeadlinePassed())
            }
        }
        context.fireChannelReadComplete()
    }

    func handlerRemoved(context: ChannelHandlerContext) { stop() }

    private func stop() {
        isWaiting = false
        timer?.cancel()
        timer = nil
    }
}
