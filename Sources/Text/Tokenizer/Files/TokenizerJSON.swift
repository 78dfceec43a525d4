extension Tokenizer {
    /// A tokenizer described by `tokenizer.json`.
    ///
    /// - Parameters:
    ///   - json: the bytes of `tokenizer.json`.
    ///   - config: the bytes of `tokenizer_config.json`, which names the beginning, ending, unknown and padding tokens
    ///     and may carry chat templates.
    /// - Throws: ``TokenizerError`` that names the part that is missing, wrong or of a kind that is not known.
    public convenience init(json: [UInt8], config: [UInt8]?) throws(TokenizerError) {
        var pipeline = try TokenizerJSON(JSONFields(parseJSON(json, "tokenizer.json"), "tokenizer.json")).pipeline()
        try pipeline.applyConfig(config)
        self.init(pipeline)
    }
}

func parseJSON(_ bytes: [UInt8], _ name: String) throws(TokenizerError) -> JSONValue {
    do {
        return try JSONValue(parsing: bytes)
    } catch {
        throw TokenizerError(part: name, reason: error.description)
    }
}

/// Reads `tokenizer.json`.
struct TokenizerJSON {
    let root: JSONFields

    init(_ root: JSONFields) { self.root = root }

    func pipeline() throws(TokenizerError) -> TokenizerPipeline {
        guard let model = root["model"] else { throw root.failure("there is no model; this is no tokenizer.json") }
        let normalizer = try root["normalizer"].map { (part) throws(TokenizerError) in try readNormalizer(part) }
        var preTokenizers: [PreTokenizer] = []
        if let part = root["pre_tokenizer"] { preTokenizers = try readPreTokenizers(part) }
        var tokens = try readVocabulary(model)
        let (tokenModel, unknown, readsBytes) = try readModel(model, tokens, preTokenizers)
        var pipeline = TokenizerPipeline(tokens: tokens, model: tokenModel)
        pipeline.normalizer = normalizer
        pipeline.preTokenizers = preTokenizers
        pipeline.mapsBytes = !readsBytes
        pipeline.decoders = [.joinedBySpaces]
        if let part = root["decoder"] { pipeline.decoders = try readDecoders(part) }
        pipeline.roles.unknown = unknown
        let added = root["added_tokens"] == nil ? [] : try root.list("added_tokens")
        for item in added {
            let token = try readAddedToken(item, tokens)
            guard !token.content.isEmpty else { continue }
            tokens.insert(token.content, id: token.id, replacing: true)
            pipeline.addedTokens.append(token)
            if token.isSpecial { pipeline.specialIDs.insert(token.id) }
        }
        pipeline.tokens = tokens
        if let post = root["post_processor"] { try readPostProcessor(post, &pipeline) }
        return pipeline
    }

    private func readAddedToken(_ item: JSONFields, _ tokens: TokenTable) throws(TokenizerError) -> AddedToken {
        let content = try item.bytes("content")
        guard let listed = item["id"] else { throw item.failure("an added token has no id") }
        let listedID = try listed.id(listed.value)
        return AddedToken(
            content: content, id: tokens.id(of: content) ?? listedID,
            isSingleWord: try item.bool("single_word", default: false),
            stripsLeft: try item.bool("lstrip", default: false), stripsRight: try item.bool("rstrip", default: false),
            isNormalized: try item.bool("normalized", default: false),
            isSpecial: try item.bool("special", default: false))
    }

    // MARK: Vocabulary and model

    private func readVocabulary(_ model: JSONFields) throws(TokenizerError) -> TokenTable {
        guard let vocabulary = model["vocab"] else { throw model.failure("the model has no vocab") }
        if let pairs = vocabulary.value.arrayValue {
            guard pairs.count < JSONFields.idLimit else {
                throw vocabulary.failure("\(pairs.count) tokens are too many")
            }
            var tokens = TokenTable(capacity: pairs.count)
            for (index, pair) in pairs.enumerated() {
                guard let entry = pair.arrayValue, entry.count == 2, let text = entry[0].stringValue,
                    entry[1].doubleValue != nil
                else { throw vocabulary.failure("entry \(index) must be a token and its score") }
                tokens.insert(text.utf8, id: Int32(index))
            }
            return tokens
        }
        guard let members = vocabulary.value.objectValue else {
            throw vocabulary.failure("this must be an object of ids by token, or a list of tokens and scores")
        }
        var tokens = TokenTable(capacity: members.count)
        for member in members {
            tokens.insert(member.key.utf8, id: try vocabulary.id(member.value), replacing: true)
        }
        return tokens
    }

