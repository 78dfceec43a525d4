internal import OpenAI
internal import Text

/// A body of the Anthropic API as one of the OpenAI API's: the same conversation in other words.
enum AnthropicBody {
    /// - Parameter needsLimit: whether `max_tokens` must be there, as the API has it for answers.
    static func conversation(_ body: JSONValue, needsLimit: Bool) throws(APIError) -> JSONValue {
        guard case .object(let members) = body else { throw APIError("the body is no JSON object; send {…}") }
        var messages: [JSONValue] = []
        var rest: [JSONValue.Member] = []
        func add(_ name: String, _ value: JSONValue) { rest.append(JSONValue.Member(key: name, value: value)) }
        var hasLimit = false
        for member in members where !member.value.isNull {
            switch member.key {
            case "messages":
                guard let list = member.value.arrayValue else {
                    throw APIError("messages must be a list", parameter: "messages", code: "invalid_value")
                }
                messages += list
            case "system":
                let system = JSONValue.members(["role": .string("system"), "content": member.value])
                // The API's text block may be empty.
                if member.value.stringValue != "", member.value.arrayValue?.isEmpty != true { messages.insert(system, at: 0) }
            case "stop_sequences": add("stop", member.value)
            case "max_tokens":
                hasLimit = true
                guard let limit = member.value.intValue, limit >= 1 else {
                    throw APIError("max_tokens must be a whole number of at least 1", parameter: "max_tokens", code: "invalid_value")
                }
                add("max_tokens", member.value)
            case "metadata": if let user = member.value["user_id"], user.stringValue != nil { add("user", user) }
            case "thinking":
                guard member.value["type"]?.stringValue == "disabled" else {
                    throw APIError("thinking is not supported; leave it out", parameter: "thinking", code: "unsupported_value")
                }
            case "tools":
                guard member.value.arrayValue?.isEmpty == true else {
                    throw APIError("calling tools is not supported yet; leave tools out", parameter: "tools", code: "unsupported_value")
                }
            case "tool_choice":
                guard ["none", "auto"].contains(member.value["type"]?.stringValue) else {
                    throw APIError("calling tools is not supported yet; leave tool_choice out", parameter: "tool_choice", code: "unsupported_value")
                }
            case "output_config", "output_format":
                throw APIError(
                    "output that must match a form is not supported yet; leave \(member.key) out", parameter: member.key,
                    code: "unsupported_value")
            // Names of the other API, which this one does not have.
            case "n", "logprobs", "top_logprobs", "stream_options", "max_completion_tokens", "stop", "user": continue
            default: add(member.key, member.value)
            }
        }
        guard hasLimit || !needsLimit else {
            throw APIError("max_tokens is missing; give the most tokens of the answer", parameter: "max_tokens", code: "invalid_value")
        }
        for message in messages.dropFirst(members.contains { $0.key == "system" } ? 1 : 0) {
            guard ["user", "assistant"].contains(message["role"]?.stringValue ?? "") else {
                throw APIError("a message's role must be user or assistant; the system's text is 'system'", parameter: "messages", code: "invalid_value")
            }
        }
        add("messages", .array(messages))
        return .object(rest)
    }

    /// Why an answer ended, in the API's words.
    static func stopReason(_ choice: ChoiceAssembler) -> (reason: JSONValue, sequence: JSONValue) {
        guard let reason = choice.finishReason else { return (.null, .null) }
        switch reason {
        case .stop:
            if let text = choice.stopText { return (.string("stop_sequence"), .string(text)) }
            return (.string("end_turn"), .null)
        case .length, .deadline: return (.string("max_tokens"), .null)
        case .cancelled: return (.string("end_turn"), .null)
        }
    }
}
