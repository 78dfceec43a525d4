internal import HTTPTypes
internal import Hummingbird
internal import OpenAI
internal import Text

/// How an API writes an error.
enum ErrorShape: Sendable {
    case openAI
    case anthropic

    func body(_ error: APIError, requestID: String) -> JSONValue {
        switch self {
        case .openAI: error.body
        case .anthropic:
            .members([
                "type": .string("error"),
                "error": .members(["type": .string(Self.anthropicType(error)), "message": .string(error.message)]),
                "request_id": .string(requestID),
            ])
        }
    }

    private static func anthropicType(_ error: APIError) -> String {
        switch error.status {
        case 401: "authentication_error"
        case 403: "permission_error"
        case 404, 405: "not_found_error"
        case 413: "request_too_large"
        case 429: "rate_limit_error"
        case 503, 529: "overloaded_error"
        case 400..<500: "invalid_request_error"
        default: "api_error"
        }
    }
}

extension Response {
    /// A body of JSON.
    static func json(_ value: JSONValue, status: HTTPResponse.Status = .ok, headers: HTTPFields = [:]) -> Response {
        var headers = headers
        headers[.contentType] = "application/json"
        let bytes = value.jsonBytes
        headers[.contentLength] = String(bytes.count)
        return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    /// A body of text.
    static func text(
        _ text: String, type: String = "text/plain; charset=utf-8", status: HTTPResponse.Status = .ok
    ) -> Response {
        let buffer = ByteBuffer(string: text)
        return Response(
            status: status, headers: [.contentType: type, .contentLength: String(buffer.readableBytes)],
            body: .init(byteBuffer: buffer))
    }
}

extension HTTPField.Name {
    static let requestID = Self("x-request-id")!
    static let apiKey = Self("x-api-key")!
    static let ignoredFields = Self("x-apus-ignored")!
    static let anthropicVersion = Self("anthropic-version")!
    static let retryAfterSeconds = Self("retry-after")!
    static let buffering = Self("x-accel-buffering")!
    static let traceParent = Self("traceparent")!
    static let contentTypeOptions = Self("x-content-type-options")!
    static let referrerPolicy = Self("referrer-policy")!
    static let securityPolicy = Self("content-security-policy")!
}