    /// The model, its unknown id, and whether it reads bytes where the pre-tokenizer would map them to characters.
    private func readModel(
        _ model: JSONFields, _ tokens: TokenTable, _ preTokenizers: [PreTokenizer]
    ) throws(TokenizerError) -> (TokenModel, unknown: Int32?, readsBytes: Bool) {
        var type = model.type
        if type.isEmpty {
            // Files from before models carried a type.
            if model["merges"] != nil {
                type = "BPE"
            } else if model["max_input_chars_per_word"] != nil {
                type = "WordPiece"
            } else {
                type = model["vocab"]?.value.arrayValue != nil ? "Unigram" : "WordLevel"
            }
        }
        switch type {
        case "BPE":
            let (bytePair, readsBytes) = try readBytePair(model, tokens, preTokenizers)
            return (.bytePair(bytePair), bytePair.unknownID, readsBytes)
        case "Unigram":
            let unigram = try readUnigram(model, tokens)
            return (.unigram(unigram), unigram.unknownID, false)
        case "WordPiece":
            let unknown = try requiredUnknown(model, tokens, default: "[UNK]")
            let prefix = try model.optionalString("continuing_subword_prefix") ?? "##"
            let longest = try model.integer("max_input_chars_per_word", default: 100)
            let wordPiece = WordPieceModel(
                tokens: tokens, continuingPrefix: Array(prefix.utf8), unknownID: unknown, longestWord: longest)
            return (.wordPiece(wordPiece), unknown, false)
        case "WordLevel":
            let unknown = try requiredUnknown(model, tokens, default: "<unk>")
            return (.wordLevel(WordLevelModel(tokens: tokens, unknownID: unknown)), unknown, false)
        default:
            throw TokenizerError(
                part: "\(model.path).type",
                reason: "the model \"\(type)\" is not known; known are BPE, Unigram, WordPiece and WordLevel")
        }
    }

    private func requiredUnknown(
        _ model: JSONFields, _ tokens: TokenTable, default fallback: String
    ) throws(TokenizerError) -> Int32 {
        let name = try model.optionalString("unk_token") ?? fallback
        guard let id = tokens.id(of: name) else {
            throw TokenizerError(
                part: "\(model.path).unk_token", reason: "the unknown token \"\(name)\" is not in the vocabulary")
        }
        return id
    }

    static func byteIDs(_ tokens: TokenTable) -> [Int32] {
        let digits = Array("0123456789ABCDEF".utf8)
        return (0..<256).map { byte in
            tokens.id(of: Array("<0x".utf8) + [digits[byte >> 4], digits[byte & 15]] + Array(">".utf8)) ?? -1
        }
    }

    private func readBytePair(
        _ model: JSONFields, _ tokens: TokenTable, _ preTokenizers: [PreTokenizer]
    ) throws(TokenizerError) -> (BytePairModel, readsBytes: Bool) {
        if let dropout = model["dropout"]?.value.doubleValue, dropout != 0 {
            throw TokenizerError(
                part: "\(model.path).dropout",
                reason: "a dropout of \(dropout) makes ids random; set it to null, as inference needs")
        }
        var unknown: Int32?
        if let name = try model.optionalString("unk_token") {
            guard let id = tokens.id(of: name) else {
                throw TokenizerError(
                    part: "\(model.path).unk_token", reason: "the unknown token \"\(name)\" is not in the vocabulary")
            }
            unknown = id
        }
        let prefix = try model.optionalString("continuing_subword_prefix") ?? ""
        let suffix = try model.optionalString("end_of_word_suffix") ?? ""
        let hasFallback = try model.bool("byte_fallback", default: false)
        let ignoresMerges = try model.bool("ignore_merges", default: false)
        guard let merges = model["merges"]?.value.arrayValue else { throw model.failure("the model has no merges") }

        let byAlphabet = ByteAlphabet.scalars.map { tokens.id(of: UTF8Scalars.bytes($0)) ?? -1 }
        let isComplete = !byAlphabet.contains(-1)
        let byteLevels = preTokenizers.filter { if case .byteLevel = $0 { true } else { false } }.count
        var endsInBytes = false
        if case .byteLevel? = preTokenizers.last { endsInBytes = byteLevels == 1 }
        let readsBytes =
            endsInBytes && prefix.isEmpty && suffix.isEmpty && (isComplete || (unknown == nil && !hasFallback))

        var bytePair = BytePairModel(
            tokens: tokens, merges: MergeTable(capacity: merges.count),
            symbols: readsBytes
                ? .bytes(byAlphabet)
                : .scalars(continuingPrefix: Array(prefix.utf8), wordSuffix: Array(suffix.utf8)),
            unknownID: unknown)
        bytePair.fusesUnknown = try model.bool("fuse_unk", default: false)
        if hasFallback { bytePair.byteIDs = Self.byteIDs(tokens) }
        if ignoresMerges { bytePair.wholePieces = readsBytes ? Self.byteSpelled(tokens) : tokens }
        var pairs: [(left: ArraySlice<UInt8>, right: ArraySlice<UInt8>)] = []
        for (rank, merge) in merges.enumerated() {
            let (left, right) = try Self.sides(of: merge, rank, model)
            try bytePair.addMerge(left, right, rank: rank, prefixCount: prefix.utf8.count, part: "\(model.path).merges")
            if !readsBytes { pairs.append((left, right)) }
        }
        if !readsBytes { bytePair.findSafeCuts(pairs) }
        return (bytePair, readsBytes)
    }

