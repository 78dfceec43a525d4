internal import Server

/// The command line: `--name value`, `--name=value`, `--flag`.
struct Arguments {
    /// Values in their order, by setting.
    private(set) var values: [String: [String]] = [:]
    private(set) var configurationFile: String?
    private(set) var wantsHelp = false
    private(set) var wantsVersion = false

    /// - Throws: ``ServerError`` for what is not known.
    init(_ arguments: [String]) throws(ServerError) {
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            if argument == "--help" || argument == "-h" {
                wantsHelp = true
                continue
            }
            if argument == "--version" {
                wantsVersion = true
                continue
            }
            guard argument.hasPrefix("--") else {
                throw ServerError("'\(argument)' is not known here; options begin with --. See 'apus serve --help'.")
            }
            let parts = argument.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            // An older name of it.
            let name = parts[0] == "max-cache" ? "cache-bytes" : String(parts[0])
            let given = parts.count > 1 ? String(parts[1]) : nil
            func value() throws(ServerError) -> String {
                if let given { return given }
                guard let next = rest.popFirst() else {
                    throw ServerError("--\(name) needs a value. See 'apus serve --help'.")
                }
                return next
            }
            if name == "config" {
                configurationFile = try value()
                continue
            }
            guard let setting = Settings.all.first(where: { $0.name == name }) else {
                throw ServerError("--\(name) is not known. See 'apus serve --help'.")
            }
            if case .flag = setting.value {
                values[name] = [given ?? "true"]
            } else {
                let text = try value()
                if case .one = setting.value, values[name] != nil {
                    throw ServerError("--\(name) is given twice; give it once. See 'apus serve --help'.")
                }
                values[name, default: []].append(text)
            }
        }
    }

    // MARK: Help

    static var help: String {
        var text = """
            Serves models over HTTP: the OpenAI and Anthropic APIs, files and batches, and a page to look at.

            USAGE: apus serve [--model [NAME=]PATH …] [options]

            apus serve                                    the built-in storyteller, on http://127.0.0.1:8080
            apus serve --model model.gguf --port 9000
            apus serve --model chat=a.gguf --model code=b.gguf --models-memory 12Gi
            apus serve --model model.gguf --host 0.0.0.0 --api-key-file keys.txt

            Each option is also a variable of the environment (--max-body is APUS_MAX_BODY; several values have commas between
            them) and a key of the configuration file. The command line counts before the environment, and that before the file.

            --config FILE
                A JSON file: {"port": 9000, "model": ["chat=a.gguf"], "max-body": "8Mi"}.

            """
        for group in Settings.groups {
            text += "\n\(group.title.uppercased())\n"
            for setting in group.settings {
                text += "  --\(setting.name)\(setting.placeholder.map { " " + $0 } ?? "")\n"
                text += wrapped(setting.help, indent: "      ")
            }
        }
        return text + "\n  --help, --version\n"
    }

    private static func wrapped(_ text: String, indent: String) -> String {
        var (lines, line) = ("", indent)
        for word in text.split(separator: " ") {
            if line.count + word.count > 98 {
                lines += line + "\n"
                line = indent
            }
            line += (line == indent ? "" : " ") + word
        }
        return lines + line + "\n"
    }
}
