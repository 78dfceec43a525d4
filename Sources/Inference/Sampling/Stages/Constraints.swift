/// Adds a number to the scores of some tokens; -infinity bans one.
package struct LogitBias: SamplingStage {
    let biases: [(id: Int32, bias: Float)]
    package var preservesArgmax: Bool { false }

    package init?(parameters: SamplingParameters, vocabulary: SamplingVocabulary) {
        guard !parameters.logitBias.isEmpty else { return nil }
        biases = parameters.logitBias.map { ($0.key, $0.value) }.sorted { $0.id < $1.id }
    }

    package func apply(to candidates: inout Candidates, in context: StageContext) {
        for (id, bias) in biases {
            if let index = candidates.index(of: id) { candidates.scores[index] += bias }
        }
    }
}

/// Bans the last token of a sequence where the history ends with the ones before it.
package struct BadWords: SamplingStage {
    let sequences: [[Int32]]
    package var preservesArgmax: Bool { false }

    package init?(parameters: SamplingParameters, vocabulary: SamplingVocabulary) {
        guard !parameters.badWords.isEmpty else { return nil }
        sequences = parameters.badWords
    }

    package func apply(to candidates: inout Candidates, in context: StageContext) {
        for sequence in sequences where context.history.ends(with: sequence.dropLast()) {
            candidates.ban(sequence[sequence.count - 1])
        }
    }
}

/// Bans every token that would make a sequence of n tokens occur a second time, prompt and answer together (Paulus,
/// Xiong & Socher, "A Deep Reinforced Model for Abstractive Summarization", 2017, section 2.5).
package struct NoRepeatNGram: SamplingStage {
    let n: Int
    package var preservesArgmax: Bool { false }

    package init?(parameters: SamplingParameters, vocabulary: SamplingVocabulary) {
        guard parameters.noRepeatNGram > 0 else { return nil }
        n = parameters.noRepeatNGram
    }

    /// O(history · n).
    package func apply(to candidates: inout Candidates, in context: StageContext) {
        let tokens = context.history.tokens
        guard tokens.count >= n else { return }
        let suffix = tokens[(tokens.count - n + 1)...]
        for end in (n - 1)..<tokens.count where suffix.elementsEqual(tokens[(end - n + 1)..<end]) {
            candidates.ban(tokens[end])
        }
    }
}

/// Bans the request's stop ids and the model's end-of-generation ids until enough tokens are generated.
package struct MinTokens: SamplingStage {
    let tokens: Int
    let ends: [Int32]
    package var preservesArgmax: Bool { false }

    package init?(parameters: SamplingParameters, vocabulary: SamplingVocabulary) {
        ends = parameters.stopTokens + vocabulary.endOfGeneration
        guard parameters.minTokens > 0, !ends.isEmpty else { return nil }
        tokens = parameters.minTokens
    }

    package func apply(to candidates: inout Candidates, in context: StageContext) {
        guard context.history.generatedCount < tokens else { return }
        for id in ends { candidates.ban(id) }
    }
}

/// Bans the model's end-of-generation ids.
package struct IgnoreEndOfGeneration: SamplingStage {
    let ends: [Int32]
    package var preservesArgmax: Bool { false }

    package init?(parameters: SamplingParameters, vocabulary: SamplingVocabulary) {
        guard parameters.ignoresEndOfGeneration, !vocabulary.endOfGeneration.isEmpty else { return nil }
        ends = vocabulary.endOfGeneration
    }

    package func apply(to candidates: inout Candidates, in context: StageContext) {
        for id in ends { candidates.ban(id) }
    }
}

/// Forces the closing sequence once a thinking block holds the allowed number of tokens. Where the block already ends
/// with a beginning of the closing sequence, only the rest is forced. It overrides every ban and mask.
package struct ThinkingLimit: SamplingStage {
    let budget: ThinkingBudget
    package var preservesArgmax: Bool { false }

    package init?(parameters: SamplingParameters, vocabulary: SamplingVocabulary) {
        guard let budget = parameters.thinkingBudget else { return nil }
        self.budget = budget
    }

    package func apply(to candidates: inout Candidates, in context: StageContext) {
        guard let inside = tokensInside(context.history.tokens), inside >= budget.tokens else { return }
        let closing = budget.closing
        var begun = min(closing.count - 1, inside)
        while begun > 0 && !context.history.ends(with: closing[..<begun]) { begun -= 1 }
        candidates.force(closing[begun])
    }

    /// How many tokens follow the last opening sequence; nil if there is none or a closing sequence follows it.
    /// O(history) outside a block, O(tokens inside) in one.
    private func tokensInside(_ tokens: UnsafeBufferPointer<Int32>) -> Int? {
        var end = tokens.count
        while end > 0 {
            let before = UnsafeBufferPointer(rebasing: tokens[..<end])
            let history = TokenHistory(tokens: before, promptCount: 0)
            if tokens[end - 1] == budget.closing.last && history.ends(with: budget.closing) { return nil }
            if tokens[end - 1] == budget.opening.last && history.ends(with: budget.opening) {
                return tokens.count - end
            }
            end -= 1
        }
        return nil
    }
}