    /// The vocabulary with tokens written in the byte alphabet turned into the bytes they stand for.
    static func byteSpelled(_ tokens: TokenTable) -> TokenTable {
        var spelled = TokenTable(capacity: tokens.count)
        for id in 0..<Int32(tokens.count) {
            if let token = tokens.token(id), let bytes = ByteAlphabet.decoded(token) { spelled.insert(bytes, id: id) }
        }
        return spelled
    }

    private static func sides(
        of merge: JSONValue, _ rank: Int, _ model: JSONFields
    ) throws(TokenizerError) -> (ArraySlice<UInt8>, ArraySlice<UInt8>) {
        if let text = merge.stringValue {
            let bytes = Array(text.utf8)
            if let space = bytes.firstIndex(of: 0x20), !bytes[(space + 1)...].contains(0x20) {
                return (bytes[..<space], bytes[(space + 1)...])
            }
        } else if let pair = merge.arrayValue, pair.count == 2, let left = pair[0].stringValue,
            let right = pair[1].stringValue
        {
            return (Array(left.utf8)[...], Array(right.utf8)[...])
        }
        throw TokenizerError(
            part: "\(model.path).merges[\(rank)]", reason: "a merge must be two tokens with a space between, or a pair")
    }

    private func readUnigram(_ model: JSONFields, _ tokens: TokenTable) throws(TokenizerError) -> UnigramModel {
        var trie = ByteTrie()
        var scores: [Double] = []
        for entry in model["vocab"]?.value.arrayValue ?? [] {
            guard let token = entry.arrayValue?.first?.stringValue,
                let score = entry.arrayValue?.last?.doubleValue
            else { continue }
            trie.insert(token.utf8, value: Int32(scores.count))
            scores.append(score)
        }
        var unknown: Int32?
        if let listed = model["unk_id"] {
            let id = try listed.id(listed.value)
            guard Int(id) < scores.count else {
                throw listed.failure("the unknown id \(id) is not below the number of tokens, \(scores.count)")
            }
            unknown = id
        }
        return UnigramModel(
            trie: trie, scores: scores, unknownID: unknown,
            byteIDs: try model.bool("byte_fallback", default: false) ? Self.byteIDs(tokens) : nil,
            unknownScore: (scores.min() ?? 0) - UnigramModel.unknownPenalty, maximumScore: scores.max() ?? 0)
    }
}

extension BytePairModel {
    /// Adds the merge of two tokens to the one spelled by both, the right one without the continuing prefix.
    mutating func addMerge(
        _ left: ArraySlice<UInt8>, _ right: ArraySlice<UInt8>, rank: Int, prefixCount: Int = 0,
        keepingFirst: Bool = false, part: String
    ) throws(TokenizerError) {
        func find(_ token: ArraySlice<UInt8>) throws(TokenizerError) -> Int32 {
            if let id = tokens.id(of: token) { return id }
            throw TokenizerError(
                part: "\(part)[\(rank)]",
                reason: "the token \"\(String(decoding: token, as: UTF8.self))\" is not in the vocabulary")
        }
        var merged = left
        merged.append(contentsOf: right.dropFirst(prefixCount))
        merges.insert(
            try find(left), try find(right), rank: UInt32(rank), id: try find(merged), keepingFirst: keepingFirst)
    }
}
