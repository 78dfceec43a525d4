public import Logging
internal import Foundation
internal import OpenAI
internal import Text

/// Writes the log to standard error, one line an entry, as text or as JSON. Whatever a client sends stays on its line: control
/// characters are escaped.
public struct LineLogHandler: LogHandler {
    public var logLevel = Logger.Level.info
    public var metadata: Logger.Metadata = [:]
    private let isJSON: Bool
    private let write: @Sendable (String) -> Void

    /// - Parameter write: gets each line with its end; nil for standard error.
    public init(json: Bool, write: (@Sendable (String) -> Void)? = nil) {
        isJSON = json
        self.write = write ?? { FileHandle.standardError.write(Data($0.utf8)) }
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
        let time = Date().ISO8601Format(.iso8601(timeZone: .gmt, includingFractionalSeconds: true))
        if isJSON {
            var members: [JSONValue.Member] = [
                JSONValue.Member(key: "time", value: .string(time)),
                JSONValue.Member(key: "level", value: .string(event.level.rawValue)),
                JSONValue.Member(key: "message", value: .string(event.message.description)),
            ]
            for (key, value) in all {
                let text = value.description
                let number = Int(text).map { JSONValue.integer($0) } ?? Double(text).map { JSONValue.number($0) }
                members.append(JSONValue.Member(key: key, value: number ?? .string(text)))
            }
            write(JSONValue.object(members).jsonText + "\n")
            return
        }
        let rest = all.map { " \($0.key)=\(Self.escaped($0.value.description))" }.joined()
        write("\(time) \(event.level.rawValue) \(Self.escaped(event.message.description, quotes: false))\(rest)\n")
    }

    /// The text with control characters, and where it is a value also spaces and quotes, made visible.
    static func escaped(_ text: String, quotes: Bool = true) -> String {
        var result = ""
        var needsQuotes = text.isEmpty && quotes
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\"" where quotes:
                result += "\\\""
                needsQuotes = true
            case " ", "=":
                result.unicodeScalars.append(scalar)
                needsQuotes = needsQuotes || quotes
            // Line separators of Unicode, marks that turn the order of a line round, and what has no shape.
            case _ where [.control, .format, .lineSeparator, .paragraphSeparator].contains(scalar.properties.generalCategory):
                result += "\\u{\(String(scalar.value, radix: 16))}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return needsQuotes ? "\"\(result)\"" : result
    }
}
