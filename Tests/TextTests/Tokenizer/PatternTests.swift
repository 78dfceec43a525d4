import Testing

@testable import Text

@Suite struct PatternTests {
    private func pieces(_ splitter: Splitter, _ text: [UInt8]) -> [[UInt8]] {
        var ranges: [Range<Int>] = []
        text.withUnsafeBufferPointer { splitter.split($0, offset: 0, into: &ranges) }
        return ranges.map { Array(text[$0]) }
    }

    @Test func behaviorsAreThoseOfTheReference() throws {
        let names: [String: SplitBehavior] = [
            "removed": .removed, "isolated": .isolated, "merged_with_previous": .mergedWithPrevious,
            "merged_with_next": .mergedWithNext, "contiguous": .contiguous,
        ]
        var compared = 0
        for item in try TokenizerGoldens.json("behaviors.json").arrayValue ?? [] {
            let behavior = try #require(names[item["behavior"]?.stringValue ?? ""])
            let pattern = try #require(item["pattern"]?.stringValue)
            let splitter = try Splitter(
                pattern: pattern, behavior, isInverted: item["invert"]?.boolValue ?? false, part: "test")
            for row in item["rows"]?.arrayValue ?? [] {
                let text = try #require(row.arrayValue?[0].stringValue)
                let expected = TokenizerGoldens.strings(row.arrayValue?[1]).map { Array($0.utf8) }
                #expect(
                    pieces(splitter, Array(text.utf8)) == expected, "\(behavior) \(pattern) \(text.debugDescription)")
                compared += 1
            }
        }
        #expect(compared > 300)
    }

    @Test(arguments: FamilySplitter.known.map(\.pattern))
    func familiesEqualTheGeneralMatcher(_ pattern: String) throws {
        let family = Splitter(.family(try #require(FamilySplitter(pattern: pattern))), .isolated)
        let general = Splitter(.program(try PatternProgram(pattern, part: "test")), .isolated)
        for text in TokenizerGoldens.texts {
            #expect(pieces(family, Array(text.utf8)) == pieces(general, Array(text.utf8)), "\(text.debugDescription)")
        }
        let scalars: [UInt32] = [
            0x20, 0x20, 0x0A, 0x0D, 0x09, 0x27, 0x27, 0x73, 0x54, 0x6C, 0x4C, 0x72, 0x65, 0x45, 0x76, 0x6D, 0x64, 0x17F,
            0x31, 0x39, 0x661, 0xB2, 0x2E, 0x21, 0x2D, 0xE9, 0x301, 0x4E2D, 0x1F600, 0x3000, 0x85, 0x2028, 0xA0, 0x200B,
            0xC5,
        ]
        var state: UInt64 = 11
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        for _ in 0..<800 {
            var text: [UInt8] = []
            for _ in 0..<next(24) {
                if next(12) == 0 {
                    text.append(UInt8(next(256)))
                } else {
                    UTF8Scalars.append(scalars[next(scalars.count)], to: &text)
                }
            }
            #expect(pieces(family, text) == pieces(general, text), "\(text)")
        }
    }

    @Test(arguments: [
        "(", ")", "[a", "a**?(", "(?<name>x)", "\\1", "\\k", "\\p{Klingon}", "(?:a?)*", "x{5,2}", "(?<=a+)b", "*a",
        "[z-a]",
        "(?P<n>a)", "a{1001}", "\\x{zz}", "[[:nope:]]", "\\",
    ])
    func refusesWhatItCannotRead(_ pattern: String) {
        #expect(throws: TokenizerError.self) { try PatternProgram(pattern, part: "test") }
    }

    @Test func refusesWithTheNameOfThePart() {
        do {
            _ = try PatternProgram("(?R)", part: "pre_tokenizer.pattern")
            Issue.record("a recursive pattern was read")
        } catch {
            #expect(error.part == "pre_tokenizer.pattern" && error.reason.contains("(?R)"))
        }
    }

    @Test func deepNestingIsRefused() {
        let pattern = String(repeating: "(", count: 5000) + String(repeating: ")", count: 5000)
        #expect(throws: TokenizerError.self) { try PatternProgram(pattern, part: "test") }
    }

    @Test func matchesByHand() throws {
        func all(_ pattern: String, _ text: String) throws -> [String] {
            let splitter = Splitter(.program(try PatternProgram(pattern, part: "test")), .removed, isInverted: true)
            return pieces(splitter, Array(text.utf8)).map { String(decoding: $0, as: UTF8.self) }
        }
        #expect(try all("a{2,3}", "aaaaaaa") == ["aaa", "aaa"])
        #expect(try all("a{2,3}?", "aaaaaaa") == ["aa", "aa", "aa"])
        #expect(try all("(?>a+)ab|b", "aaab") == ["b"])
        #expect(try all("a++ab|b", "aaab") == ["b"])
        #expect(try all("(?i:straSSe)", "STRASSE ſtraſse") == ["STRASSE", "ſtraſse"])
        #expect(try all(#"(?<!\d)\d{2}(?!\d)"#, "1 12 123 45") == ["12", "45"])
        #expect(try all(#"[\w&&[^\d_]]+"#, "ab12_c") == ["ab", "c"])
        #expect(try all(#"\d{1,3}(?=(?:\d{3})*\b)"#, "1234567 12") == ["1", "234", "567", "12"])
        #expect(try all("^b|c$", "b\nb c\nc") == ["b", "b", "c", "c"])
        #expect(try all(#"[^\S\n]+"#, "a \t\n b") == [" \t", " "])
        #expect(try all(#"\p{Han}+"#, "a漢字b〇") == ["漢字", "〇"])
    }

    @Test func longTextsMatchInLinearTime() throws {
        // A quadratic matcher would not end within the patience of any test run.
        let digits = [UInt8](repeating: UInt8(ascii: "7"), count: 150_000)
        let grouped = Splitter(
            .program(try PatternProgram(#"\d{1,3}(?=(?:\d{3})*\b)"#, part: "test")), .isolated)
        #expect(pieces(grouped, digits).count == 50_000)
        let spaces = [UInt8](repeating: 0x20, count: 150_000) + [0x78]
        let words = Splitter(
            .program(try PatternProgram(#"\p{L}+|\s*[\r\n]+|\s+(?!\S)|\s+"#, part: "test")), .isolated)
        #expect(pieces(words, spaces).count == 3)
    }
}
