internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import OpenAI
internal import ServiceLifecycle
internal import Synchronization
internal import Text

/// Sends a span for each request to a collector: OTLP 1.x over HTTP, as JSON. What cannot be delivered is dropped, and counted in the log.
final class Tracer: ServiceLifecycle.Service {
    /// The most spans that wait to be sent.
    private static let capacity = 4096

    private let host: String
    private let port: Int
    private let path: String
    private let log: Logger
    private let waiting = Mutex<(spans: [JSONValue], dropped: Int)>(([], 0))

    /// - Throws: ``ServerError`` where the address is no `http://host[:port]/path`.
    init(endpoint: String, log: Logger) throws(ServerError) {
        guard let url = URL(string: endpoint), url.scheme == "http", let host = url.host, !host.isEmpty else {
            throw ServerError("--trace-endpoint is '\(endpoint)'; write http://HOST:PORT/v1/traces")
        }
        self.host = host
        port = url.port ?? 4318
        path = url.path.isEmpty ? "/v1/traces" : url.path
        self.log = log
    }

    /// One request on its way.
    struct Span: Sendable {
        fileprivate let tracer: Tracer
        fileprivate let trace: String
        fileprivate let parent: String?
        fileprivate let name: String
        fileprivate let start: Int

        func end(_ metadata: Logger.Metadata, isError: Bool) { tracer.end(self, metadata, isError: isError) }
    }

    /// Begins a span, inside the client's own trace where the request names one (W3C `traceparent`).
    func begin(_ request: Request, _ context: ApusContext) -> Span {
        let parts = (request.headers[.traceParent] ?? "").split(separator: "-").map(String.init)
        let isGiven =
            parts.count == 4 && parts[1].count == 32 && parts[2].count == 16
            && (parts[1] + parts[2]).allSatisfy { $0.isHexDigit }
        return Span(
            tracer: self, trace: isGiven ? parts[1].lowercased() : Self.hex(16), parent: isGiven ? parts[2].lowercased() : nil,
            name: "\(request.method.rawValue) \(request.uri.path)", start: Self.nanoseconds)
    }

    private static var nanoseconds: Int { Int(Date().timeIntervalSince1970 * 1e9) }

    private static func hex(_ bytes: Int) -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<bytes).map { _ in
            let text = String(UInt8.random(in: 0...255, using: &generator), radix: 16)
            return text.count == 1 ? "0" + text : text
        }.joined()
    }

    private static let names = [
        "method": "http.request.method", "path": "url.path", "status": "http.response.status_code",
        "model": "gen_ai.request.model", "prompt_tokens": "gen_ai.usage.input_tokens",
        "completion_tokens": "gen_ai.usage.output_tokens", "request": "apus.request.id", "error": "error.type",
        "cached_tokens": "apus.cached_tokens",
    ]

    private func end(_ span: Span, _ metadata: Logger.Metadata, isError: Bool) {
        let attributes = metadata.sorted { $0.key < $1.key }.compactMap { key, value -> JSONValue? in
            guard let name = Self.names[key] else { return nil }
            let text = value.description
            let typed: JSONValue =
                Int(text) == nil ? .members(["stringValue": .string(text)]) : .members(["intValue": .string(text)])
            return .members(["key": .string(name), "value": typed])
        }
        var members: [JSONValue.Member] = [
            JSONValue.Member(key: "traceId", value: .string(span.trace)),
            JSONValue.Member(key: "spanId", value: .string(Self.hex(8))),
            JSONValue.Member(key: "name", value: .string(span.name)), JSONValue.Member(key: "kind", value: .integer(2)),
            JSONValue.Member(key: "startTimeUnixNano", value: .string(String(span.start))),
            JSONValue.Member(key: "endTimeUnixNano", value: .string(String(Self.nanoseconds))),
            JSONValue.Member(key: "attributes", value: .array(attributes)),
            JSONValue.Member(key: "status", value: .members(["code": .integer(isError ? 2 : 1)])),
        ]
        if let parent = span.parent { members.append(JSONValue.Member(key: "parentSpanId", value: .string(parent))) }
        waiting.withLock { waiting in
            if waiting.spans.count < Self.capacity {
                waiting.spans.append(.object(members))
            } else {
                waiting.dropped += 1
            }
        }
    }

    // MARK: Sending

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while (try? await Task.sleep(for: .seconds(2))) != nil { await self.send() }
        }
        await send()
    }

    private func send() async {
        let (spans, dropped) = waiting.withLock { waiting in
            defer { waiting = ([], 0) }
            return (waiting.spans, waiting.dropped)
        }
        if dropped > 0 { log.warning("\(dropped) traces were dropped: too many waited") }
        guard !spans.isEmpty else { return }
        let body = JSONValue.members([
            "resourceSpans": .array([
                .members([
                    "resource": .members([
                        "attributes": .array([
                            .members(["key": .string("service.name"), "value": .members(["stringValue": .string("apus")])])
                        ])
                    ]),
                    "scopeSpans": .array([
                        .members(["scope": .members(["name": .string("apus.server")]), "spans": .array(spans)])
                    ]),
                ])
            ])
        ])
        do {
            let status = try await post(body.jsonBytes)
            if status >= 300 { log.warning("the trace collector answered \(status); \(spans.count) traces are lost") }
        } catch {
            log.warning("the trace collector cannot be reached (\(error)); \(spans.count) traces are lost")
        }
    }

    /// One request on a connection of its own.
    private func post(_ body: [UInt8]) async throws -> UInt {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(2))
            .connect(host: host, port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    return try NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>(
                        wrappingChannelSynchronously: channel)
                }
            }
        let head = HTTPRequestHead(
            version: .http1_1, method: .POST, uri: path,
            headers: [
                "host": "\(host):\(port)", "content-type": "application/json", "content-length": "\(body.count)",
                "connection": "close",
            ])
        return try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(.head(head))
            try await outbound.write(.body(.byteBuffer(ByteBuffer(bytes: body))))
            try await outbound.write(.end(nil))
            for try await part in inbound {
                if case .head(let head) = part { return head.status.code }
            }
            return 0
        }
    }
}
