import Conversation
import Testing

@Suite struct CommandTests {
    @Test(
        arguments: [
            ("/help", ChatCommand.help), ("/?", .help), ("/system", .system(nil)),
            ("/system  Be brief. ", .system("Be brief.")),
            ("/system \"\"", .system("")), ("/save a b.json", .save(path: "a b.json", replaces: false)),
            ("/save! x", .save(path: "x", replaces: true)),
            ("/load x", .load(path: "x")), ("/set", .set(name: nil, value: nil)),
            ("/set top-k", .set(name: "top-k", value: nil)),
            ("/set top-k 40", .set(name: "top-k", value: "40")), ("/set top-k=40", .set(name: "top-k", value: "40")),
            ("/set top-k = 40", .set(name: "top-k", value: "40")),
            ("/set samplers top_k, min_p", .set(name: "samplers", value: "top_k, min_p")), ("/quit", .quit),
            ("/exit", .quit),
        ] as [(String, ChatCommand)])
    func parses(_ line: String, _ expected: ChatCommand) throws { #expect(try ChatCommand(parsing: line) == expected) }

    @Test(arguments: [
        ("/sve x", "There is no command /sve; did you mean /save or /save! or /set?"),
        ("/regen", "There is no command /regen; did you mean /regenerate?"),
        ("/xyzzyx", "There is no command /xyzzyx; /help lists the commands."),
        ("/save", "/save needs a file: /save FILE."), ("/load ", "/load needs a file: /load FILE."),
        ("/undo 2", "/undo takes no argument, but '2' follows it."),
    ])
    func refuses(_ line: String, _ sentence: String) {
        #expect(throws: ChatError(sentence)) { try ChatCommand(parsing: line) }
    }

    /// Every command of the list can be written as listed.
    @Test func catalogIsTrue() throws {
        for entry in ChatCommand.catalog {
            _ = try ChatCommand(parsing: "/\(entry.name)" + (entry.argument == "FILE" ? " x" : ""))
            #expect(ChatCommand.overview.contains("/\(entry.name)"))
        }
        #expect(ChatCommand.overview.split(separator: "\n").allSatisfy { $0.count < 80 })
    }
}

@Suite struct InputAssemblerTests {
    /// What lines become, and whether something is left open.
    private func entries(_ lines: [String]) -> ([InputAssembler.Entry], pending: Bool) {
        var assembler = InputAssembler()
        return (lines.map { assembler.push($0) }.filter { $0 != .more }, assembler.isPending)
    }

    @Test(
        arguments: [
            (["hello"], [InputAssembler.Entry.message("hello")]), (["", "  "], [.empty, .empty]),
            (["/undo", " /help"], [.command("/undo"), .command("/help")]), (["//etc"], [.message("/etc")]),
            (["one\\", "two\\", "three"], [.message("one\ntwo\nthree")]), (["a\\\\"], [.message("a\\\\")]),
            (["a\\", "/undo"], [.message("a\n/undo")]),
            (["\"\"\"", "one", "", "  /two\\", "\"\"\"", "next"], [.message("one\n\n  /two\\"), .message("next")]),
            (["\"\"\"one", "two\"\"\" "], [.message("one\ntwo")]), (["\"\"\"in one\"\"\""], [.message("in one")]),
            (["\"\"\"", "\"\"\""], [.empty]), (["pasted\nlines\n"], [.message("pasted\nlines")]),
            (["\"\"\"\npasted\nblock\n\"\"\""], [.message("pasted\nblock")]),
        ] as [([String], [InputAssembler.Entry])])
    func assembles(_ lines: [String], _ expected: [InputAssembler.Entry]) {
        let (found, pending) = entries(lines)
        #expect(found == expected && !pending)
    }

    @Test func endOfInput() throws {
        var assembler = InputAssembler()
        #expect(try assembler.finish() == .empty)
        #expect(assembler.push("half\\") == .more)
        #expect(try assembler.finish() == .message("half"))
        #expect(assembler.push("\"\"\"open") == .more && assembler.isInBlock)
        #expect(throws: ChatError.self) { try assembler.finish() }
        #expect(!assembler.isPending)
        _ = assembler.push("dropped\\")
        assembler.reset()
        #expect(assembler.push("new") == .message("new"))
    }
}

@Suite struct EntryHistoryTests {
    @Test func roundTrip() {
        var history = EntryHistory()
        let entries = ["plain", "two\nlines", "back\\slash \\n", "漢字 😀"]
        for entry in entries {
            let added = history.add(entry)
            #expect(added)
        }
        for refused in ["漢字 😀", "  ", String(repeating: "x", count: EntryHistory.entryBytes + 1)] {
            let added = history.add(refused)
            #expect(!added)
        }
        #expect(history.entries == entries)
        #expect(EntryHistory(parsing: history.bytes) == history)
        #expect(EntryHistory(parsing: [0xFF, 0x0A] + Array("ok".utf8)).entries == ["ok"])
    }

    @Test func bounded() {
        var history = EntryHistory()
        for index in 0..<(EntryHistory.limit + 5) { _ = history.add("\(index)") }
        #expect(history.entries.count == EntryHistory.limit && history.entries.first == "5")
        let bytes = (0..<3000).flatMap { EntryHistory.line("\($0)") }
        #expect(EntryHistory(parsing: bytes).entries.first == "2000")
    }
}
