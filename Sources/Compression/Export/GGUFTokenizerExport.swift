internal import Apus
internal import Checkpoints
internal import Text

/// A folder's tokenizer as a GGUF file carries it: found to be the same by trying, not by its name.
struct GGUFTokenizerExport {
    private let files: ModelFiles
    private let original: Tokenizer
    private let rows: Int

    /// - Parameter rows: rows of the embedding; ids that no token has are filled up.
    init(_ files: ModelFiles, rows: Int) throws {
        self.files = files
        self.rows = rows
        original = try files.tokenizer()
    }

    /// The keys of `tokenizer.ggml` and the chat template.
    ///
    /// - Throws: ``CompressionError`` where no vocabulary of the format gives this tokenizer's ids.
    func metadata() throws -> [(key: String, value: GGUFValue)] {
        let vocabulary = try agreeing(candidates())
        var result: [(key: String, value: GGUFValue)] = []
        func put(_ key: String, _ value: GGUFValue) { result.append((key: key, value: value)) }
        put("tokenizer.ggml.model", .string(vocabulary.model))
        if let pre = vocabulary.pre { put("tokenizer.ggml.pre", .string(pre)) }
        put("tokenizer.ggml.tokens", .array(of: .string, vocabulary.tokens.map { .string($0) }))
        if let scores = vocabulary.scores {
            put("tokenizer.ggml.scores", .array(of: .float32, scores.map { .float32($0) }))
        }
        if let types = vocabulary.tokenTypes {
            put("tokenizer.ggml.token_type", .array(of: .int32, types.map { .int32($0) }))
        }
        if let merges = vocabulary.merges {
            put("tokenizer.ggml.merges", .array(of: .string, merges.map { .string($0) }))
        }
        func id(_ name: String, _ id: Int32?) {
            if let id { put("tokenizer.ggml.\(name)_token_id", .uint32(UInt32(id))) }
        }
        id("bos", vocabulary.bosID)
        id("eos", vocabulary.eosID)
        id("unknown", vocabulary.unkID)
        id("padding", vocabulary.padID)
        put("tokenizer.ggml.add_bos_token", .bool(vocabulary.addBOS ?? false))
        put("tokenizer.ggml.add_eos_token", .bool(vocabulary.addEOS ?? false))
        if let prefix = vocabulary.addSpacePrefix {
            put("tokenizer.ggml.add_space_prefix", .bool(prefix))
        }
        if let template = try files.template(original) {
            put("tokenizer.chat_template", .string(template))
        }
        return result
    }

    private func candidates() throws -> [GGUFVocabulary] {
        if let json = try files.checkpoint.folderFile(named: "tokenizer.json") {
            let whole = try JSONValue(parsing: json)
            if whole["model"]?["type"]?.stringValue == "BPE", let vocabulary = byteLevel(whole) {
                // The names of pre-tokenizers in the format, the most used first; each stands for a way to cut text.
                return Self.preTokenizers.map { name in
                    var candidate = vocabulary
                    candidate.pre = name
                    return candidate
                }
            }
        }
        if let bytes = try files.checkpoint.folderFile(named: "tokenizer.model") {
            var vocabulary = try GGUFVocabulary(sentencePiece: bytes)
            fill(&vocabulary, score: -1000)
            setAdded(&vocabulary)
            return [vocabulary]
        }
        return []
    }

    private static let preTokenizers = [
        "llama-bpe", "gpt-2", "smollm", "qwen2", "starcoder", "tekken", "gpt-4o", "deepseek-llm", "deepseek-coder",
        "deepseek-v3", "falcon", "command-r", "olmo", "stablelm2", "dbrx", "qwen35", "bloom", "viking", "default",
    ]

