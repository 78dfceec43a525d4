extension GGUFVocabulary {
    /// The vocabulary of a SentencePiece model of merged pairs (`tokenizer.model` of Llama's kind), as a GGUF file of model
    /// `llama` carries it.
    ///
    /// - Throws: ``TokenizerError`` where the bytes are damaged.
    public init(sentencePiece bytes: [UInt8]) throws(TokenizerError) {
        let file = try SentencePieceFile(bytes)
        self.init(model: "llama", tokens: file.vocabulary.pieces)
        scores = file.vocabulary.scores
        tokenTypes = file.vocabulary.kinds.map(\.rawValue)
        func inRange(_ id: Int) -> Int32? { id >= 0 && id < file.vocabulary.pieces.count ? Int32(id) : nil }
        bosID = inRange(file.bosID)
        eosID = inRange(file.eosID)
        padID = inRange(file.padID)
        unkID = file.vocabulary.kinds.firstIndex(of: .unknown).map { Int32($0) }
        addSpacePrefix = file.vocabulary.normalizer.addsDummyPrefix
    }
}
