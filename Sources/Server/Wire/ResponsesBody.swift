internal import OpenAI
internal import Text

/// A body of `/v1/responses` as one of the chat endpoint's.
struct ResponsesBody {
    /// What the chat endpoint would be sent.
    private(set) var conversation: JSONValue = .null
    /// The conversation without instructions: what a later response goes on from.
    private(set) var messages: [JSONValue]
    /// The input alone, as the API lists it.
    let input: [JSONValue]
    let stores: Bool
    let previous: String?
    /// What the response repeats of the request.
    let echoed: JSONValue

    /// - Parameter former: messages of the response that this one goes on from.
    /// - Throws: ``APIError`` for what is missing or not supported.
    init(_ body: JSONValue, former: [JSONValue]) throws(APIError) {
        guard case .object(let members) = body else { throw APIError("the body is no JSON object; send {…}") }
        previous = body["previous_response_id"]?.stringValue
        stores = body["store"]?.boolValue ?? true
        guard let given = body["input"], !given.isNull else {
            throw APIError("the body has no input", parameter: "input", code: "invalid_value")
        }
        input = try Self.items(given)
        messages = former + (try input.map { item throws(APIError) in try Self.message(item) })
        var rest: [JSONValue.Member] = []
        func add(_ name: String, _ value: JSONValue) { rest.append(JSONValue.Member(key: name, value: value)) }
        var instructions: String?
        for member in members where !member.value.isNull {
            switch member.key {
            case "input", "previous_response_id", "store", "truncation", "parallel_tool_calls": continue
            case "instructions":
                guard let text = member.value.stringValue else {
                    throw APIError("instructions must be a text", parameter: "instructions", code: "invalid_value")
                }
                instructions = text
            case "max_output_tokens": add("max_completion_tokens", member.value)
            case "text":
                let kind = member.value["format"]?["type"]?.stringValue ?? "text"
                guard kind == "text" else {
                    throw APIError(
                        "output that must match a form is not supported yet; leave text.format out", parameter: "text.format",
                        code: "unsupported_value")
                }
            case "reasoning":
                if let effort = member.value["effort"], !effort.isNull { add("reasoning_effort", effort) }
            case "background":
                guard member.value.boolValue == false else {
                    throw APIError("background responses are not supported", parameter: "background", code: "unsupported_value")
                }
            case "conversation", "prompt":
                throw APIError("\(member.key) is not supported; send the input itself", parameter: member.key, code: "unsupported_value")
            case "include":
                if member.value.arrayValue?.contains(where: { $0.stringValue == "message.output_text.logprobs" }) == true {
                    add("logprobs", .bool(true))
                }
            case "stream_options", "n", "max_tokens", "messages": continue
            default: add(member.key, member.value)
            }
        }
        if let kind = body["truncation"]?.stringValue, kind != "disabled" {
            throw APIError("only truncation 'disabled' is supported: nothing is cut off in silence", parameter: "truncation", code: "unsupported_value")
        }
        let system = instructions.map { [JSONValue.members(["role": .string("system"), "content": .string($0)])] } ?? []
        add("messages", .array(system + messages))
        echoed = Self.echoed(body)
        conversation = .object(rest)
    }

    private static func echoed(_ body: JSONValue) -> JSONValue {
        .members([
            "instructions": body["instructions"] ?? .null, "max_output_tokens": body["max_output_tokens"] ?? .null,
            "parallel_tool_calls": .bool(true), "previous_response_id": body["previous_response_id"] ?? .null,
            "reasoning": body["reasoning"] ?? .members(["effort": .null, "summary": .null]),
            "store": .bool(body["store"]?.boolValue ?? true), "temperature": body["temperature"] ?? .null,
            "text": .members(["format": .members(["type": .string("text")])]), "tool_choice": .string("auto"),
            "tools": .array([]), "top_p": body["top_p"] ?? .null, "truncation": .string("disabled"),
            "user": body["user"] ?? .null, "metadata": body["metadata"] ?? .object([]),
        ])
    }

    /// The input as a list of messages in the API's form, each with an id.
    private static func items(_ input: JSONValue) throws(APIError) -> [JSONValue] {
        func item(_ role: String, _ content: JSONValue) -> JSONValue {
            .members([
                "id": .string("msg_" + RandomName.make()), "type": .string("message"), "status": .string("completed"),
                "role": .string(role), "content": content,
            ])
        }
        if let text = input.stringValue {
            return [item("user", .array([.members(["type": .string("input_text"), "text": .string(text)])]))]
        }
        guard let list = input.arrayValue, !list.isEmpty else {
            throw APIError("input must be a text or a list of at least one message", parameter: "input", code: "invalid_value")
        }
        var items: [JSONValue] = []
        for (place, entry) in list.enumerated() {
            let kind = entry["type"]?.stringValue ?? "message"
            guard kind == "message", let role = entry["role"]?.stringValue, let content = entry["content"] else {
                throw APIError(
                    "input[\(place)] is of type \(kind); only messages with role and content are supported",
                    parameter: "input[\(place)]", code: "unsupported_value")
            }
            if let text = content.stringValue {
                let type = role == "assistant" ? "output_text" : "input_text"
                items.append(item(role, .array([.members(["type": .string(type), "text": .string(text)])])))
            } else {
                items.append(item(role, content))
            }
        }
        return items
    }

    /// A message in the chat endpoint's form.
    private static func message(_ item: JSONValue) throws(APIError) -> JSONValue {
        var texts: [String] = []
        for part in item["content"]?.arrayValue ?? [] {
            guard let kind = part["type"]?.stringValue, ["input_text", "output_text", "text"].contains(kind),
                let text = part["text"]?.stringValue
            else {
                throw APIError(
                    "a part of the input is of type \(part["type"]?.stringValue ?? "nothing"); only text is supported",
                    parameter: "input", code: "unsupported_value")
            }
            texts.append(text)
        }
        // Instructions of newer clients; templates know the older name.
        let role = item["role"]?.stringValue == "developer" ? "system" : item["role"]?.stringValue ?? "user"
        return .members(["role": .string(role), "content": .string(texts.joined(separator: "\n"))])
    }

    /// The answer becomes part of the conversation.
    func conversation(with answer: String) -> [JSONValue] {
        messages + [.members(["role": .string("assistant"), "content": .string(answer)])]
    }
}
