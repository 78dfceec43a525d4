extension Tokenizer {
    /// A tokenizer described by a SentencePiece model (`tokenizer.model`).
    ///
    /// - Parameters:
    ///   - bytes: the bytes of the model, a protocol buffer.
    ///   - config: the bytes of `tokenizer_config.json`. Its `add_bos_token` and `add_eos_token` say what
    ///     `encode(addSpecialTokens: true)` adds.
    ///   - addsBOSByDefault: whether the beginning token is added where the configuration does not say. The model
    ///     alone adds nothing; families of tokenizers built on it, such as Llama's, do.
    /// - Throws: ``TokenizerError`` that names what is damaged or of a kind that is not known.
    public convenience init(
        sentencePiece bytes: [UInt8], config: [UInt8]?, addsBOSByDefault: Bool = false
    ) throws(TokenizerError) {
        let file = try SentencePieceFile(bytes)
        var pipeline = try file.vocabulary.pipeline()
        func inRange(_ id: Int) -> Int32? { id >= 0 && id < file.vocabulary.pieces.count ? Int32(id) : nil }
        pipeline.roles.bos = inRange(file.bosID)
        pipeline.roles.eos = inRange(file.eosID)
        pipeline.roles.padding = inRange(file.padID)
        if let unknown = pipeline.roles.unknown { pipeline.spelledAs[unknown] = file.unknownSurface }
        try pipeline.applyConfig(config)
        var (addsBOS, addsEOS) = (addsBOSByDefault, false)
        if let config {
            let fields = JSONFields(try parseJSON(config, "tokenizer_config.json"), "tokenizer_config.json")
            addsBOS = try fields.bool("add_bos_token", default: addsBOS)
            addsEOS = try fields.bool("add_eos_token", default: addsEOS)
        }
        if addsBOS, let id = pipeline.roles.bos { pipeline.prefixIDs = [id] }
        if addsEOS, let id = pipeline.roles.eos { pipeline.suffixIDs = [id] }
        self.init(pipeline)
    }
}

/// Reads a SentencePiece model (`sentencepiece_model.proto`).
struct SentencePieceFile {
    private(set) var vocabulary: ScoredVocabulary
    private(set) var bosID = 1
    private(set) var eosID = 2
    private(set) var padID = -1
    private(set) var unknownSurface = Array(" \u{2047} ".utf8)

    init(_ bytes: [UInt8]) throws(TokenizerError) {
        let path = "tokenizer.model"
        vocabulary = ScoredVocabulary(
            pieces: [], scores: [], kinds: [], algorithm: .unigram, hasByteFallback: false,
            normalizer: SentencePieceNormalizer(
                characterMap: nil, addsDummyPrefix: true, removesExtraSpaces: true, escapesSpaces: true,
                keepsIllBytes: false),
            partsAtUserDefined: false, path: path)
        var reader = ProtobufReader(bytes[...], path)
        while let field = try reader.next() {
            switch field.number {
            case 1: try readPiece(try field.message())
            case 2: try readTrainer(try field.message())
            case 3: try readNormalizer(try field.message())
            case 5: try refuseDenormalizer(try field.message())
            default: break
            }
        }
        guard !vocabulary.pieces.isEmpty else {
            throw TokenizerError(part: path, reason: "there are no pieces in it; this is no SentencePiece model")
        }
        vocabulary.normalizer.keepsIllBytes = vocabulary.hasByteFallback
    }

    private mutating func readPiece(_ message: ProtobufReader) throws(TokenizerError) {
        var message = message
        var piece: [UInt8] = []
        var score: Float = 0
        var kind = ScoredVocabulary.Kind.normal
        let index = vocabulary.pieces.count
        while let field = try message.next() {
            switch field.number {
            case 1: piece = Array(try field.bytes())
            case 2: score = try field.float()
            case 3:
                let number = try field.integer()
                guard let known = Int32(exactly: number).flatMap({ ScoredVocabulary.Kind(rawValue: $0) }) else {
                    throw TokenizerError(
                        part: "tokenizer.model.pieces[\(index)]", reason: "the piece type \(number) is not known")
                }
                kind = known
            default: break
            }
        }
        guard !score.isNaN else {
            throw TokenizerError(part: "tokenizer.model.pieces[\(index)]", reason: "its score is not a number")
        }
        vocabulary.pieces.append(piece)
        vocabulary.scores.append(score)
        vocabulary.kinds.append(kind)
    }

    private mutating func readTrainer(_ message: ProtobufReader) throws(TokenizerError) {
        var message = message
        while let field = try message.next() {
            switch field.number {
            case 3:
                switch try field.integer() {
                case 1: vocabulary.algorithm = .unigram
                case 2: vocabulary.algorithm = .bytePair
                case 3: vocabulary.algorithm = .word
                case 4: vocabulary.algorithm = .character
                case let number:
                    throw TokenizerError(
                        part: "tokenizer.model.trainer_spec", reason: "the model type \(number) is not known")
                }
            case 24: vocabulary.normalizer.treatsSpaceAsSuffix = try field.integer() != 0
            case 35: vocabulary.hasByteFallback = try field.integer() != 0
            case 41: bosID = try field.integer()
            case 42: eosID = try field.integer()
            case 43: padID = try field.integer()
            case 44: unknownSurface = Array(try field.bytes())
            default: break
            }
        }
    }

    private mutating func readNormalizer(_ message: ProtobufReader) throws(TokenizerError) {
        var message = message
        while let field = try message.next() {
            switch field.number {
            case 2:
                let map = Array(try field.bytes())
                if !map.isEmpty {
                    vocabulary.normalizer.characterMap = try CharacterMap(
                        map, part: "tokenizer.model.normalizer_spec.precompiled_charsmap")
                }
            case 3: vocabulary.normalizer.addsDummyPrefix = try field.integer() != 0
            case 4: vocabulary.normalizer.removesExtraSpaces = try field.integer() != 0
            case 5: vocabulary.normalizer.escapesSpaces = try field.integer() != 0
            default: break
            }
        }
    }

    private func refuseDenormalizer(_ message: ProtobufReader) throws(TokenizerError) {
        var message = message
        while let field = try message.next() {
            if field.number == 2, !(try field.bytes().isEmpty) {
                throw TokenizerError(
                    part: "tokenizer.model.denormalizer_spec",
                    reason: "the model changes text again when it decodes, which is not supported")
            }
        }
    }
}
