/// The text being entered, where the cursor stands in it, and what keys do to it. Positions count whole characters, as
/// a reader sees them. Nothing here knows a terminal.
package struct LineEditor: Sendable {
    /// What a key led to.
    package enum Outcome: Sendable, Equatable {
        case editing
        case submitted(String)
        case clearScreen
        case suspend
        /// Ctrl-C; the text is gone, and this tells whether there was any.
        case interrupted(wasEmpty: Bool)
        /// Ctrl-D on an empty line.
        case ended
    }

    package private(set) var text: [Character] = []
    package private(set) var cursor = 0
    /// Entries of the past, oldest first.
    private let history: [String]
    /// Words that Tab completes at the start of the text.
    private let completions: [String]
    /// Which entry of the past is shown; `history.count` is the new text.
    private var place: Int
    /// The new text while an entry of the past is shown.
    private var draft = ""
    /// What was last cut.
    private var cut: [Character] = []

    package init(history: [String] = [], completions: [String] = []) {
        self.history = history
        self.completions = completions
        place = history.count
    }

    package mutating func handle(_ key: Key) -> Outcome {
        switch key {
        case .text(let string), .paste(let string): insert(string)
        case .newline: insert("\n")
        case .tab: complete()
        case .left: cursor = max(cursor - 1, 0)
        case .right: cursor = min(cursor + 1, text.count)
        case .wordLeft: cursor = wordStart
        case .wordRight: cursor = wordEnd
        case .home: cursor = lineStart
        case .end: cursor = lineEnd
        case .up: moveUp()
        case .down: moveDown()
        case .backspace: remove(max(cursor - 1, 0)..<cursor)
        case .delete: remove(cursor..<min(cursor + 1, text.count))
        case .deleteWordLeft: cut(wordStart..<cursor)
        case .deleteWordRight: cut(cursor..<wordEnd)
        case .deleteToStart: cut(lineStart..<cursor)
        case .deleteToEnd: cut(cursor..<lineEnd)
        case .yank: insert(String(cut))
        case .enter: return .submitted(String(text))
        case .clearScreen: return .clearScreen
        case .suspend: return .suspend
        case .interrupt:
            defer { show("") }
            return .interrupted(wasEmpty: text.isEmpty)
        case .endOfInput:
            if text.isEmpty { return .ended }
            remove(cursor..<min(cursor + 1, text.count))
        }
        return .editing
    }

    /// Inserts text; where it joins its neighbours to one character, the cursor goes behind that.
    private mutating func insert(_ string: String) {
        guard !string.isEmpty else { return }
        let start = max(cursor - 1, 0)
        let end = min(cursor + 1, text.count)
        let before = String(text[start..<cursor]) + string
        let joined = Array(before + String(text[cursor..<end]))
        text.replaceSubrange(start..<end, with: joined)
        cursor = start + min(before.count, joined.count)
    }

    /// Removes characters. What was apart stays apart only if Unicode says so: neighbours may join.
    private mutating func remove(_ range: Range<Int>) {
        guard !range.isEmpty else { return }
        text.removeSubrange(range)
        cursor = range.lowerBound
        guard cursor > 0, cursor < text.count else { return }
        let joined = Array(String(text[(cursor - 1)...cursor]))
        if joined.count == 1 { text.replaceSubrange((cursor - 1)...cursor, with: joined) }
    }

    private mutating func cut(_ range: Range<Int>) {
        guard !range.isEmpty else { return }
        cut = Array(text[range])
        remove(range)
    }

    private mutating func show(_ string: String) {
        text = Array(string)
        cursor = text.count
    }

    private mutating func complete() {
        guard text.first == "/", cursor == text.count else { return }
        let typed = String(text)
        let fitting = completions.filter { $0.hasPrefix(typed) }
        if fitting.count == 1 { show(fitting[0] + " ") }
    }

    // MARK: Lines and words

    private var lineStart: Int { (text[..<cursor].lastIndex(of: "\n") ?? -1) + 1 }
    private var lineEnd: Int { text[cursor...].firstIndex(of: "\n") ?? text.count }

    private static func isWord(_ character: Character) -> Bool {
        character.isLetter || character.isNumber || character == "_"
    }

    /// The beginning of the word at or before the cursor.
    private var wordStart: Int {
        var position = cursor
        while position > 0, !Self.isWord(text[position - 1]) { position -= 1 }
        while position > 0, Self.isWord(text[position - 1]) { position -= 1 }
        return position
    }

    /// The end of the word at or after the cursor.
    private var wordEnd: Int {
        var position = cursor
        while position < text.count, !Self.isWord(text[position]) { position += 1 }
        while position < text.count, Self.isWord(text[position]) { position += 1 }
        return position
    }

    // MARK: Up and down: lines of the text first, then the past

    private mutating func moveUp() {
        let start = lineStart
        guard start == 0 else {
            let column = cursor - start
            let above = (text[..<(start - 1)].lastIndex(of: "\n") ?? -1) + 1
            cursor = min(above + column, start - 1)
            return
        }
        guard place > 0 else { return }
        if place == history.count { draft = String(text) }
        place -= 1
        show(history[place])
    }

    private mutating func moveDown() {
        let end = lineEnd
        guard end == text.count else {
            let column = cursor - lineStart
            let below = end + 1
            cursor = min(below + column, text[below...].firstIndex(of: "\n") ?? text.count)
            return
        }
        guard place < history.count else { return }
        place += 1
        show(place == history.count ? draft : history[place])
    }
}
