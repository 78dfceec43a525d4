/// Makes tokens of the window less likely. First the repetition penalty r for each distinct token of prompt and answer:
/// x / r for x > 0, x · r otherwise (Keskar et al., "CTRL", 2019, section 4.1). Then presence and frequency for tokens
/// of the answer (and of the prompt if asked): x − presence − frequency · count, as OpenAI's interface defines them.
package struct Penalties: SamplingStage {
    let repetition: Float, presence: Float, frequency: Float
    let window: Int
    let countsPrompt: Bool
    package var preservesArgmax: Bool { false }

    package init?(parameters: SamplingParameters, vocabulary: SamplingVocabulary) {
        guard parameters.hasPenalties, parameters.penaltyLastN != 0 else { return nil }
        repetition = parameters.repetitionPenalty
        presence = parameters.presencePenalty
        frequency = parameters.frequencyPenalty
        window = parameters.penaltyLastN ?? .max
        countsPrompt = parameters.penalizesPrompt
    }

    /// O(window · log candidates), or O(window) while every token is a candidate.
    package func apply(to candidates: inout Candidates, in context: StageContext) {
        let tokens = context.history.tokens
        let start = max(0, tokens.count - min(window, tokens.count))
        if repetition != 1 {
            forEachToken(of: tokens[start...], candidates) { score, _ in
                score > 0 ? score / repetition : score * repetition
            }
        }
        if presence != 0 || frequency != 0 {
            let counted = tokens[(countsPrompt ? start : max(start, context.history.promptCount))...]
            forEachToken(of: counted, candidates) { score, count in score - presence - frequency * Float(count) }
        }
    }

    /// Replaces the score of each distinct token once, given how often it occurs.
    private func forEachToken(
        of tokens: Slice<UnsafeBufferPointer<Int32>>, _ candidates: Candidates, _ change: (Float, Int32) -> Float
    ) {
        let marks = candidates.marks
        for token in tokens where token >= 0 && Int(token) < marks.count { marks[Int(token)] += 1 }
        for token in tokens where token >= 0 && Int(token) < marks.count && marks[Int(token)] > 0 {
            if let index = candidates.index(of: token) {
                candidates.scores[index] = change(candidates.scores[index], marks[Int(token)])
            }
            marks[Int(token)] = 0
        }
    }
}
