internal import Text

extension GenerationTask {
    /// The messages as a chat template takes them: `content` a text, all else as given.
    static func messages(_ fields: inout RequestFields) throws(APIError) -> [JSONValue] {
        guard let value = fields.value("messages") else { throw .invalid("messages", "the body has no messages") }
        guard let list = value.arrayValue, !list.isEmpty else {
            throw .invalid("messages", "messages must be a list of at least one message")
        }
        var messages: [JSONValue] = []
        for (place, message) in list.enumerated() { messages.append(try self.message(message, "messages[\(place)]")) }
        return messages
    }

    private static func message(_ message: JSONValue, _ place: String) throws(APIError) -> JSONValue {
        guard case .object(var members) = message else {
            throw .invalid(place, "\(place) must be an object with role and content")
        }
        guard let role = message["role"]?.stringValue, !role.isEmpty else {
            throw .invalid("\(place).role", "\(place) has no role; give system, user or assistant")
        }
        guard let content = message["content"], !content.isNull else {
            // An assistant's turn may be calls of functions alone.
            guard role == "assistant", message["tool_calls"] != nil else {
                throw .invalid("\(place).content", "\(place) has no content")
            }
            return message
        }
        if content.stringValue != nil { return message }
        let text = try joined(content, "\(place).content")
        for index in members.indices where members[index].key == "content" { members[index].value = .string(text) }
        return .object(members)
    }

    /// The text of a list of parts, one line each.
    private static func joined(_ content: JSONValue, _ place: String) throws(APIError) -> String {
        guard let parts = content.arrayValue else { throw .invalid(place, "\(place) must be a text or a list of parts") }
        var texts: [String] = []
        for (index, part) in parts.enumerated() {
            guard let kind = part["type"]?.stringValue else {
                throw .invalid("\(place)[\(index)]", "\(place)[\(index)] has no type")
            }
            guard kind == "text", let text = part["text"]?.stringValue else {
                throw .unsupported("\(place)[\(index)]", "\(place)[\(index)] is of type \(kind); only text is supported")
            }
            texts.append(text)
        }
        return texts.joined(separator: "\n")
    }
}

/// A text, a list of texts, a list of token ids, or a list of such lists, as tokens.
struct InputTexts {
    /// One list of tokens for each input, none of them empty.
    private(set) var tokens: [[Int32]] = []
    /// The texts where they were given as such.
    private var given: [String?] = []

    init(_ value: JSONValue, field: String, _ model: ServedModel) throws(APIError) {
        if value.stringValue != nil {
            try append(value, field, model)
            return
        }
        guard let list = value.arrayValue else {
            throw .invalid(field, "\(field) must be a text, a list of texts, or a list of token ids")
        }
        guard let first = list.first else { throw .invalid(field, "\(field) is empty") }
        if first.intValue != nil {
            try append(value, field, model)
            return
        }
        guard list.count <= GenerationTask.choiceLimit else {
            throw .invalid(field, "\(field) has \(list.count) entries; the most is \(GenerationTask.choiceLimit)")
        }
        for (place, element) in list.enumerated() { try append(element, "\(field)[\(place)]", model) }
    }

    private mutating func append(_ value: JSONValue, _ place: String, _ model: ServedModel) throws(APIError) {
        var ids: [Int32]
        if let text = value.stringValue {
            ids = model.tokens(of: text)
            guard !ids.isEmpty else {
                throw .invalid(place, "\(place) is an empty text, and this model has no token to begin one with")
            }
        } else {
            guard let list = value.arrayValue, let listed = RequestFields.tokens(list) else {
                throw .invalid(place, "\(place) must be a text or a list of token ids")
            }
            ids = listed
            guard !ids.isEmpty else { throw .invalid(place, "\(place) has no tokens") }
            for id in ids where id < 0 || Int(id) >= model.vocabulary {
                throw .invalid(place, "\(place) has the token \(id); ids lie in 0..<\(model.vocabulary)")
            }
        }
        tokens.append(ids)
        given.append(value.stringValue)
    }

    /// The inputs as text.
    func texts(_ model: ServedModel) -> [String] {
        zip(tokens, given).map { $1 ?? model.tokenizer.decodeText($0) }
    }
}
