/// What a line that begins with a slash asks for.
package enum ChatCommand: Sendable, Equatable {
    case help
    /// Shows the system message, sets it, or, with the empty text, takes it away.
    case system(String?)
    case reset
    case regenerate
    case save(path: String, replaces: Bool)
    case load(path: String)
    case set(name: String?, value: String?)
    case history
    case undo
    case tokens
    case quit

    /// Names, arguments and meanings, as `/help` lists them.
    package static let catalog: [(name: String, argument: String, meaning: String)] = [
        ("help", "", "this list"),
        ("system", "[TEXT]", "show, set or (with \"\") remove the system message"),
        ("regenerate", "", "answer the last message again, with the next sample"),
        ("undo", "", "drop the last message and its answer"),
        ("reset", "", "begin anew; the system message and the settings stay"),
        ("history", "", "print the conversation"),
        ("tokens", "", "how much of the context the conversation takes"),
        ("set", "[NAME VALUE]", "list the settings, or change one"),
        ("save", "FILE", "write the conversation to a new file; /save! overwrites"),
        ("load", "FILE", "go on with a saved conversation"),
        ("quit", "", "leave; so does Ctrl-D"),
    ]

    /// The text of `/help`.
    package static var overview: String {
        let lines = catalog.map { entry in
            let left = "/\(entry.name) \(entry.argument)"
            return "  \(left)\(String(repeating: " ", count: max(1, 22 - left.count)))\(entry.meaning)"
        }
        return lines.joined(separator: "\n") + """
            \n
            A line that ends in \\ goes on in the next one; \""" begins and ends a block of
            lines; a message that begins with a slash is written with two. Ctrl-C stops
            an answer and keeps what was said.
            """
    }

    /// Reads a line that begins with a slash.
    package init(parsing line: String) throws(ChatError) {
        let body = line.drop { $0 == "/" || $0 == " " }
        let name = String(body.prefix { !$0.isWhitespace })
        let argument = trimmed(body.dropFirst(name.count))
        switch name {
        case "system": self = .system(argument.isEmpty ? nil : argument == "\"\"" ? "" : argument)
        case "save", "save!", "load":
            guard !argument.isEmpty else { throw ChatError("/\(name) needs a file: /\(name) FILE.") }
            self = name == "load" ? .load(path: argument) : .save(path: argument, replaces: name == "save!")
        case "set":
            let setting = argument.prefix { !$0.isWhitespace && $0 != "=" }
            var value = argument.dropFirst(setting.count).drop { $0.isWhitespace }
            if value.first == "=" { value = value.dropFirst() }
            let text = trimmed(value)
            self = .set(name: setting.isEmpty ? nil : String(setting), value: text.isEmpty ? nil : text)
        default:
            let plain: [String: ChatCommand] = [
                "help": .help, "?": .help, "reset": .reset, "regenerate": .regenerate, "history": .history,
                "undo": .undo,
                "tokens": .tokens, "quit": .quit, "exit": .quit,
            ]
            guard let command = plain[name] else {
                let near = nearestNames(to: name, among: Self.catalog.map(\.name) + ["save!"]).map { "/\($0)" }
                let hint = near.isEmpty ? "/help lists the commands" : "did you mean \(near.joined(separator: " or "))?"
                throw ChatError("There is no command /\(name); \(hint)\(near.isEmpty ? "." : "")")
            }
            guard argument.isEmpty else { throw ChatError("/\(name) takes no argument, but '\(argument)' follows it.") }
            self = command
        }
    }
}

/// Text without white space at its ends.
func trimmed(_ text: some BidirectionalCollection<Character>) -> String {
    var rest = text.drop { $0.isWhitespace }[...]
    while let last = rest.last, last.isWhitespace { rest = rest.dropLast() }
    return String(rest)
}
