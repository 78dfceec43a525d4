import Conversation
import Testing

/// An editor after keys, as text with the cursor marked.
private func edited(_ keys: [Key], history: [String] = [], completions: [String] = []) -> String {
    var editor = LineEditor(history: history, completions: completions)
    for key in keys { _ = editor.handle(key) }
    return marked(editor)
}

private func marked(_ editor: LineEditor) -> String {
    String(editor.text[..<editor.cursor]) + "|" + String(editor.text[editor.cursor...])
}

@Suite struct LineEditorTests {
    @Test(
        arguments: [
            ([Key.text("abc"), .left, .text("x")], "abx|c"),
            ([.text("abc"), .home, .text("x"), .end, .text("y")], "xabcy|"),
            ([.text("abc"), .home, .left, .backspace], "|abc"),
            ([.text("abc"), .right, .delete], "abc|"),
            ([.text("abc"), .left, .left, .delete], "a|c"),
            ([.text("abc"), .backspace], "ab|"),
            ([.text("one two, three"), .wordLeft, .wordLeft], "one |two, three"),
            ([.text("one two, three"), .home, .wordRight, .wordRight], "one two|, three"),
            ([.text("one two  "), .deleteWordLeft], "one |"),
            ([.text("one two"), .home, .deleteWordRight], "| two"),
            ([.text("one two"), .wordLeft, .deleteToEnd], "one |"),
            ([.text("one two"), .wordLeft, .deleteToStart], "|two"),
            ([.text("one two"), .wordLeft, .deleteToStart, .end, .yank], "twoone |"),
            ([.text("ab"), .left, .endOfInput], "a|"),
        ] as [([Key], String)])
    func keys(_ keys: [Key], _ expected: String) { #expect(edited(keys) == expected) }

    @Test func wholeCharacters() {
        // A family of four is one character of seven scalars.
        #expect(edited([.text("a👨‍👩‍👧‍👦b"), .left, .backspace]) == "a|b")
        #expect(edited([.text("漢字"), .left, .left, .delete]) == "|字")
        // Scalars come one by one: marks, joiners and flags join what stands before.
        #expect(edited([.text("e"), .text("\u{301}"), .backspace]) == "|")
        #expect(edited([.text("🇩"), .text("🇪"), .left]) == "|🇩🇪")
        let family: [Key] = "👩‍👧".unicodeScalars.map { .text(String($0)) }
        #expect(edited(family + [.left, .text("x")]) == "x|👩‍👧")
        // What stands between two halves goes: they join, and the cursor goes behind them.
        #expect(edited([.text("🇩x🇪"), .left, .backspace, .delete]) == "🇩🇪|")
    }

    /// The editor against a plain model of it: an array of characters and an index, over a fixed walk of keys.
    @Test func agreesWithAModel() {
        var editor = LineEditor()
        var text: [Character] = []
        var cursor = 0
        var state: UInt64 = 7
        for step in 0..<3000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            switch (state >> 33) % 9 {
            case 0, 1, 2:
                let letter = Array("ab 漢é\n")[Int((state >> 40) % 6)]
                _ = editor.handle(.text(String(letter)))
                text.insert(letter, at: cursor)
                cursor += 1
            case 3:
                _ = editor.handle(.left)
                cursor = max(0, cursor - 1)
            case 4:
                _ = editor.handle(.right)
                cursor = min(text.count, cursor + 1)
            case 5:
                _ = editor.handle(.backspace)
                if cursor > 0 {
                    cursor -= 1
                    text.remove(at: cursor)
                }
            case 6:
                _ = editor.handle(.delete)
                if cursor < text.count { text.remove(at: cursor) }
            case 7:
                _ = editor.handle(.home)
                while cursor > 0 && text[cursor - 1] != "\n" { cursor -= 1 }
            default:
                _ = editor.handle(.end)
                while cursor < text.count && text[cursor] != "\n" { cursor += 1 }
            }
            #expect(editor.text == text && editor.cursor == cursor, "step \(step)")
        }
    }

