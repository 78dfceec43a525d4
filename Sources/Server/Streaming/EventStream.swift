internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import OpenAI
internal import Text

/// Writes server-sent events to a client. One task uses it.
final class EventWriter {
    private var writer: any ResponseBodyWriter
    private let connection: ConnectionState
    private let keepAlive: Duration
    private var lastWrite = ContinuousClock.now

    fileprivate init(_ writer: any ResponseBodyWriter, _ connection: ConnectionState, keepAlive: Double) {
        self.writer = writer
        self.connection = connection
        self.keepAlive = .seconds(keepAlive)
    }

    /// One event, with or without a name.
    func send(_ value: JSONValue, name: String? = nil) async throws {
        try await send(text: value.jsonText, name: name)
    }

    func send(text: String, name: String? = nil) async throws {
        var buffer = ByteBuffer()
        if let name { buffer.writeString("event: \(name)\n") }
        buffer.writeString("data: \(text)\n\n")
        try await write(buffer)
    }

    /// A sign of life, where nothing was sent for a while.
    func keepAliveIfDue() async throws {
        guard ContinuousClock.now - lastWrite > keepAlive * 0.9 else { return }
        try await write(ByteBuffer(string: ": keep-alive\n\n"))
    }

    private func write(_ buffer: ByteBuffer) async throws {
        connection.beginWrite()
        defer { connection.endWrite() }
        try await writer.write(buffer)
        lastWrite = .now
    }

    fileprivate func finish() async throws {
        let writer = writer
        try await writer.finish(nil)
    }
}

enum EventStream {
    /// A response of server-sent events.
    ///
    /// - Parameters:
    ///   - failure: what is sent where `body` throws after the stream has begun.
    ///   - body: sends the events.
    static func response(
        _ exchange: Exchange, headers: HTTPFields = [:],
        failure: @escaping @Sendable (APIError) -> (name: String?, value: JSONValue)?,
        _ body: @escaping @Sendable (EventWriter) async throws -> Void
    ) async throws -> Response {
        let connection = try await ConnectionWatch.state(of: exchange.context.channel)
        var headers = headers
        headers[.contentType] = "text/event-stream; charset=utf-8"
        headers[.cacheControl] = "no-cache"
        headers[.buffering] = "no"
        let limits = exchange.service.settings.limits
        let (channel, log, id) = (exchange.context.channel, exchange.service.log, exchange.context.requestID)
        let stalled: Duration = .seconds(limits.writeSeconds)
        return Response(
            status: .ok, headers: headers,
            body: .init { writer in
                // Whoever does not read is let go: the write that waits for him then fails.
                let watch = Task {
                    while (try? await Task.sleep(for: .seconds(1))) != nil {
                        guard connection.stalled > stalled else { continue }
                        log.info("a client did not read for \(stalled) and was let go", metadata: ["request": "\(id)"])
                        channel.close(promise: nil)
                        return
                    }
                }
                defer { watch.cancel() }
                let events = EventWriter(writer, connection, keepAlive: limits.keepAliveSeconds)
                do {
                    try await body(events)
                } catch {
                    if connection.isGone { throw error }
                    let described = (error as? Busy)?.error ?? APIError(describing: error)
                    if described.status >= 500 { log.error("a stream ended with an error: \(error)", metadata: ["request": "\(id)"]) }
                    guard let last = failure(described) else { throw error }
                    try await events.send(last.value, name: last.name)
                }
                try await events.finish()
            })
    }
}
