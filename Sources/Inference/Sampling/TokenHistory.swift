/// A view of the tokens before the one to choose: the prompt, then what was generated. Valid during one call.
public struct TokenHistory {
    /// Token ids, oldest first.
    public let tokens: UnsafeBufferPointer<Int32>
    /// How many of them are the prompt's.
    public let promptCount: Int

    public init(tokens: UnsafeBufferPointer<Int32>, promptCount: Int) {
        precondition(promptCount >= 0 && promptCount <= tokens.count)
        self.tokens = tokens
        self.promptCount = promptCount
    }

    /// How many tokens were generated.
    public var generatedCount: Int { tokens.count - promptCount }

    /// Whether the history ends with `sequence`, of which it may hold no more than its own tokens.
    package func ends(with sequence: some RandomAccessCollection<Int32>) -> Bool {
        guard sequence.count <= tokens.count else { return false }
        return sequence.elementsEqual(tokens[(tokens.count - sequence.count)...])
    }
}

/// What may follow a history, decided outside the sampler: a grammar, a choice list, a schema. See
/// ``GenerationRequest/mask``.
///
/// A function of the history alone: it may be asked again, in any order and on any thread, for several samples and forks of
/// one request at the same time. What it remembers to be quick is its own affair, behind its own lock.
public protocol ScoreMask: Sendable {
    /// Sets the scores of tokens that may not follow `history` to -infinity and leaves the others as they are.
    /// `scores` holds one score for each token of the vocabulary.
    func apply(to scores: UnsafeMutableBufferPointer<Float>, history: TokenHistory)
}
