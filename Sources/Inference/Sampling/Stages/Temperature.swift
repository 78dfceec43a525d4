internal import Tensors

/// The stage that a request's temperature asks for; none at temperature 1.
package func makeTemperature(
    parameters: SamplingParameters, vocabulary: SamplingVocabulary
) -> (any SamplingStage)? {
    if parameters.dynamicTemperatureRange > 0 { return DynamicTemperature(parameters: parameters) }
    return parameters.temperature == 1 ? nil : Temperature(temperature: parameters.temperature)
}

/// x / T (Ackley, Hinton & Sejnowski, "A Learning Algorithm for Boltzmann Machines", 1985). 0 leaves the argmax alone.
package struct Temperature: SamplingStage {
    package let temperature: Float
    package var preservesArgmax: Bool { true }

    package init(temperature: Float) { self.temperature = temperature }

    package func apply(to candidates: inout Candidates, in context: StageContext) {
        guard temperature > 0 else {
            if let best = candidates.argmax { candidates.filter { $0 == best } }
            return
        }
        let scores = candidates.scores
        for index in 0..<candidates.count { scores[index] /= temperature }
    }
}

/// A temperature between T − range (at least 0) and T + range that grows with the row's entropy H over the n candidates
/// above -infinity: low + (high − low) · (H / ln n)^exponent. As llama.cpp defines its `dynatemp`.
package struct DynamicTemperature: SamplingStage {
    let low: Float, high: Float, exponent: Double
    package var preservesArgmax: Bool { true }

    package init(parameters: SamplingParameters) {
        low = max(0, parameters.temperature - parameters.dynamicTemperatureRange)
        high = parameters.temperature + parameters.dynamicTemperatureRange
        exponent = Double(parameters.dynamicTemperatureExponent)
    }

    package func apply(to candidates: inout Candidates, in context: StageContext) {
        let scores = candidates.scores
        var alive = 0
        for index in 0..<candidates.count where scores[index] > -.infinity { alive += 1 }
        guard alive > 1, let (highest, total) = candidates.weigh() else { return }
        let entropy = candidates.entropy(highest: highest, total: total)
        let normalised = min(1, max(0, entropy / ScalarMath.log(Double(alive))))
        let temperature = low + (high - low) * Float(ScalarMath.pow(normalised, exponent))
        // Below this the scores could leave the range of a Float; the distribution is a single token long before.
        Temperature(temperature: temperature < 1e-6 ? 0 : temperature).apply(to: &candidates, in: context)
    }
}

extension Candidates {
    /// The entropy of softmax(scores) in nats, ln Σw − Σ w (x − max) / Σw, from what `weigh` gave.
    package func entropy(highest: Float, total: Double) -> Double {
        var sum = 0.0
        for index in 0..<count where weights[index] > 0 {
            sum += Double(weights[index]) * Double(scores[index] - highest)
        }
        return ScalarMath.log(total) - sum / total
    }
}
