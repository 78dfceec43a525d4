internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import NIOCore
internal import OpenAI
internal import Synchronization

/// What the log tells of a request beside its line: filled by the endpoint.
final class RequestNotes: Sendable {
    private let notes = Mutex<Logger.Metadata>([:])

    func add(_ name: String, _ value: some CustomStringConvertible & Sendable) {
        notes.withLock { $0[name] = .stringConvertible(value) }
    }

    var all: Logger.Metadata { notes.withLock { $0 } }
}

/// The first to see a request and the last to see its answer: gives it a name, turns errors into the API's shape, answers
/// for other origins, writes the log.
struct FrontDoor: RouterMiddleware {
    typealias Context = ApusContext
    let service: Service
    let routes: [Route]
    let access: Access

    func handle(
        _ request: Request, context: ApusContext, next: (Request, ApusContext) async throws -> Response
    ) async throws -> Response {
        var context = context
        context.requestID = Self.requestID(request, context)
        context.logger[metadataKey: "hb.request.id"] = .string(context.requestID)
        let shape = shape(of: request.uri.path)
        let span = service.tracer?.begin(request, context)
        var response: Response
        var error: APIError?
        do {
            response =
                request.method == .options ? Response(status: .noContent) : try await next(request, context)
        } catch let failure {
            let described = describe(failure, request)
            error = described
            response = .json(
                shape.body(described, requestID: context.requestID), status: .init(code: described.status))
            if let busy = failure as? Busy {
                response.headers[.retryAfterSeconds] = String(max(1, Int(busy.retryAfter.rounded(.up))))
            }
            if failure is RequestFailure { response = Self.last(response, context) }
            if described.status == 401 { response.headers[.wwwAuthenticate] = "Bearer" }
        }
        response.headers[.requestID] = context.requestID
        if shape == .anthropic { response.headers[.init("request-id")!] = context.requestID }
        response.headers[.contentTypeOptions] = "nosniff"
        addOrigin(request, &response)
        return finished(response, request, context, error, span)
    }

    // MARK: Names

    /// The client's own name for the request where it is short and plain, else a new one.
    private static func requestID(_ request: Request, _ context: ApusContext) -> String {
        if let given = request.headers[.requestID], (1...128).contains(given.utf8.count),
            given.utf8.allSatisfy({ isPlain($0) })
        {
            return given
        }
        return "req_" + RandomName.make()
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
            true
        default: false
        }
    }

    // MARK: Errors

    private func shape(of path: String) -> ErrorShape { path.hasPrefix("/v1/messages") ? .anthropic : .openAI }

    private func describe(_ failure: any Error, _ request: Request) -> APIError {
        switch failure {
        case let failure as RequestFailure: return failure.error
        case let busy as Busy: return busy.error
        case let failure as HTTPError where failure.status == .notFound:
            // What is not there is not told to everybody either.
            do { _ = try access.admit(request, isOpen: false) } catch { return describe(error, request) }
            return unknown(request)
        case let failure as HTTPError:
            return APIError(failure.body ?? "the request is not valid HTTP", status: failure.status.code)
        case is CancellationError:
            return APIError("the client has left", status: 499, type: "cancelled", code: "client_closed_request")
        default:
            let error = APIError(describing: failure)
            if error.status >= 500 { service.log.error("\(request.method) \(request.uri.path): \(failure)") }
            return error
        }
    }

    /// A path that is not there, or not for this method.
    private func unknown(_ request: Request) -> APIError {
        let path = request.uri.path
        let methods = routes.filter { Self.matches($0.path, path) }.map(\.method.rawValue)
        guard methods.isEmpty else {
            return APIError(
                "\(path) does not answer \(request.method.rawValue); use \(methods.joined(separator: " or "))", status: 405,
                code: "method_not_allowed")
        }
        return APIError(
            "there is nothing at \(path); the endpoints are listed in the server's documentation", status: 404,
            code: "unknown_url")
    }

    private static func matches(_ pattern: String, _ path: String) -> Bool {
        let parts = path.split(separator: "/")
        var place = 0
        for part in pattern.split(separator: "/") {
            if part == "**" { return place < parts.count }
            guard place < parts.count, part.hasPrefix("{") || part == parts[place] else { return false }
            place += 1
        }
        return place == parts.count
    }

    /// The connection's last answer: what else the client sends is not read.
    private static func last(_ response: Response, _ context: ApusContext) -> Response {
        var response = response
        response.headers[.connection] = "close"
        let body = response.body
        let channel = context.channel
        response.body = .init(contentLength: body.contentLength) { writer in
            try await body.write(writer)
            channel.close(promise: nil)
        }
        return response
    }

    // MARK: Other origins

    private func addOrigin(_ request: Request, _ response: inout Response) {
        guard let origin = request.headers[.origin] else { return }
        let allowed = service.settings.origins
        guard allowed.contains("*") || allowed.contains(origin) else { return }
        response.headers[.accessControlAllowOrigin] = allowed.contains("*") ? "*" : origin
        response.headers[.vary] = "origin"
        response.headers[.accessControlExposeHeaders] = "x-request-id, x-apus-ignored, retry-after"
        guard request.method == .options else { return }
        response.headers[.accessControlAllowMethods] = "GET, POST, DELETE"
        response.headers[.accessControlAllowHeaders] =
            request.headers[.accessControlRequestHeaders] ?? "authorization, content-type, x-api-key"
        response.headers[.accessControlMaxAge] = "600"
    }

    // MARK: The log

    private static let methods: Set<String> = ["GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH"]

    private func finished(
        _ response: Response, _ request: Request, _ context: ApusContext, _ error: APIError?, _ span: Tracer.Span?
    ) -> Response {
        guard response.body.contentLength == nil else {
            note(response, request, context, error, span)
            return response
        }
        // A stream ends later than it begins.
        var response = response
        let body = response.body
        let (service, status) = (self, response)
        response.body = .init { writer in
            defer { service.note(status, request, context, error, span) }
            try await body.write(writer)
        }
        return response
    }

    private func note(
        _ response: Response, _ request: Request, _ context: ApusContext, _ error: APIError?, _ span: Tracer.Span?
    ) {
        let seconds = (ContinuousClock.now - context.arrival) / .seconds(1)
        service.metrics.requests.add(
            labels: [
                // Clients may call a method what they like.
                ("method", Self.methods.contains(request.method.rawValue) ? request.method.rawValue : "other"), ("path", context.endpointPath ?? "other"),
                ("status", String(response.status.code)),
            ])
        var metadata = context.notes.all
        metadata["method"] = .string(request.method.rawValue)
        metadata["path"] = .string(request.uri.path)
        metadata["status"] = .stringConvertible(response.status.code)
        metadata["seconds"] = .stringConvertible((seconds * 10_000).rounded() / 10_000)
        metadata["request"] = .string(context.requestID)
        if let error { metadata["error"] = .string(error.code ?? error.type) }
        span?.end(metadata, isError: response.status.code >= 500)
        let isRoutine = ["/health", "/ready", "/metrics", "/apus/engine"].contains(request.uri.path)
        service.log.log(level: isRoutine ? .debug : .info, "request", metadata: metadata)
    }
}
