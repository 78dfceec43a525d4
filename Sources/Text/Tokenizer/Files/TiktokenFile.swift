extension Tokenizer {
    /// A byte-level tokenizer described by a tiktoken rank file: on each line a token in base64 and its rank, which is
    /// its id and the order of its merge.
    ///
    /// - Parameters:
    ///   - bytes: the bytes of the file.
    ///   - pattern: the regular expression that cuts the text, in the syntax of Rust's engines as tiktoken reads it.
    ///   - specialTokens: tokens beyond the file and their ids.
    /// - Throws: ``TokenizerError`` where a line is no base64 and number, or the pattern is beyond the subset read.
    public convenience init(
        tiktoken bytes: [UInt8], pattern: String, specialTokens: [(token: String, id: Int32)]
    ) throws(TokenizerError) {
        let ranked = try Self.readRanks(bytes)
        // Spelled in the byte alphabet, the vocabulary is one like any other byte-level vocabulary.
        var tokens = TokenTable(capacity: ranked.count + specialTokens.count)
        var raw = TokenTable(capacity: ranked.count)
        for (token, rank) in ranked {
            tokens.insert(ByteAlphabet.encoded(token), id: rank)
            raw.insert(token, id: rank)
        }
        // A token merges from any two halves that are tokens: its rank alone decides when.
        var merges: [(left: Int32, right: Int32, rank: Int32)] = []
        for (token, rank) in ranked where token.count > 1 {
            for cut in 1..<token.count {
                if let left = raw.id(of: Array(token[..<cut])), let right = raw.id(of: Array(token[cut...])) {
                    merges.append((left, right, rank))
                }
            }
        }
        var table = MergeTable(capacity: merges.count)
        for merge in merges { table.insert(merge.left, merge.right, rank: UInt32(merge.rank), id: merge.rank) }
        let byAlphabet = (0..<256).map { raw.id(of: [UInt8($0)]) ?? -1 }
        guard !byAlphabet.contains(-1) else {
            throw TokenizerError(
                part: "tiktoken",
                reason: "byte \(byAlphabet.firstIndex(of: -1) ?? 0) has no token; the file is cut short")
        }
        var model = BytePairModel(tokens: tokens, merges: table, symbols: .bytes(byAlphabet), unknownID: nil)
        model.wholePieces = raw
        let rule: Splitter.Rule =
            if let family = FamilySplitter(pattern: pattern) {
                .family(family)
            } else {
                .program(try PatternProgram(pattern, dialect: .rust, part: "tiktoken.pattern"))
            }
        for special in specialTokens {
            guard special.id >= 0, special.id < JSONFields.idLimit else {
                throw TokenizerError(
                    part: "tiktoken", reason: "the special token \(special.token) has the id \(special.id)")
            }
            tokens.insert(special.token.utf8, id: special.id, replacing: true)
        }
        var pipeline = TokenizerPipeline(tokens: tokens, model: .bytePair(model))
        pipeline.preTokenizers = [
            .split(Splitter(rule, .removed, isInverted: true)), .byteLevel(addsPrefixSpace: false, splitter: nil),
        ]
        pipeline.decoders = [.byteLevel]
        for special in specialTokens {
            pipeline.specialIDs.insert(special.id)
            pipeline.addedTokens.append(AddedToken(content: Array(special.token.utf8), id: special.id, isSpecial: true))
        }
        pipeline.findStops()
        self.init(pipeline)
    }

    private static func readRanks(_ bytes: [UInt8]) throws(TokenizerError) -> [(token: [UInt8], rank: Int32)] {
        var ranked: [(token: [UInt8], rank: Int32)] = []
        for (number, line) in bytes.split(separator: 0x0A).enumerated() {
            let fields = line.split(separator: 0x20)
            guard fields.count == 2, let token = Base64.decode(fields[0]), !token.isEmpty,
                let rank = Int32(String(decoding: fields[1].filter { $0 != 0x0D }, as: UTF8.self)), rank >= 0,
                rank < JSONFields.idLimit
            else {
                throw TokenizerError(part: "tiktoken", reason: "line \(number + 1) is no base64 token and its rank")
            }
            ranked.append((token, rank))
        }
        return ranked
    }
}
