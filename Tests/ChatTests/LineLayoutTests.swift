import Conversation
import Testing

@Suite struct LineLayoutTests {
    private func layout(_ text: String, _ cursor: Int, _ columns: Int) -> LineLayout {
        LineLayout(prompt: "> ", continuation: ". ", text: Array(text), cursor: cursor, columns: columns)
    }

    @Test func wrapsAndMarksTheCursor() {
        let short = layout("abc", 1, 10)
        #expect(short.rows == ["> abc"] && short.cursorRow == 0 && short.cursorColumn == 3)
        let long = layout("abcdefgh", 8, 6)
        #expect(long.rows == ["> abcd", "efgh"] && long.cursorRow == 1 && long.cursorColumn == 4)
        // Behind a full row is the beginning of the next, whether anything is there or not.
        let full = layout("abcd", 4, 6)
        #expect(full.rows == ["> abcd", ""] && full.cursorRow == 1 && full.cursorColumn == 0)
        let inside = layout("abcdef", 4, 6)
        #expect(inside.rows == ["> abcd", "ef"] && inside.cursorRow == 1 && inside.cursorColumn == 0)
        let lines = layout("ab\ncd", 3, 10)
        #expect(lines.rows == ["> ab", ". cd"] && lines.cursorRow == 1 && lines.cursorColumn == 2)
    }

    @Test func wideCharactersAreNotCut() {
        let wide = layout("漢字漢", 2, 7)
        #expect(wide.rows == ["> 漢字", "漢"] && wide.cursorRow == 1 && wide.cursorColumn == 0)
    }

    /// Widths against Unicode's own classes.
    @Test func widths() {
        for (character, width) in [
            ("a", 1), ("é", 1), ("e\u{301}", 1), ("漢", 2), ("한", 2), ("あ", 2), ("Ａ", 2), ("ﾊ", 1), ("😀", 2), ("👨‍👩‍👧‍👦", 2),
            ("🇩🇪", 2), ("❤️", 2), ("❤", 1), ("—", 1), ("\u{200B}", 0), ("я", 1),
        ] as [(Character, Int)] {
            #expect(character.terminalWidth == width, "\(character)")
        }
    }

    /// No row is wider than the terminal, nothing is lost, and the cursor stands where the text before it ends.
    @Test func lawsOfLayout() {
        let text = "ab漢字 é😀\nlonger line with 한국어 words\n\nend"
        for columns in 3...30 {
            for cursor in 0...text.count {
                let whole = layout(text, cursor, columns)
                #expect(whole.rows.allSatisfy { $0.reduce(0) { $0 + $1.terminalWidth } <= columns })
                #expect(whole.rows.joined().filter { $0 != "." } == "> " + text.replacing("\n", with: " "))
                #expect(whole.cursorRow < whole.rows.count && whole.cursorColumn < columns)
                let before = layout(String(text.prefix(cursor)), cursor, columns)
                if cursor < text.count, Array(text)[cursor].terminalWidth == 1, Array(text)[cursor] != "\n" {
                    #expect(whole.cursorRow == before.cursorRow && whole.cursorColumn == before.cursorColumn)
                }
                for height in 1...8 {
                    let window = whole.window(height: height)
                    #expect(window.count <= height && window.contains(whole.cursorRow))
                }
            }
        }
    }

    @Test func controlsAreVisible() {
        #expect("a\u{1B}[31mb\u{7F}\u{9B}c\n\t\r".withVisibleControls == "a^[[31mb^?\\u{9b}c\n\t^M")
    }
}
