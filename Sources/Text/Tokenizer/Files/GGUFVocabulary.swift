/// The vocabulary of a GGUF file, as its `tokenizer.ggml.*` metadata carries it. Members that the file lacks are nil.
public struct GGUFVocabulary: Sendable {
    /// `tokenizer.ggml.model`: `llama`, `gpt2`, `bert`, `t5` or `gemma4`.
    public var model: String
    /// `tokenizer.ggml.pre`: how byte-level models cut text.
    public var pre: String?
    /// `tokenizer.ggml.tokens`: the token of each id, in bytes.
    public var tokens: [[UInt8]]
    /// `tokenizer.ggml.scores`: one for each token.
    public var scores: [Float]?
    /// `tokenizer.ggml.token_type`: one for each token: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused,
    /// 6 byte.
    public var tokenTypes: [Int32]?
    /// `tokenizer.ggml.merges`: two tokens with a space between, best first.
    public var merges: [[UInt8]]?
    /// `tokenizer.ggml.bos_token_id` and its kin: ids into `tokens`.
    public var bosID: Int32?
    public var eosID: Int32?
    public var unkID: Int32?
    public var sepID: Int32?
    public var padID: Int32?
    public var eotID: Int32?
    public var eomID: Int32?
    /// `tokenizer.ggml.add_bos_token`, `add_eos_token` and `add_sep_token`.
    public var addBOS: Bool?
    public var addEOS: Bool?
    public var addSEP: Bool?
    /// `tokenizer.ggml.add_space_prefix` and `remove_extra_whitespaces`.
    public var addSpacePrefix: Bool?
    public var removeExtraWhitespaces: Bool?
    /// `tokenizer.ggml.precompiled_charsmap`: the compiled character map of a SentencePiece model.
    public var precompiledCharsmap: [UInt8]?
    /// `tokenizer.ggml.normalizer.lowercase` and `strip_accents`: how `bert` models normalize; true where missing.
    public var lowercases: Bool?
    public var stripsAccents: Bool?

    public init(model: String, tokens: [[UInt8]]) {
        self.model = model
        self.tokens = tokens
    }
}

extension Tokenizer {
    /// A tokenizer described by the vocabulary of a GGUF file.
    ///
    /// - Throws: ``TokenizerError`` where counts or ids do not agree, or the model or pre-tokenizer is not known. A
    ///   pre-tokenizer that is not known is never taken for another.
    public convenience init(gguf vocabulary: GGUFVocabulary) throws(TokenizerError) {
        self.init(try GGUFTokenizer(vocabulary).pipeline())
    }
}

/// Makes a pipeline of a GGUF vocabulary.
struct GGUFTokenizer {
    private let vocabulary: GGUFVocabulary
    private let kinds: [ScoredVocabulary.Kind]

    private static let prefix = "tokenizer.ggml."

    init(_ vocabulary: GGUFVocabulary) throws(TokenizerError) {
        self.vocabulary = vocabulary
        let count = vocabulary.tokens.count
        func fail(_ key: String, _ reason: String) -> TokenizerError {
            TokenizerError(part: Self.prefix + key, reason: reason)
        }
        guard count > 0, count < JSONFields.idLimit else {
            throw fail("tokens", "\(count) tokens; there must be from 1 to \(JSONFields.idLimit - 1)")
        }
        for (key, found) in [("scores", vocabulary.scores?.count), ("token_type", vocabulary.tokenTypes?.count)] {
            if let found, found != count {
                throw fail(key, "\(found) entries for \(count) tokens; the file is damaged")
            }
        }
        let ids: [(String, Int32?)] = [
            ("bos_token_id", vocabulary.bosID), ("eos_token_id", vocabulary.eosID),
            ("unknown_token_id", vocabulary.unkID), ("seperator_token_id", vocabulary.sepID),
            ("padding_token_id", vocabulary.padID), ("eot_token_id", vocabulary.eotID),
            ("eom_token_id", vocabulary.eomID),
        ]
        for (key, id) in ids {
            if let id, id < 0 || Int(id) >= count { throw fail(key, "the id \(id) is not below the \(count) tokens") }
        }
        if let bad = vocabulary.scores?.firstIndex(where: { $0.isNaN }) {
            throw fail("scores[\(bad)]", "this score is not a number; the file is damaged")
        }
        var kinds: [ScoredVocabulary.Kind] = []
        kinds.reserveCapacity(count)
        for (index, type) in (vocabulary.tokenTypes ?? []).enumerated() {
            // 0 is a type that was left undefined, which is read as normal.
            guard let kind = ScoredVocabulary.Kind(rawValue: type == 0 ? 1 : type) else {
                throw fail("token_type[\(index)]", "the type \(type) is not known; types go from 1 to 6")
            }
            kinds.append(kind)
        }
        self.kinds = kinds.isEmpty ? [ScoredVocabulary.Kind](repeating: .normal, count: count) : kinds
    }

