/// A vocabulary of scored pieces, as SentencePiece models and GGUF files of that kind carry it, and how it becomes a
/// pipeline.
struct ScoredVocabulary {
    /// The kinds of pieces, numbered as both formats number them.
    enum Kind: Int32 {
        case normal = 1
        case unknown, control, userDefined, unused, byte
    }

    enum Algorithm { case unigram, bytePair, word, character }

    var pieces: [[UInt8]]
    var scores: [Float]
    var kinds: [Kind]
    var algorithm: Algorithm
    var hasByteFallback: Bool
    var normalizer: SentencePieceNormalizer
    /// Whether user-defined pieces part the text before it is normalized (GGUF), or are pieces of the model that
    /// nothing else may overlap (SentencePiece).
    var partsAtUserDefined: Bool
    let path: String

    func pipeline() throws(TokenizerError) -> TokenizerPipeline {
        var tokens = TokenTable(capacity: pieces.count)
        for (id, piece) in pieces.enumerated() { tokens.insert(piece, id: Int32(id)) }
        let unknown = kinds.firstIndex(of: .unknown).map { Int32($0) }
        let byteIDs = hasByteFallback ? try readByteIDs() : nil
        var frozen = ByteTrie()
        if !partsAtUserDefined {
            for (id, piece) in pieces.enumerated() where kinds[id] == .userDefined {
                frozen.insert(piece, value: Int32(id))
            }
        }
        let model: TokenModel
        switch algorithm {
        case .unigram: model = .unigram(unigram(unknown, byteIDs))
        case .bytePair: model = .bytePair(bytePair(tokens, unknown, byteIDs, frozen))
        case .character, .word:
            var plain = BytePairModel(
                tokens: tokens, merges: MergeTable(capacity: 0),
                symbols: .scalars(continuingPrefix: [], wordSuffix: []), unknownID: unknown)
            plain.fusesUnknown = true
            plain.byteIDs = byteIDs
            plain.frozen = frozen
            model =
                algorithm == .character
                ? .bytePair(plain) : .wordLevel(WordLevelModel(tokens: tokens, unknownID: unknown))
        }
        var pipeline = TokenizerPipeline(tokens: tokens, model: model)
        var steps = normalizer
        if !partsAtUserDefined { steps.userDefined = frozen }
        pipeline.normalizer = .sentencePiece(steps)
        if algorithm == .word {
            pipeline.preTokenizers = [.split(Splitter(.literal(BytePairModel.space), .mergedWithNext))]
        }
        pipeline.roles.unknown = unknown
        for (index, kind) in kinds.enumerated() {
            let id = Int32(index)
            switch kind {
            case .control, .unknown:
                // SentencePiece leaves out control pieces and shows unknown ones; GGUF's readers leave out both.
                if kind == .control || partsAtUserDefined { pipeline.specialIDs.insert(id) }
                pipeline.addedTokens.append(AddedToken(content: pieces[index], id: id, isSpecial: true))
            case .userDefined where partsAtUserDefined:
                pipeline.addedTokens.append(AddedToken(content: pieces[index], id: id))
            default: break
            }
        }
        pipeline.addedTokens.removeAll { $0.content.isEmpty }
        if normalizer.addsDummyPrefix || normalizer.removesExtraSpaces {
            pipeline.decoders = [.pieceStart(stripsAll: normalizer.removesExtraSpaces)]
        }
        pipeline.decoders += [
            .replace(.literal(BytePairModel.space), with: [0x20]), .byteFallback(replacesWholeRuns: false), .fuse,
        ]
        return pipeline
    }

    private func readByteIDs() throws(TokenizerError) -> [Int32] {
        var ids = [Int32](repeating: -1, count: 256)
        for (id, piece) in pieces.enumerated() where kinds[id] == .byte {
            guard let byte = TokenDecoder.byte(of: piece) else {
                throw TokenizerError(
                    part: "\(path).pieces[\(id)]", reason: "a byte piece must be spelled <0xXX>, and this one is not")
            }
            ids[Int(byte)] = Int32(id)
        }
        if let missing = ids.firstIndex(of: -1) {
            throw TokenizerError(
                part: "\(path).pieces", reason: "the model falls back to bytes, and byte \(missing) has no piece")
        }
        return ids
    }

