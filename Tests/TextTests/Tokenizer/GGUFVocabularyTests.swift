import Testing

@testable import Text

@Suite struct GGUFVocabularyTests {
    /// A golden `tokenizer.json` with a byte-level model as a GGUF file would carry it.
    private func vocabulary(of name: String, pre: String?) throws -> GGUFVocabulary {
        let root = try TokenizerGoldens.json(name + ".json")
        var tokens: [[UInt8]] = []
        for member in root["model"]?["vocab"]?.objectValue ?? [] {
            let id = try #require(member.value.intValue)
            while tokens.count <= id { tokens.append([]) }
            tokens[id] = Array(member.key.utf8)
        }
        var types = [Int32](repeating: 1, count: tokens.count)
        for added in root["added_tokens"]?.arrayValue ?? [] where added["normalized"]?.boolValue == false {
            let id = try #require(added["id"]?.intValue)
            while tokens.count <= id {
                tokens.append([])
                types.append(1)
            }
            tokens[id] = Array(added["content"]?.stringValue?.utf8 ?? "".utf8)
            types[id] = added["special"]?.boolValue == true ? 3 : 4
        }
        var vocabulary = GGUFVocabulary(model: "gpt2", tokens: tokens)
        vocabulary.pre = pre
        vocabulary.tokenTypes = types
        vocabulary.merges = root["model"]?["merges"]?.arrayValue?.map { merge in
            Array((merge.stringValue ?? TokenizerGoldens.strings(merge).joined(separator: " ")).utf8)
        }
        vocabulary.bosID = 1
        vocabulary.eosID = 2
        return vocabulary
    }

    @Test(arguments: [
        ("bytelevel-gpt2", "gpt-2"), ("split-llama3", "llama-bpe"), ("split-qwen2", "deepseek-r1-qwen"),
        ("split-o200k", "gpt-4o"), ("split-deepseek3", "deepseek-v3"), ("split-bloom", "bloom"),
        ("split-superbpe", "superbpe"), ("split-possessive", "bailingmoe"), ("split-exaone", "exaone-moe"),
        ("bytelevel-digits", "starcoder"),
    ])
    func idsEqualThoseOfTheModelsOwnTokenizer(_ name: String, _ pre: String) throws {
        let tokenizer = try Tokenizer(gguf: vocabulary(of: name, pre: pre))
        let golden = try TokenizerGoldens.json(name + ".expected.json")
        var compared = 0
        for (text, ids) in zip(TokenizerGoldens.texts, TokenizerGoldens.ids(golden["plain"])) {
            // The golden tokenizers have three added tokens that a GGUF file cannot describe in full.
            guard !text.contains("<"), !text.contains("lun") else { continue }
            #expect(tokenizer.encode(text) == ids, "\(pre): \(text.debugDescription)")
            #expect(tokenizer.decode(ids) == Array(text.utf8), "\(pre): \(text.debugDescription)")
            compared += 1
        }
        #expect(compared > 20)
        #expect(tokenizer.encode("</s>", special: true) == [2] && tokenizer.encode("</s>") != [2])
    }

    /// Law 7: another model's cuts would give wrong ids without a word.
    @Test(arguments: ["from-the-future", "", "GPT-2"]) func anUnknownPreTokenizerIsNamed(_ pre: String) throws {
        let vocabulary = try vocabulary(of: "bytelevel-gpt2", pre: pre)
        let error = #expect(throws: TokenizerError.self) { _ = try Tokenizer(gguf: vocabulary) }
        #expect(error?.part == "tokenizer.ggml.pre")
        #expect(error?.reason.contains("\"\(pre)\"") == true)
    }

    @Test(arguments: ["sp-bpe-fallback", "sp-unigram-fallback"])
    func scoredPieces(_ name: String) throws {
        let file = try SentencePieceFile(TokenizerGoldens.bytes(name + ".model"))
        let isUnigram = name.contains("unigram")
        var vocabulary = GGUFVocabulary(model: isUnigram ? "t5" : "llama", tokens: file.vocabulary.pieces)
        vocabulary.scores = file.vocabulary.scores
        vocabulary.tokenTypes = file.vocabulary.kinds.map(\.rawValue)
        vocabulary.addEOS = false
        vocabulary.addBOS = true
        vocabulary.bosID = 1
        let tokenizer = try Tokenizer(gguf: vocabulary)
        let golden = try TokenizerGoldens.json(name + ".expected.json")
        for (text, ids) in zip(TokenizerGoldens.texts, TokenizerGoldens.ids(golden["ids"])) {
            // User-defined pieces part a GGUF text before spaces are marked, and SentencePiece's after.
            if !isUnigram,
                text.contains("<extra>") || text.contains("re mi") || text.contains("  ")
                    || text.contains("▁") || text.hasPrefix(" ")
            {
                continue
            }
            #expect(tokenizer.encode(text) == ids, "\(text.debugDescription)")
            #expect(tokenizer.encode(text, addSpecialTokens: true) == [1] + ids)
        }
    }