    func pipeline() throws(TokenizerError) -> TokenizerPipeline {
        var pipeline: TokenizerPipeline
        var addsBOS = false
        var addsEOS = false
        switch vocabulary.model {
        case "llama":
            pipeline = try scored(.bytePair)
            addsBOS = true
        case "t5":
            pipeline = try scored(.unigram)
            addsEOS = true
        case "gpt2", "gemma4":
            (pipeline, addsBOS) = try byteLevel()
        case "bert":
            pipeline = try wordPiece()
            addsBOS = true
        default:
            throw TokenizerError(
                part: Self.prefix + "model",
                reason: "the model \"\(vocabulary.model)\" is not known; known are llama, gpt2, gemma4, bert and t5")
        }
        pipeline.roles.bos = vocabulary.bosID ?? pipeline.roles.bos
        pipeline.roles.eos = vocabulary.eosID ?? pipeline.roles.eos
        pipeline.roles.unknown = vocabulary.unkID ?? pipeline.roles.unknown
        pipeline.roles.padding = vocabulary.padID
        if vocabulary.addBOS ?? addsBOS {
            guard let id = pipeline.roles.bos else { throw missing("bos_token_id", "add_bos_token") }
            pipeline.prefixIDs = [id]
        }
        if vocabulary.model == "bert" {
            guard let id = vocabulary.sepID ?? id("[SEP]") ?? vocabulary.eosID else {
                throw missing("seperator_token_id", "model bert")
            }
            if vocabulary.addSEP ?? true { pipeline.suffixIDs = [id] }
        } else if vocabulary.addEOS ?? addsEOS {
            guard let id = pipeline.roles.eos else { throw missing("eos_token_id", "add_eos_token") }
            pipeline.suffixIDs = [id]
        }
        pipeline.findStops([vocabulary.eotID, vocabulary.eomID].compactMap { $0 })
        return pipeline
    }

    private func missing(_ key: String, _ cause: String) -> TokenizerError {
        TokenizerError(part: Self.prefix + key, reason: "it is missing, and \(cause) asks for it")
    }

    private func id(_ token: String) -> Int32? {
        vocabulary.tokens.firstIndex { $0.elementsEqual(token.utf8) }.map { Int32($0) }
    }

    // MARK: Kinds of models

    private func scored(_ algorithm: ScoredVocabulary.Algorithm) throws(TokenizerError) -> TokenizerPipeline {
        guard let scores = vocabulary.scores else { throw missing("scores", "model \(vocabulary.model)") }
        let charsmap = vocabulary.precompiledCharsmap ?? []
        let hasBytes = kinds.contains(.byte)
        let scoredVocabulary = ScoredVocabulary(
            pieces: vocabulary.tokens, scores: scores, kinds: kinds, algorithm: algorithm, hasByteFallback: hasBytes,
            normalizer: SentencePieceNormalizer(
                characterMap: charsmap.isEmpty
                    ? nil : try CharacterMap(charsmap, part: Self.prefix + "precompiled_charsmap"),
                addsDummyPrefix: vocabulary.addSpacePrefix ?? true,
                removesExtraSpaces: vocabulary.removeExtraWhitespaces ?? false, escapesSpaces: true,
                keepsIllBytes: hasBytes),
            partsAtUserDefined: true, path: "tokenizer.ggml")
        var pipeline = try scoredVocabulary.pipeline()
        if algorithm == .bytePair {
            pipeline.roles.bos = id("<s>")
            pipeline.roles.eos = id("</s>")
        }
        return pipeline
    }

    private func tokenTable() -> TokenTable {
        var tokens = TokenTable(capacity: vocabulary.tokens.count)
        for (index, token) in vocabulary.tokens.enumerated() { tokens.insert(token, id: Int32(index)) }
        return tokens
    }

