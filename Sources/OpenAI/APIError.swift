public import Inference
public import Text

/// Why a request was refused or failed, in the shape in which the OpenAI API says so.
public struct APIError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The HTTP status: 400 for a request that cannot be served as it is, 500 for a failure of ours.
    public var status: Int
    /// One sentence: what is wrong, where, and what to do.
    public var message: String
    /// The class of the error: `invalid_request_error` or `server_error`.
    public var type: String
    /// The field of the body that is wrong; nil where it is no single field.
    public var parameter: String?
    /// A word that programs can compare; nil where the API has none.
    public var code: String?

    public init(
        _ message: String, status: Int = 400, type: String = "invalid_request_error", parameter: String? = nil,
        code: String? = nil
    ) {
        self.status = status
        self.message = message
        self.type = type
        self.parameter = parameter
        self.code = code
    }

    public var description: String { message }

    /// `{"error": {"message", "type", "param", "code"}}`, the body of a response.
    public var body: JSONValue { .members(["error": object]) }

    /// The error alone.
    public var object: JSONValue {
        .members([
            "message": .string(message), "type": .string(type), "param": .optional(parameter), "code": .optional(code),
        ])
    }

    /// A value of the wrong kind or outside its range.
    static func invalid(_ parameter: String, _ message: String) -> APIError {
        APIError(message, parameter: parameter, code: "invalid_value")
    }

    /// Something that a request asks for and Apus does not do.
    static func unsupported(_ parameter: String, _ message: String) -> APIError {
        APIError(message, parameter: parameter, code: "unsupported_value")
    }

    /// What the engine says of a request, in the API's words.
    public init(_ error: EngineError) {
        switch error {
        case .contextOverflow(let prompt, let context):
            // Clients tell this error by its first words.
            self.init(
                "this model's maximum context length is \(context) tokens; the prompt has \(prompt) tokens, "
                    + "\(prompt - context + 1) more than leaves room for an answer; shorten it or raise the context",
                parameter: "messages", code: "context_length_exceeded")
        case .cacheTooSmall: self.init(error.description, parameter: "max_tokens", code: "cache_too_small")
        case .emptyPrompt, .tokenOutOfRange: self.init(error.description, parameter: "prompt", code: "invalid_value")
        case .negativeLimit: self.init(error.description, parameter: "max_tokens", code: "invalid_value")
        case .sampling(.parameter(let field, let value, let allowed)):
            let name = SamplingFields.apiName(field)
            self.init("\(name) is \(value); it must be \(allowed)", parameter: name, code: "invalid_value")
        case .sampling(.conflict(let sentence)): self.init(sentence, code: "invalid_value")
        case .sampling(.noCandidate): self.init(error.description, parameter: "logit_bias", code: "no_candidate")
        default: self.init(error.description, status: 500, type: "server_error")
        }
    }

    /// Any error: ours as it is, others as a failure.
    public init(describing error: any Error) {
        switch error {
        case let error as APIError: self = error
        case let error as EngineError: self.init(error)
        default: self.init(String(describing: error), status: 500, type: "server_error")
        }
    }
}
