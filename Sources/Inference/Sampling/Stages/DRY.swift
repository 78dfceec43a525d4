internal import Tensors

/// Don't Repeat Yourself: a token that would continue a repetition of n tokens, n ≥ the allowed length, loses
/// multiplier · base^(n − allowed length) (P. E. Weidmann, "DRY: A modern repetition penalty", 2024, as llama.cpp
/// defines it). n is the length of the longest suffix of the window that occurs in it earlier, followed by that token;
/// no repetition is seen across the last occurrence of a sequence breaker, and single-token breakers are never
/// penalised.
package struct DRY: SamplingStage {
    let multiplier: Double, base: Double
    let allowed: Int, window: Int
    let singleBreakers: [Int32]
    let longBreakers: [[Int32]]
    package var preservesArgmax: Bool { false }

    package init?(parameters: SamplingParameters, vocabulary: SamplingVocabulary) {
        guard parameters.dryMultiplier > 0, parameters.dryPenaltyLastN != 0 else { return nil }
        multiplier = Double(parameters.dryMultiplier)
        base = Double(parameters.dryBase)
        allowed = parameters.dryAllowedLength
        window = parameters.dryPenaltyLastN ?? .max
        singleBreakers = parameters.drySequenceBreakers.filter { $0.count == 1 }.map { $0[0] }.sorted()
        longBreakers = parameters.drySequenceBreakers.filter { $0.count > 1 }
    }

    /// O(window): the Z-function of the reversed window (Gusfield, "Algorithms on Strings, Trees, and Sequences", 1997,
    /// section 1.4).
    package func apply(to candidates: inout Candidates, in context: StageContext) {
        let tokens = context.history.tokens
        let count = min(window, tokens.count)
        let limit = tokensSinceBreaker(tokens, count)
        guard count > allowed, limit >= allowed else { return }
        let newest = tokens.count - 1
        let lengths = candidates.lengths(atLeast: count)
        let marks = candidates.marks
        var boxStart = 0
        var boxEnd = 0
        for shift in 1..<count {
            var length = shift < boxEnd ? min(boxEnd - shift, Int(lengths[shift - boxStart])) : 0
            while shift + length < count && tokens[newest - length] == tokens[newest - shift - length] { length += 1 }
            if shift + length > boxEnd { (boxStart, boxEnd) = (shift, shift + length) }
            lengths[shift] = Int32(truncatingIfNeeded: length)
            let repeated = min(length, limit)
            let token = Int(tokens[newest - shift + 1])
            if repeated >= allowed && token >= 0 && token < marks.count {
                marks[token] = max(marks[token], Int32(truncatingIfNeeded: repeated))
            }
        }
        for token in tokens[(tokens.count - count)...] where token >= 0 && Int(token) < marks.count {
            let repeated = Int(marks[Int(token)])
            guard repeated > 0 else { continue }
            marks[Int(token)] = 0
            if let index = candidates.index(of: token), !isBreaker(token) {
                // Far beyond any score, and small enough that a temperature cannot take it out of a Float's range.
                let penalty = min(1e30, multiplier * ScalarMath.pow(base, Double(repeated - allowed)))
                candidates.scores[index] -= Float(penalty)
            }
        }
    }

    /// How many tokens of the window follow the last end of a breaker in it.
    private func tokensSinceBreaker(_ tokens: UnsafeBufferPointer<Int32>, _ count: Int) -> Int {
        guard !singleBreakers.isEmpty || !longBreakers.isEmpty else { return count }
        let start = tokens.count - count
        for after in 0..<count {
            let end = tokens.count - after
            if isBreaker(tokens[end - 1]) { return after }
            for breaker in longBreakers where end - breaker.count >= start {
                if breaker.elementsEqual(tokens[(end - breaker.count)..<end]) { return after }
            }
        }
        return count
    }

    private func isBreaker(_ token: Int32) -> Bool {
        var low = 0
        var high = singleBreakers.count
        while low < high {
            let middle = (low + high) / 2
            if singleBreakers[middle] < token { low = middle + 1 } else { high = middle }
        }
        return low < singleBreakers.count && singleBreakers[low] == token
    }
}
