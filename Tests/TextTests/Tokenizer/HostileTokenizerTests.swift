import Testing

@testable import Text

/// Damaged descriptions end in an error or in a tokenizer that works; never in a trap.
@Suite struct HostileTokenizerTests {
    private func use(_ tokenizer: Tokenizer) {
        let ids = tokenizer.encode("mi ba\u{E9}\n 12 </s>", special: true, addSpecialTokens: true)
        _ = tokenizer.decode(ids + [Int32.max, -1, Int32.min])
        _ = tokenizer.decodeText(ids)
    }

    @Test(arguments: ["sp-bpe-fallback", "sp-unigram-nfkc"])
    func modelsCutShort(_ name: String) throws {
        let bytes = try TokenizerGoldens.bytes(name + ".model")
        var refused = 0
        for count in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 150)) {
            do throws(TokenizerError) {
                use(try Tokenizer(sentencePiece: Array(bytes[..<count]), config: nil))
            } catch {
                refused += 1
            }
        }
        #expect(refused > 50)
    }

    @Test(arguments: ["sp-bpe-fallback.model", "sp-unigram-nfkc.model", "sp-unigram-suffix.model"])
    func modelsWithFlippedBytes(_ name: String) throws {
        let bytes = try TokenizerGoldens.bytes(name)
        var state: UInt64 = 5
        for _ in 0..<150 {
            var damaged = bytes
            for _ in 0..<3 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                damaged[Int(state >> 33) % damaged.count] = UInt8(truncatingIfNeeded: state >> 25)
            }
            if let tokenizer = try? Tokenizer(sentencePiece: damaged, config: nil) { use(tokenizer) }
        }
    }

    @Test(arguments: ["split-o200k.json", "spm-prepend.json", "bert-uncased.json", "unigram.json", "wordlevel.json"])
    func descriptionsWithFlippedBytes(_ name: String) throws {
        let bytes = try TokenizerGoldens.bytes(name)
        var state: UInt64 = 9
        for round in 0..<60 {
            var damaged = bytes
            // The components stand at the front, before the vocabulary.
            let reach = round % 2 == 0 ? min(2600, bytes.count) : bytes.count
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            damaged[Int(state >> 33) % reach] = UInt8(truncatingIfNeeded: state >> 25) & 0x7F
            if let tokenizer = try? Tokenizer(json: damaged, config: nil) { use(tokenizer) }
        }
    }

    @Test(arguments: [
        ("{}", "tokenizer.json"),
        ("[", "tokenizer.json"),
        (#"{"model": {"type": "Nope", "vocab": {}}}"#, "tokenizer.json.model.type"),
        (#"{"model": {"type": "BPE"}}"#, "tokenizer.json.model"),
        (#"{"model": {"type": "BPE", "vocab": {"a": -1}, "merges": []}}"#, "tokenizer.json.model.vocab"),
        (#"{"model": {"type": "BPE", "vocab": {"a": 99999999}, "merges": []}}"#, "tokenizer.json.model.vocab"),
        (#"{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a a"]}}"#, "tokenizer.json.model.merges[0]"),
        (#"{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [["a"]]}}"#, "tokenizer.json.model.merges[0]"),
        (
            #"{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [], "dropout": 0.1}}"#,
            "tokenizer.json.model.dropout"
        ),
        (
            #"{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [], "unk_token": "u"}}"#,
            "tokenizer.json.model.unk_token"
        ),
        (#"{"model": {"type": "Unigram", "vocab": [["a", 1]], "unk_id": 4}}"#, "tokenizer.json.model.unk_id"),
        (#"{"model": {"type": "Unigram", "vocab": [["a"]]}}"#, "tokenizer.json.model.vocab"),
        (#"{"model": {"type": "WordPiece", "vocab": {"a": 0}}}"#, "tokenizer.json.model.unk_token"),
        (
            #"{"normalizer": {"type": "Magic"}, "model": {"type": "WordLevel", "vocab": {"<unk>": 0}}}"#,
            "tokenizer.json.normalizer"
        ),
        (
            #"{"decoder": {"type": "Magic"}, "model": {"type": "WordLevel", "vocab": {"<unk>": 0}}}"#,
            "tokenizer.json.decoder"
        ),
        (
            #"{"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Magic"}]}, "model": {"type": "WordLevel", "vocab": {"<unk>": 0}}}"#,
            "tokenizer.json.pre_tokenizer.pretokenizers[0]"
        ),
        (
            #"{"post_processor": {"type": "TemplateProcessing", "single": []}, "model": {"type": "WordLevel", "vocab": {"<unk>": 0}}}"#,
            "tokenizer.json.post_processor.single"
        ),
        (
            #"{"added_tokens": [{"content": "x"}], "model": {"type": "WordLevel", "vocab": {"<unk>": 0}}}"#,
            "tokenizer.json.added_tokens[0]"
        ),
    ])
    func mistakesAreNamed(_ json: String, _ part: String) {
        do {
            _ = try Tokenizer(json: Array(json.utf8), config: nil)
            Issue.record("\(json) was taken")
        } catch {
            #expect(error.part == part, "\(error)")
        }
    }

    @Test(arguments: ["", "YQ== x", "YQ==", "@@ 1", "YQ== -1", "YQ== 1"])
    func rankFilesThatAreNone(_ text: String) {
        #expect(throws: TokenizerError.self) {
            try Tokenizer(tiktoken: Array(text.utf8), pattern: "a", specialTokens: [])
        }
    }
}