    private func addTokens(to pipeline: inout TokenizerPipeline) {
        for (index, kind) in kinds.enumerated() {
            let id = Int32(index)
            let isSpecial = kind == .control || kind == .unknown
            guard isSpecial || kind == .userDefined, !vocabulary.tokens[index].isEmpty else { continue }
            if isSpecial { pipeline.specialIDs.insert(id) }
            pipeline.addedTokens.append(
                AddedToken(content: vocabulary.tokens[index], id: id, isSpecial: isSpecial))
        }
    }

    private func wordPiece() throws(TokenizerError) -> TokenizerPipeline {
        let tokens = tokenTable()
        guard let unknown = vocabulary.unkID ?? id("[UNK]") else { throw missing("unknown_token_id", "model bert") }
        let model = WordPieceModel(
            tokens: tokens, continuingPrefix: [], wordPrefix: BytePairModel.space, unknownID: unknown)
        var pipeline = TokenizerPipeline(tokens: tokens, model: .wordPiece(model))
        pipeline.normalizer = .bert(
            cleansText: true, spacesChinese: true, stripsAccents: vocabulary.stripsAccents ?? true,
            lowercases: vocabulary.lowercases ?? true)
        pipeline.preTokenizers = [
            .split(Splitter(.scalars(PreTokenizer.whiteSpace), .removed)),
            .split(Splitter(.scalars(PreTokenizer.bertPunctuation), .isolated)),
        ]
        pipeline.decoders = [.wordStarts]
        pipeline.roles.unknown = unknown
        pipeline.roles.bos = id("[CLS]")
        addTokens(to: &pipeline)
        return pipeline
    }

    private func byteLevel() throws(TokenizerError) -> (TokenizerPipeline, addsBOS: Bool) {
        let name = vocabulary.model == "gemma4" ? "gemma4" : vocabulary.pre ?? "default"
        let pre = try GGUFPreTokenizer.named(name)
        guard let merges = vocabulary.merges else { throw missing("merges", "model \(vocabulary.model)") }
        let tokens = tokenTable()
        let symbols: BytePairModel.Symbols
        if pre.readsBytes {
            symbols = .bytes(ByteAlphabet.scalars.map { tokens.id(of: UTF8Scalars.bytes($0)) ?? -1 })
        } else {
            symbols = .scalars(continuingPrefix: [], wordSuffix: [])
        }
        var model = BytePairModel(
            tokens: tokens, merges: MergeTable(capacity: merges.count), symbols: symbols, unknownID: nil)
        for (rank, merge) in merges.enumerated() {
            guard let space = merge.dropFirst().firstIndex(of: 0x20) else {
                throw TokenizerError(
                    part: "\(Self.prefix)merges[\(rank)]", reason: "a merge must be two tokens with a space between")
            }
            try model.addMerge(
                merge[..<space], merge[(space + 1)...], rank: rank, keepingFirst: true, part: Self.prefix + "merges")
        }
        var steps: [Normalizer] = pre.composes ? [.unicode(.nfc)] : []
        if !pre.readsBytes {
            model.byteIDs = TokenizerJSON.byteIDs(tokens)
            model.wholePieces = newlineRuns()
            if pre.escapesSpaces { steps.append(.replace(.literal([0x20]), with: BytePairModel.space)) }
        } else if pre.ignoresMerges {
            model.wholePieces = TokenizerJSON.byteSpelled(tokens)
        }
        var pipeline = TokenizerPipeline(tokens: tokens, model: .bytePair(model))
        if !steps.isEmpty { pipeline.normalizer = .sequence(steps) }
        pipeline.preTokenizers = try pre.splitters()
        pipeline.decoders =
            pre.readsBytes
            ? [.byteLevel]
            : [.replace(.literal(BytePairModel.space), with: [0x20]), .byteFallback(replacesWholeRuns: false), .fuse]
        addTokens(to: &pipeline)
        if pre.readsBytes {
            // Control and user-defined tokens are plain text; the decoder reads the byte alphabet.
            for (index, kind) in kinds.enumerated() where kind == .control || kind == .userDefined || kind == .unknown {
                pipeline.spelledAs[Int32(index)] = ByteAlphabet.encoded(vocabulary.tokens[index])
            }
        }
        return (pipeline, pre.addsBOS && vocabulary.bosID != nil)
    }

    /// Runs of newlines are looked up whole by the models that part text at nothing else.
    private func newlineRuns() -> TokenTable {
        var runs = TokenTable(capacity: 64)
        for (index, token) in vocabulary.tokens.enumerated() where !token.isEmpty && token.allSatisfy({ $0 == 0x0A }) {
            runs.insert(token, id: Int32(index))
        }
        return runs
    }
}