    private func unigram(_ unknown: Int32?, _ byteIDs: [Int32]?) -> UnigramModel {
        var trie = ByteTrie()
        var userDefined: Set<Int32> = []
        var minimum = Float.greatestFiniteMagnitude
        // The reference begins its search for the greatest score at the least positive number.
        var maximum = Float.leastNormalMagnitude
        for (index, piece) in pieces.enumerated() {
            switch kinds[index] {
            case .normal:
                minimum = min(minimum, scores[index])
                maximum = max(maximum, scores[index])
                trie.insert(piece, value: Int32(index))
            case .userDefined:
                trie.insert(piece, value: Int32(index))
                userDefined.insert(Int32(index))
            default: break
            }
        }
        return UnigramModel(
            trie: trie, scores: scores.map { Double($0) }, userDefined: partsAtUserDefined ? [] : userDefined,
            unknownID: unknown, byteIDs: byteIDs,
            unknownScore: Double(minimum - Float(UnigramModel.unknownPenalty)), maximumScore: Double(maximum))
    }

    /// Scores as merges: two neighbours merge where their union is a piece, the best score first. Scalars that are no
    /// pieces and yet begin pieces take part under ids of their own.
    private func bytePair(
        _ tokens: TokenTable, _ unknown: Int32?, _ byteIDs: [Int32]?, _ frozen: ByteTrie
    ) -> BytePairModel {
        var ranks: [UInt32: UInt32] = [:]
        let order = Set(zip(scores, kinds).filter { $0.1 == .normal || $0.1 == .unused }.map(\.0)).sorted(by: >)
        for (rank, score) in order.enumerated() { ranks[score.bitPattern] = UInt32(rank) }

        var helpers = TokenTable(capacity: 16)
        var merges: [(left: Int32, right: Int32, rank: UInt32, id: Int32, cut: Int)] = []
        func symbol(_ part: ArraySlice<UInt8>, isScalar: Bool) -> Int32? {
            let bytes = Array(part)
            if let id = tokens.id(of: bytes), isScalar || kinds[Int(id)] == .normal || kinds[Int(id)] == .unused {
                return id
            }
            guard isScalar else { return nil }
            if let helper = helpers.id(of: bytes) { return Int32(tokens.count) + helper }
            let helper = Int32(helpers.count)
            helpers.insert(bytes, id: helper)
            return Int32(tokens.count) + helper
        }
        for (index, piece) in pieces.enumerated() where kinds[index] == .normal || kinds[index] == .unused {
            var starts: [Int] = []
            piece.withUnsafeBufferPointer { UTF8Scalars.forEach($0) { _, start, _, _ in starts.append(start) } }
            guard starts.count > 1, let rank = ranks[scores[index].bitPattern] else { continue }
            for (place, cut) in starts.enumerated().dropFirst() {
                if let left = symbol(piece[..<cut], isScalar: place == 1),
                    let right = symbol(piece[cut...], isScalar: place == starts.count - 1)
                {
                    merges.append((left, right, rank, Int32(index), cut))
                }
            }
        }
        var table = MergeTable(capacity: merges.count)
        var unusedParts: [Int32: (Int32, Int32)] = [:]
        for merge in merges {
            table.insert(merge.left, merge.right, rank: merge.rank, id: merge.id)
            if kinds[Int(merge.id)] == .unused { unusedParts[merge.id] = (merge.left, merge.right) }
        }
        var model = BytePairModel(
            tokens: tokens, merges: table, symbols: .scalars(continuingPrefix: [], wordSuffix: []),
            unknownID: unknown)
        model.fusesUnknown = true
        model.byteIDs = byteIDs
        model.helperScalars = helpers.count > 0 ? helpers : nil
        model.unusedParts = unusedParts
        model.frozen = frozen
        model.findSafeCuts(
            merges.lazy.map { merge in
                let piece = pieces[Int(merge.id)]
                return (left: piece[..<merge.cut], right: piece[merge.cut...])
            })
        return model
    }
}
