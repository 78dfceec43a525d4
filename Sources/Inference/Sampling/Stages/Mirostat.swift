internal import Tensors

// Basu, Ramachandran, Keskar & Varshney, "Mirostat: A Neural Text Decoding Algorithm that Directly Controls
// Perplexity", 2021. After each committed token, mu moves by −eta · (surprise − tau); it begins at 2 · tau. As in
// llama.cpp, the surprise is −log2 of the probability in the truncated distribution that the token was drawn from.

private func advanceMu(_ state: inout SamplerState, tau: Double, eta: Double, probability: Double) {
    let surprise = -ScalarMath.log(probability) / ScalarMath.log(2)
    state.mirostatMu -= eta * (surprise - tau)
}

/// Version 1 (algorithm 1): estimates the exponent s of Zipf's law from the 100 most probable tokens (equation 30), and
/// keeps the k most probable ones so that the expected surprise of a Zipf law over the vocabulary is mu (equation 2).
package struct Mirostat1: SamplingStage {
    let tau: Double, eta: Double
    let vocabularySize: Double
    package var preservesArgmax: Bool { true }

    package init(parameters: SamplingParameters, vocabulary: SamplingVocabulary) {
        tau = Double(parameters.mirostatTau)
        eta = Double(parameters.mirostatEta)
        vocabularySize = Double(vocabulary.size)
    }

    package func apply(to candidates: inout Candidates, in context: StageContext) {
        let top = candidates.sortedHighest(100)
        guard top.count > 1 else { return }
        var products = 0.0
        var squares = 0.0
        for rank in 0..<(top.count - 1) {
            let t = ScalarMath.log(Double(rank + 2) / Double(rank + 1))
            // ln(p / p') of two tokens is the difference of their scores.
            products += t * Double(top[rank] - top[rank + 1])
            squares += t * t
        }
        let exponent = products / squares
        let power = ScalarMath.pow(2, context.state.mirostatMu)
        let epsilon = exponent - 1
        let k: Double
        if exponent < 1e-6 {
            // Equal scores: the surprise of a choice among k is log2 k.
            k = power
        } else if abs(epsilon) < 1e-9 {
            k = ScalarMath.pow(power / ScalarMath.log(vocabularySize), 1 / exponent)
        } else {
            k = ScalarMath.pow(
                epsilon * power / (1 - ScalarMath.pow(vocabularySize, -epsilon)), 1 / exponent)
        }
        // Whole numbers must not fall one short by the rounding of the power.
        let whole = k * (1 + 1e-12)
        if whole < Double(candidates.count) { candidates.keepHighest(max(1, Int(whole))) }
    }

    package func advance(_ state: inout SamplerState, index: Int, probability: Double, candidates: Candidates) {
        advanceMu(&state, tau: tau, eta: eta, probability: probability)
    }
}

/// Version 2 (the authors' revision of algorithm 1): removes the tokens with a surprise above mu, except the most
/// probable.
package struct Mirostat2: SamplingStage {
    let tau: Double, eta: Double
    package var preservesArgmax: Bool { true }

    package init(parameters: SamplingParameters) {
        tau = Double(parameters.mirostatTau)
        eta = Double(parameters.mirostatEta)
    }

    package func apply(to candidates: inout Candidates, in context: StageContext) {
        guard let (highest, total) = candidates.weigh(), let best = candidates.argmax else { return }
        let scores = candidates.scores
        let limit = context.state.mirostatMu * ScalarMath.log(2) - ScalarMath.log(total)
        candidates.filter { $0 == best || Double(highest - scores[$0]) <= limit }
    }

    package func advance(_ state: inout SamplerState, index: Int, probability: Double, candidates: Candidates) {
        advanceMu(&state, tau: tau, eta: eta, probability: probability)
    }
}

package func makeMirostat(
    parameters: SamplingParameters, vocabulary: SamplingVocabulary
) -> (any SamplingStage)? {
    switch parameters.mirostat {
    case 1: Mirostat1(parameters: parameters, vocabulary: vocabulary)
    case 2: Mirostat2(parameters: parameters)
    default: nil
    }
}

extension Candidates {
    /// The `limit` highest scores above -infinity, highest first, in the room for keys.
    func sortedHighest(_ limit: Int) -> UnsafeMutableBufferPointer<Float> {
        var filled = 0
        for index in 0..<count where scores[index] > (filled < limit ? -.infinity : keys[limit - 1]) {
            var place = min(filled, limit - 1)
            while place > 0 && keys[place - 1] < scores[index] {
                keys[place] = keys[place - 1]
                place -= 1
            }
            keys[place] = scores[index]
            filled = min(filled + 1, limit)
        }
        return UnsafeMutableBufferPointer(rebasing: keys[..<filled])
    }
}
