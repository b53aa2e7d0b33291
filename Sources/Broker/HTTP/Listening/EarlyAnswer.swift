// SPDX-License-Identifier: Apache-2.0
internal import HTTPTypes
internal import NIOCore
internal import NIOHTTPTypes

/// Ends a connection whose request was answered before all of it was there: a body that is too long or too slow.
///
/// A socket that is closed with bytes unread resets, and the client may lose the answer. So what still comes is thrown away for
/// a moment, within bounds, before it is closed.
final class EarlyAnswer: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private static let patience = TimeAmount.seconds(2)
    private static let maximumBytes = 16 << 20

    private enum State { case open, answering, discarding }

    private var state = State.open
    private var isRequestComplete = true
    private var discarded = 0

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        switch part {
        case .head: isRequestComplete = false
        case .body(let bytes): discarded += state == .discarding ? bytes.readableBytes : 0
        case .end: isRequestComplete = true
        }
        guard state == .discarding else { return context.fireChannelRead(data) }
        if isRequestComplete || discarded > Self.maximumBytes { context.close(promise: nil) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if state == .discarding { context.read() }
        context.fireChannelReadComplete()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(var head) where !isRequestComplete && head.status.code >= 200:
            state = .answering
            head.headerFields[.connection] = "close"
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .end where state == .answering:
            state = .discarding
            context.writeAndFlush(data, promise: promise)
            close(context, after: isRequestComplete ? .zero : Self.patience)
            context.read()
        default: context.write(data, promise: promise)
        }
    }

    private func close(_ context: ChannelHandlerContext, after delay: TimeAmount) {
        context.eventLoop.assumeIsolated().scheduleTask(in: delay) { context.close(promise: nil) }
    }
}