    @Test func pastLines() {
        let past = ["first", "second"]
        #expect(edited([.up], history: past) == "second|")
        #expect(edited([.up, .up, .up], history: past) == "first|")
        #expect(edited([.text("new"), .up, .up, .down, .down, .down], history: past) == "new|")
        // In a text of several lines the arrows move between them first.
        #expect(edited([.paste("ab\ncdef"), .up], history: past) == "ab|\ncdef")
        #expect(edited([.paste("ab\ncdef"), .up, .up], history: past) == "second|")
        #expect(edited([.paste("abcd\nef"), .up, .down]) == "abcd\nef|")
        #expect(edited([.paste("ab\ncd"), .home, .text("x"), .deleteToStart]) == "ab\n|cd")
    }

    @Test func endings() {
        var editor = LineEditor()
        #expect(editor.handle(.endOfInput) == .ended)
        #expect(editor.handle(.interrupt) == .interrupted(wasEmpty: true))
        _ = editor.handle(.text("x"))
        #expect(editor.handle(.interrupt) == .interrupted(wasEmpty: false))
        #expect(marked(editor) == "|")
        _ = editor.handle(.paste("two\nlines\n"))
        #expect(editor.handle(.enter) == .submitted("two\nlines\n"))
        #expect(editor.handle(.clearScreen) == .clearScreen)
        #expect(editor.handle(.suspend) == .suspend)
    }

    @Test func completion() {
        let commands = ["/save", "/set", "/undo"]
        #expect(edited([.text("/u"), .tab], completions: commands) == "/undo |")
        #expect(edited([.text("/s"), .tab], completions: commands) == "/s|")
        #expect(edited([.text("u"), .tab], completions: commands) == "u|")
    }
}

@Suite struct KeyDecoderTests {
    @Test(
        arguments: [
            ("a", [Key.text("a")]), ("é", [.text("é")]), ("漢", [.text("漢")]), ("👩", [.text("👩")]),
            ("\r", [.enter]), ("\u{7F}", [.backspace]),
            (
                "\u{1}\u{5}\u{B}\u{15}\u{17}\u{4}\u{C}\u{3}",
                [.home, .end, .deleteToEnd, .deleteToStart, .deleteWordLeft, .endOfInput, .clearScreen, .interrupt]
            ),
            ("\u{1B}[A\u{1B}[B\u{1B}[C\u{1B}[D", [.up, .down, .right, .left]),
            ("\u{1B}OA\u{1B}OH\u{1B}OF", [.up, .home, .end]),
            ("\u{1B}[H\u{1B}[F\u{1B}[1~\u{1B}[4~\u{1B}[3~", [.home, .end, .home, .end, .delete]),
            ("\u{1B}[1;5C\u{1B}[1;5D\u{1B}[1;3C\u{1B}[1;3D", [.wordRight, .wordLeft, .wordRight, .wordLeft]),
            (
                "\u{1B}b\u{1B}f\u{1B}d\u{1B}\u{7F}\u{1B}\r",
                [.wordLeft, .wordRight, .deleteWordRight, .deleteWordLeft, .newline]
            ),
            ("\u{1B}\u{1B}[C", [.wordRight]), ("\u{1B}[15~x", [.text("x")]),
            ("\u{1B}[200~a\r\nb\u{1B}[31mc\rd\u{1B}[201~e", [.paste("a\nb[31mc\nd"), .text("e")]),
        ] as [(String, [Key])])
    func sequences(_ bytes: String, _ expected: [Key]) {
        var whole = KeyDecoder()
        #expect(whole.push(bytes.utf8) == expected)
        #expect(!whole.isPending)
        // The same keys however the bytes are cut.
        var pieces = KeyDecoder()
        #expect(bytes.utf8.flatMap { pieces.push([$0]) } == expected)
    }

    @Test func loneEscapeAndBrokenBytes() {
        var decoder = KeyDecoder()
        #expect(decoder.push([0x1B]) == [] && decoder.isPending)
        decoder.flush()
        #expect(decoder.push(Array("x".utf8)) == [.text("x")])
        #expect(decoder.push([0xFF, 0x80, 0xC3, 0x28] + Array("y".utf8)).last == .text("y"))
        // No bytes stop the decoder for good.
        var state: UInt64 = 3
        for _ in 0..<20_000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            _ = decoder.push([UInt8(truncatingIfNeeded: state >> 33)])
        }
        decoder.flush()
        _ = decoder.push("\u{1B}[201~".utf8)
        decoder.flush()
        #expect(decoder.push("z".utf8) == [.text("z")])
    }
}
