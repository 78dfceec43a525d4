/// Adaptive-p: prefers tokens whose probability is near a target, and moves the target so that the decayed mean
/// probability of the chosen ones approaches the wanted one (MrJackSpade, "Adaptive-P", 2025, sections 3 and 8, as
/// llama.cpp defines it).
///
/// With p = softmax of the candidates, m the running mean, a = clamp(2 · target − m, 0, 1) and d = |p − a| / 0.3, the
/// new score is 5 − 10 · d² / (1 + d). The mean begins as if the target had always been met, and takes in the p (before
/// the change) of each committed token. Unlike there, banned tokens stay banned: here they are no candidates.
package struct AdaptiveP: SamplingStage {
    let target: Double, decay: Double
    package var preservesArgmax: Bool { false }

    package init?(parameters: SamplingParameters, vocabulary: SamplingVocabulary) {
        guard let target = parameters.adaptiveTarget else { return nil }
        self.target = Double(target)
        decay = Double(parameters.adaptiveDecay)
    }

    package func apply(to candidates: inout Candidates, in context: StageContext) {
        let scores = candidates.scores
        candidates.filter { scores[$0] > -.infinity }
        guard let (_, total) = candidates.weigh() else { return }
        let mean = context.state.adaptiveSum / context.state.adaptiveWeight
        let wanted = min(1, max(0, 2 * target - mean))
        for index in 0..<candidates.count {
            let probability = Double(candidates.weights[index]) / total
            let distance = abs(probability - wanted) / 0.3
            candidates.keys[index] = Float(probability)
            scores[index] = Float(5 - 10 * distance * distance / (1 + distance))
        }
    }

    package func advance(_ state: inout SamplerState, index: Int, probability: Double, candidates: Candidates) {
        state.adaptiveSum = Double(candidates.keys[index]) + decay * state.adaptiveSum
        state.adaptiveWeight = 1 + decay * state.adaptiveWeight
    }
}
