internal import Inference
internal import OpenAI
internal import Text

/// A line of a job: who asks, and for what. Three forms: the OpenAI batch format (`custom_id`, `method`, `url`, `body`), or a body by itself, told
/// apart by `prompt`, `messages` or `input`, with an optional `custom_id`.
struct BatchLine {
    /// Of lines without one: `line-` and the number.
    var customID: String
    var content: Content

    enum Content {
        case generation(GenerationTask)
        case embedding(EmbeddingTask)
        /// No request, or one that cannot be served.
        case refused(LineError)
    }

    init(_ line: InputFile.Line, model: ServedModel, defaults: RequestDefaults) {
        customID = "line-\(line.number)"
        do throws(LineError) {
            let envelope = try Self.envelope(line)
            if let given = envelope.customID { customID = given }
            content = try Self.content(envelope, model, defaults, customID: customID)
        } catch {
            if let given = error.customID { customID = given }
            content = .refused(error)
        }
    }

    private struct Envelope {
        var customID: String?
        var endpoint: Endpoint
        var body: JSONValue
    }

    private static func envelope(_ line: InputFile.Line) throws(LineError) -> Envelope {
        guard line.length <= InputFile.lineLimit else {
            throw LineError("line_too_long", "the line has \(line.length) bytes; the most is \(InputFile.lineLimit)")
        }
        let isBlank = line.bytes.allSatisfy { [0x20, 0x09, 0x0D].contains($0) }
        guard !isBlank else { throw LineError("empty_line", "the line is empty") }
        guard String(validating: line.bytes, as: UTF8.self) != nil else {
            throw LineError("invalid_utf8", "the line is no valid UTF-8; convert the file first (iconv -t UTF-8)")
        }
        let value: JSONValue
        do throws(JSONError) { value = try JSONValue(parsing: line.bytes) } catch {
            throw LineError("invalid_json", "the line is no JSON: \(error.reason) at byte \(error.column)")
        }
        guard case .object(var members) = value else {
            throw LineError("invalid_line", "the line is no JSON object; write {…}")
        }
        var customID: String?
        if let given = value["custom_id"], !given.isNull {
            guard let text = given.stringValue else { throw LineError("invalid_line", "custom_id must be a text") }
            customID = text
        }
        members.removeAll { $0.key == "custom_id" }
        do throws(LineError) {
            if value["body"] != nil { return try wrapped(members, customID) }
            for (field, endpoint) in bare where value[field] != nil {
                return Envelope(customID: customID, endpoint: endpoint, body: .object(members))
            }
            throw LineError("invalid_line", "the line has neither a body nor a prompt, messages or input")
        } catch {
            throw LineError(error, customID)
        }
    }

    private static let bare: [(String, Endpoint)] = [
        ("messages", .chatCompletions), ("prompt", .completions), ("input", .embeddings),
    ]

    private static func wrapped(_ members: [JSONValue.Member], _ customID: String?) throws(LineError) -> Envelope {
        let value = JSONValue.object(members)
        for member in members where !["method", "url", "body"].contains(member.key) {
            throw LineError("invalid_line", "the field '\(member.key)' is not known here; leave it out")
        }
        if let method = value["method"], method.stringValue != "POST" {
            throw LineError("invalid_method", "method must be POST")
        }
        guard let url = value["url"]?.stringValue else { throw LineError("invalid_url", "the line has no url") }
        guard let endpoint = Endpoint(rawValue: url) else {
            let known = Endpoint.allCases.map(\.rawValue).joined(separator: ", ")
            throw LineError("invalid_url", "url is '\(url)'; it must be one of \(known)")
        }
        return Envelope(customID: customID, endpoint: endpoint, body: value["body"]!)
    }

    private static func content(
        _ envelope: Envelope, _ model: ServedModel, _ defaults: RequestDefaults, customID: String
    ) throws(LineError) -> Content {
        do throws(APIError) {
            var defaults = defaults
            defaults.seed = seed(of: customID, job: defaults.seed)
            let task: GenerationTask
            switch envelope.endpoint {
            case .embeddings: return .embedding(try EmbeddingTask(envelope.body, model: model))
            case .chatCompletions: task = try GenerationTask(chat: envelope.body, model: model, defaults: defaults)
            case .completions: task = try GenerationTask(completion: envelope.body, model: model, defaults: defaults)
            }
            if task.streams {
                throw APIError("a batch job cannot stream; leave stream out", parameter: "stream", code: "unsupported_value")
            }
            if task.service.timeout != nil {
                throw APIError(
                    "an answer of a batch job does not depend on time; leave timeout out", parameter: "timeout",
                    code: "unsupported_value")
            }
            return .generation(task)
        } catch {
            throw LineError(error, customID)
        }
    }

    /// The seed of a line that gives none: its own, so that a prompt asked a hundred times gets a hundred answers, and
    /// the same at each run. 53 bits: every reader of JSON keeps them.
    static func seed(of customID: String, job: UInt64) -> UInt64 {
        var digest = Digest(seed: job)
        digest.add(Array(customID.utf8))
        return digest.value >> 11
    }
}

/// Why a line has no answer.
struct LineError: Error {
    var code: String
    var message: String
    /// Where the line was a request, and the request was refused.
    var request: APIError?
    var customID: String?

    init(_ code: String, _ message: String) {
        self.code = code
        self.message = message
    }

    init(_ error: LineError, _ customID: String?) {
        self = error
        self.customID = customID
    }

    init(_ error: APIError, _ customID: String?) {
        code = error.code ?? error.type
        message = error.message
        request = error
        self.customID = customID
    }
}
