/// Exclude Top Choices: at a share `probability` of the positions, removes every token of at least `threshold`
/// probability except the least probable of them (at equal probability: all but the highest token id), so at least one
/// choice of that quality stays; does nothing where fewer than two qualify. Whether a position is one of them is the
/// noise of purpose `.exclusion` there (P. E. Weidmann, "Exclude Top Choices (XTC)", 2024).
package struct XTC: SamplingStage {
    let probability: Double, threshold: Double
    package var preservesArgmax: Bool { false }

    package init?(parameters: SamplingParameters, vocabulary: SamplingVocabulary) {
        guard parameters.xtcProbability > 0, parameters.xtcThreshold <= 0.5 else { return nil }
        probability = Double(parameters.xtcProbability)
        threshold = Double(parameters.xtcThreshold)
    }

    package func apply(to candidates: inout Candidates, in context: StageContext) {
        guard context.noise.uniform(position: context.position, purpose: .exclusion) < probability,
            let (_, total) = candidates.weigh()
        else { return }
        let weights = candidates.weights
        let scores = candidates.scores
        let border = threshold * total
        var kept = -1
        for index in 0..<candidates.count where Double(weights[index]) >= border && scores[index] > -.infinity {
            if kept < 0 || scores[index] <= scores[kept] { kept = index }
        }
        guard kept >= 0 else { return }
        candidates.filter { $0 == kept || Double(weights[$0]) < border }
    }
}
