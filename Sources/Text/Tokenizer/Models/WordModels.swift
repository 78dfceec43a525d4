/// Greedy longest-match-first segmentation of a word (Wu et al., "Google's Neural Machine Translation System", 2016,
/// section 4.1, as BERT uses it).
struct WordPieceModel: Sendable {
    /// All tokens, for the start of a word; those with the continuing prefix, without it, for the rest.
    private let beginnings: ByteTrie
    private let continuations: ByteTrie
    private let wordPrefix: [UInt8]
    private let unknownID: Int32
    private let longestWord: Int

    /// - Parameters:
    ///   - wordPrefix: put before each word (GGUF writes word starts as ▁…), usually empty.
    ///   - longestWord: in scalars; longer words are unknown.
    init(
        tokens: TokenTable, continuingPrefix: [UInt8], wordPrefix: [UInt8] = [], unknownID: Int32,
        longestWord: Int = .max
    ) {
        var beginnings = ByteTrie()
        var continuations = ByteTrie()
        for id in 0..<Int32(tokens.count) {
            guard let token = tokens.token(id) else { continue }
            beginnings.insert(token, value: id)
            if token.starts(with: continuingPrefix) {
                continuations.insert(token.dropFirst(continuingPrefix.count), value: id)
            }
        }
        self.beginnings = beginnings
        self.continuations = continuations
        self.wordPrefix = wordPrefix
        self.unknownID = unknownID
        self.longestWord = longestWord
    }

    func encode(_ piece: UnsafeBufferPointer<UInt8>, into output: inout [Int32]) {
        guard piece.count > 0 else { return }
        if !wordPrefix.isEmpty {
            (wordPrefix + piece).withUnsafeBufferPointer { encodeWord($0, into: &output) }
        } else {
            encodeWord(piece, into: &output)
        }
    }

    private func encodeWord(_ word: UnsafeBufferPointer<UInt8>, into output: inout [Int32]) {
        guard let base = word.baseAddress else { return }
        var scalars = 0
        UTF8Scalars.forEach(word) { _, _, _, _ in scalars += 1 }
        let first = output.count
        var position = 0
        while position < word.count, scalars <= longestWord {
            let trie = position == 0 ? beginnings : continuations
            guard let match = trie.longestMatch(base, position, word.count) else { break }
            output.append(match.value)
            position = match.end
        }
        if position < word.count {
            output.removeLast(output.count - first)
            output.append(unknownID)
        }
    }
}

/// Each piece is one token or unknown.
struct WordLevelModel: Sendable {
    let tokens: TokenTable
    let unknownID: Int32?

    func encode(_ piece: UnsafeBufferPointer<UInt8>, into output: inout [Int32]) {
        guard let base = piece.baseAddress else { return }
        if let id = tokens.id(base, piece.count) ?? unknownID { output.append(id) }
    }
}

/// The models that turn pieces into ids.
enum TokenModel: Sendable {
    case bytePair(BytePairModel)
    case unigram(UnigramModel)
    case wordPiece(WordPieceModel)
    case wordLevel(WordLevelModel)

    func encode(_ piece: UnsafeBufferPointer<UInt8>, into output: inout [Int32], _ scratch: inout ModelScratch) {
        switch self {
        case .bytePair(let model): model.encode(piece, into: &output, &scratch)
        case .unigram(let model): model.encode(piece, into: &output)
        case .wordPiece(let model): model.encode(piece, into: &output)
        case .wordLevel(let model): model.encode(piece, into: &output)
        }
    }
}
