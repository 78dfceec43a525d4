internal import Text

/// A saved conversation: which model, what was said, with which settings.
///
/// ```json
/// {"model": "…", "system": "…", "messages": [{"role": "user", "content": "…"}], "settings": {"temperature": 0.8}}
/// ```
///
/// An answer may carry `"stopped": true` and the `"sample"` it is. A file without settings leaves them as they are.
package struct ConversationFile: Sendable, Equatable {
    /// The model it was held with, where the file says so.
    package var model: String?
    package var transcript: Transcript
    /// Names and values as ``ChatSettings/set(_:)`` takes them.
    package var settings: [Setting]

    package struct Setting: Sendable, Equatable {
        package let name: String
        package let value: String
    }

    /// The file's bytes: JSON, one message a line.
    package static func bytes(model: String, _ transcript: Transcript, _ settings: ChatSettings) -> [UInt8] {
        var text = "{\n\"model\": \(quoted(model)),\n"
        if let system = transcript.system { text += "\"system\": \(quoted(system)),\n" }
        let messages = transcript.turns.map { turn in
            "{\"role\": \(quoted(turn.role)), \"content\": \(quoted(turn.content))"
                + (turn.isStopped ? ", \"stopped\": true" : "")
                + (turn.sample > 0 ? ", \"sample\": \(turn.sample)" : "") + "}"
        }
        text += "\"messages\": [\(messages.isEmpty ? "" : "\n" + messages.joined(separator: ",\n") + "\n")],\n"
        text +=
            "\"settings\": {" + settings.listings.map { "\"\($0.name)\": \($0.json)" }.joined(separator: ", ")
            + "}\n}\n"
        return Array(text.utf8)
    }

    /// Reads a file's bytes.
    ///
    /// - Parameter file: its name, for the error.
    /// - Throws: ``ChatError`` that names the field at fault.
    package init(parsing bytes: [UInt8], file: String) throws(ChatError) {
        func fail(_ reason: String) -> ChatError { ChatError("\(file): \(reason)") }
        let root: JSONValue
        do throws(JSONError) { root = try JSONValue(parsing: bytes) } catch { throw fail("\(error).") }
        func string(_ value: JSONValue?, _ field: String) throws(ChatError) -> String? {
            guard let value, !value.isNull else { return nil }
            guard let text = value.stringValue else { throw fail("\(field) is no text.") }
            return text
        }
        guard root.objectValue != nil else { throw fail("this is no saved conversation: it is not a JSON object.") }
        guard let list = root["messages"] else { throw fail("this is no saved conversation: it has no messages.") }
        guard let items = list.arrayValue else { throw fail("messages is no array.") }
        model = try string(root["model"], "model")
        transcript = Transcript(system: try string(root["system"], "system"))
        for (index, item) in items.enumerated() {
            let field = "messages[\(index)]"
            guard item.objectValue != nil else { throw fail("\(field) is no object.") }
            guard let role = try string(item["role"], "\(field).role") else { throw fail("\(field) has no role.") }
            guard let content = try string(item["content"], "\(field).content") else {
                throw fail("\(field) has no content.")
            }
            if role == "system", index == 0, transcript.system == nil {
                transcript.system = content
                continue
            }
            guard role == "user" || role == "assistant" else {
                throw fail(
                    "\(field).role is '\(role)', but must be user or assistant (or system, for a first message).")
            }
            var turn = Transcript.Turn(role: role, content: content)
            if let stopped = item["stopped"] {
                guard let value = stopped.boolValue else { throw fail("\(field).stopped is neither true nor false.") }
                turn.isStopped = value
            }
            if let sample = item["sample"] {
                guard let value = sample.intValue.flatMap({ UInt32(exactly: $0) }) else {
                    throw fail("\(field).sample is no whole number from 0 to \(UInt32.max).")
                }
                turn.sample = value
            }
            transcript.turns.append(turn)
        }
        settings = []
        guard let stored = root["settings"], !stored.isNull else { return }
        guard let members = stored.objectValue else { throw fail("settings is no object.") }
        for member in members {
            let value: String
            switch member.value {
            case .null: value = "off"
            case .bool(let flag): value = String(flag)
            case .integer(let number): value = String(number)
            case .number(let number): value = Int(exactly: number).map(String.init) ?? number.description
            case .string(let text): value = text
            case .array, .object: throw fail("settings.\(member.key) is neither a number nor a text.")
            }
            settings.append(Setting(name: member.key, value: value))
        }
    }

    /// A JSON string.
    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            default:
                if scalar.value < 0x20 || scalar.value == 0x7F {
                    let hex = String(scalar.value, radix: 16)
                    result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
                } else {
                    result.unicodeScalars.append(scalar)
                }
            }
        }
        return result + "\""
    }
}