    @Test func bertWords() throws {
        let words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "▁mi", "to", "▁.", "▁naive", "▁你", "ka", "▁"]
        var vocabulary = GGUFVocabulary(model: "bert", tokens: words.map { Array($0.utf8) })
        vocabulary.tokenTypes = [3, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1]
        vocabulary.bosID = 2
        vocabulary.sepID = 3
        let tokenizer = try Tokenizer(gguf: vocabulary)
        #expect(tokenizer.encode("Mitoka mi. Naïve你 zz") == [4, 5, 9, 4, 6, 7, 8, 1])
        #expect(tokenizer.encode("mi", addSpecialTokens: true) == [2, 4, 3])
        #expect(tokenizer.decodeText([2, 4, 5, 6, 3]) == "mito .")
    }

    @Test func plainTextMergesWithByteTokens() throws {
        var tokens = ["<pad>", "<eos>", "<bos>", "<unk>", "▁", "a", "b", "▁a", "ab", "\n", "\n\n"].map {
            Array($0.utf8)
        }
        for byte in 0..<256 {
            tokens.append(Array("<0x\(String(byte + 256, radix: 16, uppercase: true).suffix(2))>".utf8))
        }
        var vocabulary = GGUFVocabulary(model: "gemma4", tokens: tokens)
        vocabulary.merges = ["▁ a", "a b"].map { Array($0.utf8) }
        let tokenizer = try Tokenizer(gguf: vocabulary)
        let ids = tokenizer.encode("ab a\n\nb\u{E9}")
        #expect(ids == [8, 7, 10, 6, 11 + 0xC3, 11 + 0xA9])
        #expect(tokenizer.decodeText(ids) == "ab a\n\nb\u{E9}")
    }

    static let names = [
        "default", "llama-bpe", "llama-v3", "llama3", "gpt-2", "phi-2", "qwen2", "qwen35", "deepseek-llm",
        "deepseek-coder", "deepseek-v3", "deepseek-r1-qwen", "falcon", "falcon3", "falcon-h1", "mpt", "starcoder",
        "refact", "command-r", "olmo", "dbrx", "smollm", "smaug-bpe", "poro-chat", "bloom", "gpt3-finnish", "viking",
        "jais", "jais-2", "jina-v1-en", "jina-v2-code", "jina-v2-es", "jina-v2-de", "stablelm2", "chatglm-bpe", "glm4",
        "tekken", "codeshell", "exaone", "exaone4", "exaone-moe", "chameleon", "minerva-7b", "megrez", "gpt-4o",
        "llama4", "superbpe", "trillion", "granite-docling", "bailingmoe", "seed-coder", "hunyuan", "hunyuan-dense",
        "kimi-k2", "grok-2", "gigachat", "youtu", "afmoe", "minimax-m2", "pixtral", "roberta-bpe", "a.x-4.0", "mellum",
        "joyai-llm", "tiny_aya", "lfm2", "midm-2.0", "modern-bert", "kormo", "solar-open", "laguna", "minicpm5",
    ]

    @Test(arguments: names)
    func everyKnownPreTokenizerKeepsAllText(_ name: String) throws {
        let tokenizer = try Tokenizer(gguf: vocabulary(of: "split-llama3", pre: name))
        for text in TokenizerGoldens.texts {
            // Those that compose text first give composed text back.
            let wanted =
                ["qwen2", "qwen35", "mpt", "olmo", "command-r"].contains(name)
                ? UnicodeNormalization.nfc.apply(Array(text.utf8)) : Array(text.utf8)
            #expect(
                tokenizer.decode(tokenizer.encode(text), skipSpecial: false) == wanted,
                "\(name): \(text.debugDescription)")
        }
    }

    @Test func whatDoesNotAgreeIsRefused() throws {
        let good = try vocabulary(of: "bytelevel-gpt2", pre: "gpt-2")
        func refused(_ part: String, _ change: (inout GGUFVocabulary) -> Void) {
            var bad = good
            change(&bad)
            do {
                _ = try Tokenizer(gguf: bad)
                Issue.record("\(part) was taken")
            } catch {
                #expect(error.part == "tokenizer.ggml." + part, "\(error)")
            }
        }
        refused("pre") { $0.pre = "gpt-9" }
        refused("model") { $0.model = "rwkv" }
        refused("token_type") { $0.tokenTypes?.removeLast() }
        refused("token_type[3]") { $0.tokenTypes?[3] = 9 }
        refused("scores") { $0.scores = [1] }
        refused("scores") { $0.model = "llama" }
        refused("scores[0]") { $0.scores = [Float](repeating: .nan, count: $0.tokens.count) }
        refused("bos_token_id") { $0.bosID = Int32($0.tokens.count) }
        refused("eos_token_id") { $0.eosID = -1 }
        refused("merges") { $0.merges = nil }
        refused("merges[0]") { $0.merges?[0] = Array("ab".utf8) }
        refused("merges[1]") { $0.merges?[1] = Array("nothing-known here".utf8) }
        refused("tokens") {
            $0.tokens = []
            $0.tokenTypes = nil
        }
        refused("precompiled_charsmap") {
            $0.model = "t5"
            $0.scores = [Float](repeating: 0, count: $0.tokens.count)
            $0.precompiledCharsmap = [9, 0, 0, 0, 1]
        }
        do {
            var bad = good
            bad.pre = "gpt-9"
            _ = try Tokenizer(gguf: bad)
        } catch {
            #expect(error.reason.contains("gpt-9"))
        }
    }
}
