import Testing

@testable import Text

@Suite struct TokenizerPartsTests {
    @Test func normalizationForms() throws {
        let forms = try TokenizerGoldens.json("forms.json")
        for (name, form) in [("nfc", UnicodeNormalization.nfc), ("nfd", .nfd), ("nfkc", .nfkc), ("nfkd", .nfkd)] {
            let expected = TokenizerGoldens.strings(forms[name])
            #expect(expected.count == TokenizerGoldens.texts.count)
            for (text, wanted) in zip(TokenizerGoldens.texts, expected) {
                #expect(form.apply(Array(text.utf8)) == Array(wanted.utf8), "\(name) \(text.debugDescription)")
            }
        }
    }

    @Test func normalizationKeepsIllBytes() {
        #expect(UnicodeNormalization.nfc.apply([0x65, 0xFF, 0xCC, 0x81]) == [0x65, 0xFF, 0xCC, 0x81])
        #expect(UnicodeNormalization.nfc.apply([0xFF, 0x65, 0xCC, 0x81]) == [0xFF, 0xC3, 0xA9])
    }

    @Test func illFormedUTF8IsReadByteByByte() {
        let cases: [([UInt8], [Int])] = [
            ([0xC0, 0x80], [1, 1]), ([0xE2, 0x96], [1, 1]), ([0xED, 0xA0, 0x80], [1, 1, 1]),
            ([0xF4, 0x90, 0x80, 0x80], [1, 1, 1, 1]), ([0xE2, 0x96, 0x81], [3]), ([0xF0, 0x9F, 0x98, 0x80], [4]),
            ([0x80, 0x41], [1, 1]), ([0xEF, 0xBF, 0xBD], [3]),
        ]
        for (bytes, lengths) in cases {
            var found: [Int] = []
            bytes.withUnsafeBufferPointer { UTF8Scalars.forEach($0) { _, start, end, _ in found.append(end - start) } }
            #expect(found == lengths)
            bytes.withUnsafeBufferPointer { buffer in
                var position = bytes.count
                var backwards: [Int] = []
                while position > 0 {
                    let start = UTF8Scalars.previous(buffer.baseAddress!, position, 0)
                    backwards.append(position - start)
                    position = start
                }
                #expect(backwards.reversed() == lengths)
            }
        }
    }

    @Test func base64() {
        #expect(Base64.decode("aGVsbG8=".utf8) == Array("hello".utf8))
        #expect(Base64.decode("aGVsbG8".utf8) == Array("hello".utf8))
        #expect(Base64.decode("".utf8) == [])
        #expect(Base64.decode("a".utf8) == nil && Base64.decode("aGVs bG8=".utf8) == nil)
    }

    /// Merging by heap and merging by search give the same, whatever the table.
    @Test func longAndShortMergersAgree() {
        var state: UInt64 = 3
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        for _ in 0..<120 {
            var table = MergeTable(capacity: 64)
            var size: Int32 = 3
            for rank in 0..<UInt32(3 + next(30)) {
                // Ranks repeat at times, as scores may.
                table.insert(
                    Int32(next(Int(size))), Int32(next(Int(size))), rank: rank / UInt32(1 + next(3)), id: size,
                    keepingFirst: true)
                size += 1
            }
            let symbols = (0..<60 + next(120)).map { _ in Int32(next(3)) }
            var merged = symbols
            var merger = BytePairMerger()
            merger.merge(&merged, table)
            // The definition, step by step.
            var plain = symbols
            while true {
                var best: (rank: UInt64, place: Int)?
                for place in plain.indices.dropLast() {
                    let value = table.value(plain[place], plain[place + 1])
                    if value != MergeTable.none, value >> 32 < best?.rank ?? .max { best = (value >> 32, place) }
                }
                guard let best else { break }
                plain[best.place] = Int32(truncatingIfNeeded: table.value(plain[best.place], plain[best.place + 1]))
                plain.remove(at: best.place + 1)
            }
            #expect(merged == plain)
        }
    }

    @Test func streamingHoldsBackHalfCharacters() throws {
        let tokenizer = try TokenizerGoldens.tokenizer("bytelevel-gpt2")
        func ids(_ bytes: [UInt8]) throws -> [Int32] {
            try bytes.map { try #require(tokenizer.id(of: UTF8Scalars.bytes(ByteAlphabet.scalars[Int($0)]))) }
        }
        let two = try ids([0xF0, 0x9F, 0xA7, 0x91, 0xE2, 0x82, 0xAC])
        var detokenizer = StreamingDetokenizer(tokenizer)
        #expect(two.map { detokenizer.push($0) } == ["", "", "", "\u{1F9D1}", "", "", "\u{20AC}"])
        #expect(detokenizer.finish() == "")
        #expect(try ids([0xE2, 0x82]).map { detokenizer.push($0) } == ["", ""])
        #expect(detokenizer.finish() == "\u{FFFD}")
        // A byte that can begin nothing comes out at once, and so does what a new beginning breaks off.
        #expect(try ids([0xFF]).map { detokenizer.push($0) } == ["\u{FFFD}"])
        #expect(try ids([0xE2, 0x41]).map { detokenizer.push($0) } == ["", "\u{FFFD}A"])
        #expect(try ids([0xED, 0xA0]).map { detokenizer.push($0) } == ["", "\u{FFFD}\u{FFFD}"])
    }
}
