internal import Conversation
internal import Foundation

/// Reads entries from a terminal: draws the editor, feeds it keys, and keeps what was entered.
final class LineReader {
    enum Line {
        case entry(String)
        /// Ctrl-C, on an empty line or not.
        case interrupted(wasEmpty: Bool)
        case ended
    }

    private var history = HistoryFile()
    private let completions: [String]
    private var decoder = KeyDecoder()
    /// Keys that came with an entry's last one: typed ahead.
    private var waiting: [Key] = []
    /// Rows between the first drawn one and the cursor.
    private var cursorRow = 0

    init(completions: [String]) { self.completions = completions }

    /// Reads one entry. Raw mode lasts as long as this call.
    func read(prompt: String, continuation: String) -> Line {
        Terminal.beginEditing()
        defer { Terminal.endEditing() }
        var editor = LineEditor(history: history.entries, completions: completions)
        cursorRow = 0
        draw(editor, prompt, continuation)
        while true {
            while !waiting.isEmpty {
                let outcome = editor.handle(waiting.removeFirst())
                switch outcome {
                case .editing: continue
                case .clearScreen:
                    Console.write("\u{1B}[H\u{1B}[2J")
                    cursorRow = 0
                case .suspend:
                    leave(editor, prompt, continuation)
                    Terminal.suspend()
                    Terminal.beginEditing()
                case .submitted(let text):
                    leave(editor, prompt, continuation)
                    history.add(text)
                    return .entry(text)
                case .interrupted(let wasEmpty):
                    draw(editor, prompt, continuation)
                    Console.write("^C\n")
                    return .interrupted(wasEmpty: wasEmpty)
                case .ended:
                    leave(editor, prompt, continuation)
                    return .ended
                }
            }
            draw(editor, prompt, continuation)
            // A lone escape key is told from the beginning of a sequence by the silence after it.
            guard let bytes = Terminal.read(patience: decoder.isPending ? 50 : nil) else { return .ended }
            if bytes.isEmpty { decoder.flush() } else { waiting += decoder.push(bytes) }
        }
    }

    /// Draws the text over what was drawn before, as much of it as the screen holds.
    private func draw(_ editor: LineEditor, _ prompt: String, _ continuation: String, atEnd: Bool = false) {
        let size = Terminal.size
        let layout = LineLayout(
            prompt: prompt, continuation: continuation, text: editor.text,
            cursor: atEnd ? editor.text.count : editor.cursor, columns: size.columns)
        let window = layout.window(height: size.rows)
        var output = cursorRow > 0 ? "\u{1B}[\(cursorRow)A" : ""
        output += "\r\u{1B}[J" + layout.rows[window].joined(separator: "\r\n")
        let below = window.upperBound - 1 - layout.cursorRow
        if below > 0 { output += "\u{1B}[\(below)A" }
        output += "\r" + (layout.cursorColumn > 0 ? "\u{1B}[\(layout.cursorColumn)C" : "")
        Console.write(output)
        cursorRow = layout.cursorRow - window.lowerBound
    }

    /// Leaves the text as it stands and goes to the row below it.
    private func leave(_ editor: LineEditor, _ prompt: String, _ continuation: String) {
        draw(editor, prompt, continuation, atEnd: true)
        Console.write("\n")
        cursorRow = 0
    }
}

/// Entries of this and earlier conversations. A convenience: where the file cannot be read or written, entries are
/// remembered for this conversation alone.
private struct HistoryFile {
    private var history = EntryHistory()
    private let path: String?

    var entries: [String] { history.entries }

    init() {
        path = Self.folder().map { $0 + "/chat-history" }
        guard let path, let data = FileManager.default.contents(atPath: path) else { return }
        history = EntryHistory(parsing: [UInt8](data))
        // The file only grows while conversations run, several of them perhaps; it is cut when it has doubled.
        if data.lazy.filter({ $0 == UInt8(ascii: "\n") }).count > 2 * EntryHistory.limit {
            try? Data(history.bytes).write(to: URL(fileURLWithPath: path), options: .atomic)
            chmod(path, 0o600)
        }
    }

    mutating func add(_ entry: String) {
        guard history.add(entry), let path else { return }
        // What one says to a model is private.
        let descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return }
        let line = EntryHistory.line(entry)
        _ = write(descriptor, line, line.count)
        close(descriptor)
    }

    private static func folder() -> String? {
        let environment = ProcessInfo.processInfo.environment
        // A relative path in this variable is to be ignored, says the XDG Base Directory Specification.
        let state = environment["XDG_STATE_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
        guard let base = state ?? environment["HOME"].map({ $0 + "/.local/state" }) else { return nil }
        let folder = base + "/apus"
        try? FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        return folder
    }
}
