/// How a prompt and a text lie on a terminal's rows, and where the cursor is.
package struct LineLayout: Sendable, Equatable {
    /// What each row shows.
    package private(set) var rows: [String] = [""]
    package private(set) var cursorRow = 0
    /// From 0.
    package private(set) var cursorColumn = 0

    /// - Parameters:
    ///   - continuation: what stands before the second and later lines of the text, as wide as its characters are.
    ///   - columns: the terminal's width, at least 2, so that a wide character has a place.
    /// - Complexity: O(text).
    package init(prompt: String, continuation: String, text: [Character], cursor: Int, columns: Int) {
        let columns = max(columns, 2)
        var column = 0
        func makeRoom(_ width: Int) {
            guard column + width > columns else { return }
            rows.append("")
            column = 0
        }
        func put(_ character: Character) {
            let width = character.terminalWidth
            makeRoom(width)
            rows[rows.count - 1] +=
                character == "\t" ? String(repeating: " ", count: min(width, columns)) : String(character)
            column += width
        }
        func mark() {
            cursorRow = rows.count - 1
            cursorColumn = min(column, columns - 1)
        }
        prompt.forEach(put)
        for (index, character) in text.enumerated() {
            let endsLine = character == "\n"
            // The cursor stands on a character, where that will be drawn.
            if !endsLine { makeRoom(character.terminalWidth) }
            if index == cursor { mark() }
            if endsLine {
                rows.append("")
                column = 0
                continuation.forEach(put)
            } else {
                put(character)
            }
        }
        if cursor >= text.count {
            makeRoom(1)
            mark()
        }
    }

    /// The rows that fit a terminal, with the cursor among them.
    package func window(height: Int) -> Range<Int> {
        let height = max(height, 1)
        guard rows.count > height else { return 0..<rows.count }
        let start = min(max(cursorRow - height + 1, 0), rows.count - height)
        return start..<(start + height)
    }
}
