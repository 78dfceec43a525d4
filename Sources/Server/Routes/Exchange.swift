internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import NIOCore
internal import OpenAI
internal import Text

/// What a request brings with it through the server.
struct ApusContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel
    let arrival = ContinuousClock.now
    /// The client's own `x-request-id` where it is one, else the server's.
    var requestID = ""
    var caller = Caller.anonymous
    /// What the log tells of the request beside its line.
    let notes = RequestNotes()

    init(source: Source) {
        coreContext = .init(source: source)
        channel = source.channel
    }
}

/// A request under way, as an endpoint sees it.
struct Exchange: Sendable {
    let request: Request
    let context: ApusContext
    let service: Service

    var caller: Caller { context.caller }

    /// A part of the path, where the route names one.
    func parameter(_ name: String) throws -> String {
        guard let value = context.parameters.get(name), let decoded = value.removingURLPercentEncoding() else {
            throw APIError("the path has no \(name)", status: 404, code: "not_found")
        }
        return decoded
    }

    /// What the path holds after its last named part.
    var rest: String {
        let parts = context.parameters.getCatchAll().map { $0.removingURLPercentEncoding() ?? String($0) }
        return parts.joined(separator: "/")
    }

    func query(_ name: String) -> String? { request.uri.queryParameters.get(name) }

    // MARK: Bodies

    /// The bytes of the body.
    ///
    /// - Throws: ``APIError`` where it is too large or does not come in time; the connection cannot be used any more then.
    func body(atMost limit: Int? = nil) async throws -> ByteBuffer {
        let limit = limit ?? service.settings.limits.bodyBytes
        let announced = request.headers[.contentLength].flatMap { Int($0) } ?? 0
        guard announced <= limit else { throw RequestFailure.tooLarge(announced, limit) }
        let seconds = service.settings.limits.bodySeconds + Double(min(announced, limit)) / 65_536
        let body = request.body
        return try await withThrowingTaskGroup(of: ByteBuffer.self) { group in
            defer { group.cancelAll() }
            group.addTask {
                do { return try await body.collect(upTo: limit) } catch is NIOTooManyBytesError {
                    throw RequestFailure.tooLarge(nil, limit)
                }
            }
            group.addTask {
                try await Task.sleep(for: .seconds(seconds))
                throw RequestFailure.tooSlow(seconds)
            }
            return try await group.next()!
        }
    }

    /// The body as JSON.
    func json() async throws -> JSONValue {
        let buffer = try await body()
        let bytes = Array(buffer.readableBytesView)
        guard !bytes.isEmpty else { throw APIError("the request has no body; send a JSON object", code: "invalid_json") }
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw APIError("the body is no valid UTF-8", code: "invalid_json")
        }
        do throws(JSONError) {
            let value = try JSONValue(parsing: bytes, depthLimit: 128)
            if service.settings.logsPrompts {
                service.log.info(
                    "body",
                    metadata: ["request": "\(context.requestID)", "body": "\(String(decoding: bytes, as: UTF8.self))"])
            }
            return value
        } catch {
            throw APIError("the body is \(error)", code: "invalid_json")
        }
    }
}

/// Failures after which a connection is closed, since the rest of the body is not read.
enum RequestFailure: Error {
    case tooLarge(Int?, Int)
    case tooSlow(Double)

    var error: APIError {
        switch self {
        case .tooLarge(let bytes, let limit):
            APIError(
                "the body has \(bytes.map { "\($0)" } ?? "more") bytes\(bytes == nil ? " than" : "; the most is") \(limit)",
                status: 413, code: "request_too_large")
        case .tooSlow(let seconds):
            APIError(
                "the body did not come within \(Int(seconds)) seconds", status: 408, type: "timeout_error",
                code: "request_timeout")
        }
    }
}

extension StringProtocol {
    /// `%41` becomes `A`; nil where what results is no UTF-8 or an escape is broken.
    func removingURLPercentEncoding() -> String? {
        var bytes: [UInt8] = []
        var iterator = utf8.makeIterator()
        while let byte = iterator.next() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = iterator.next(), let low = iterator.next(),
                let value = UInt8(String(decoding: [high, low], as: UTF8.self), radix: 16)
            else { return nil }
            bytes.append(value)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