    /// The parts of a byte-level tokenizer.json; nil where it has others.
    private func byteLevel(_ whole: JSONValue) -> GGUFVocabulary? {
        guard let model = whole["model"], let entries = model["vocab"]?.objectValue, let merges = model["merges"]?.arrayValue,
            model["byte_fallback"]?.boolValue != true
        else { return nil }
        var tokens = [[UInt8]?](repeating: nil, count: rows)
        var types = [Int32](repeating: 1, count: rows)
        for entry in entries {
            guard let id = entry.value.intValue, id >= 0, id < rows else { return nil }
            tokens[id] = Array(entry.key.utf8)
        }
        for added in whole["added_tokens"]?.arrayValue ?? [] {
            guard let id = added["id"]?.intValue, let text = added["content"]?.stringValue, id >= 0, id < rows else {
                return nil
            }
            tokens[id] = Array(text.utf8)
            types[id] = added["special"]?.boolValue == true ? 3 : 4
        }
        var vocabulary = GGUFVocabulary(
            model: "gpt2",
            tokens: tokens.enumerated().map { id, token in
                if token == nil { types[id] = 5 }
                return token ?? Array("[PAD\(id)]".utf8)
            })
        vocabulary.tokenTypes = types
        vocabulary.merges = merges.map { merge in
            if let text = merge.stringValue { return Array(text.utf8) }
            let parts = (merge.arrayValue ?? []).compactMap(\.stringValue)
            return Array(parts.joined(separator: " ").utf8)
        }
        vocabulary.bosID = original.bosID
        vocabulary.eosID = original.eosID
        vocabulary.unkID = original.unkID
        vocabulary.padID = original.padID
        setAdded(&vocabulary)
        return vocabulary
    }

    /// What the tokenizer puts around a text.
    private func setAdded(_ vocabulary: inout GGUFVocabulary) {
        let around = original.encode("", special: false, addSpecialTokens: true)
        vocabulary.addBOS = around.first != nil && around.first == original.bosID
        vocabulary.addEOS = around.last != nil && around.last == original.eosID
            && around.count == (vocabulary.addBOS! ? 2 : 1)
    }

    private func fill(_ vocabulary: inout GGUFVocabulary, score: Float) {
        while vocabulary.tokens.count < rows {
            vocabulary.tokens.append(Array("[PAD\(vocabulary.tokens.count)]".utf8))
            vocabulary.scores?.append(score)
            vocabulary.tokenTypes?.append(5)
        }
    }

    /// The first candidate that gives the folder's ids for texts made to tell pre-tokenizers apart.
    private func agreeing(_ candidates: [GGUFVocabulary]) throws -> GGUFVocabulary {
        for candidate in candidates {
            guard let tokenizer = try? Tokenizer(gguf: candidate) else { continue }
            let agrees = Self.probes.allSatisfy { text in
                tokenizer.encode(text, special: false, addSpecialTokens: true)
                    == original.encode(text, special: false, addSpecialTokens: true)
                    && tokenizer.encode(text, special: true) == original.encode(text, special: true)
            }
            if agrees { return candidate }
        }
        throw CompressionError(
            "\(files.checkpoint.path): no tokenizer that GGUF files can describe gives the ids of this one; write a folder "
                + "instead of a .gguf file")
    }

    private static let probes = [
        "Once upon a time, there was 1 girl and 23 boys.", "It's 3.14159 + 2,000 = ?\n\n  two  spaces\ttab\r\nend",
        "don't WE'LL they'RE\n\n\n I'm  ", "\u{201C}Na\u{EF}ve caf\u{E9}\u{201D} \u{2014} e\u{301}te\u{301} \u{1F600}\u{1F468}\u{200D}\u{1F469}",
        "日本語のテキスト 한국어 العربية עברית ไทย हिन्दी", "x² + ½ = ٠١٢ ⅷ", " lead and trail \n", "1234567890 12 345 6",
        "def f(x):\n\treturn x**2  # comment\n", "CamelCaseWord HTTPServer snake_case $100% @me #tag", "\n", " ", "a",
        "ab\u{0}cd", "   deep\n    indent\n\n\tmore", "hello\u{A0}world\u{3000}wide", "!!!???...---===",
    ]
}
