internal import Foundation
internal import Inference
internal import Synchronization
internal import Tensors

/// What one place of a text gives for one model beside the base.
struct RowDifference {
    /// −ln of the probability of the text's own next token.
    var surprise = Float(0)
    /// Whether both models' likeliest token is the same.
    var sameTop = false
    /// By temperature: KL divergence of this model's distribution from the base's, and whether a draw gives the same token.
    var divergence: [Float]
    var sameDraw: [Bool]
}

/// Compares rows of scores; working memory for one thread.
final class RowMeter {
    private let samplers: [Sampler]
    private let temperatures: [Float]
    private let scratch: SamplerScratch
    private let base: UnsafeMutableBufferPointer<Float>
    private let other: UnsafeMutableBufferPointer<Float>
    private let weights: UnsafeMutableBufferPointer<Float>

    /// - Parameters:
    ///   - temperatures: the first is 1; the others above 0.
    ///   - samplers: one for each of them.
    init(vocabulary: Int, temperatures: [Float], samplers: [Sampler]) {
        precondition(temperatures.first == 1 && samplers.count == temperatures.count)
        self.temperatures = temperatures
        self.samplers = samplers
        scratch = SamplerScratch(vocabularySize: vocabulary)
        base = .allocate(capacity: vocabulary)
        other = .allocate(capacity: vocabulary)
        weights = .allocate(capacity: vocabulary)
    }

    deinit {
        base.deallocate()
        other.deallocate()
        weights.deallocate()
    }

    /// A distribution: softmax of scores, natural logarithms.
    private func logNormaliser(_ scores: UnsafeMutableBufferPointer<Float>) -> Double {
        ScalarMath.logSumExp(UnsafeBufferPointer(scores))
    }

    /// Compares models at one place.
    ///
    /// The divergence is Σ p · (ln p − ln q) over the vocabulary, p the base's probability and q the other's, both at the
    /// temperature: scores divided by it. Equal scores give exactly 0. A draw inverts the cumulative distribution with the
    /// engine's own noise at the position, the same number for both models.
    ///
    /// - Parameters:
    ///   - baseScores: [vocabulary]
    ///   - others: rows of the other models.
    ///   - target: the text's next token.
    ///   - position: where that token stands in the text: it addresses the noise.
    /// - Returns: the base's own surprise, and a difference for each of the others; nil where scores are no finite numbers.
    /// - Complexity: O(vocabulary × temperatures × models).
    func compare(
        _ baseScores: UnsafeBufferPointer<Float>, _ others: [UnsafeBufferPointer<Float>], target: Int32, position: Int
    ) -> (surprise: Float, differences: [RowDifference])? {
        guard Self.isSound(baseScores), others.allSatisfy(Self.isSound) else { return nil }
        var differences = others.map { _ in
            RowDifference(
                divergence: Array(repeating: 0, count: temperatures.count),
                sameDraw: Array(repeating: false, count: temperatures.count))
        }
        var surprise = Float(0)
        let baseTop = Self.argmax(baseScores)
        for (index, temperature) in temperatures.enumerated() {
            Self.scale(baseScores, by: temperature, into: base)
            let largest = ScalarMath.maximum(UnsafeBufferPointer(base))
            let total = ScalarMath.exponentials(UnsafeBufferPointer(base), shift: largest, into: weights)
            let baseNormaliser = Double(largest) + ScalarMath.log(total)
            let drawn = draw(baseScores, index, position)
            for (place, scores) in others.enumerated() {
                Self.scale(scores, by: temperature, into: other)
                let normaliser = logNormaliser(other)
                let mean = Self.weightedDifference(weights, base, other) / total
                differences[place].divergence[index] = Float(mean - baseNormaliser + normaliser)
                differences[place].sameDraw[index] = draw(scores, index, position) == drawn
                if index == 0 {
                    differences[place].surprise = Float(normaliser - Double(other[Int(target)]))
                    differences[place].sameTop = Self.argmax(scores) == baseTop
                }
            }
            if index == 0 { surprise = Float(baseNormaliser - Double(base[Int(target)])) }
        }
        return (surprise, differences)
    }

    private func draw(_ scores: UnsafeBufferPointer<Float>, _ index: Int, _ position: Int) -> Int32? {
        let sampler = samplers[index]
        let none = UnsafeBufferPointer<Int32>(start: nil, count: 0)
        return try? sampler.sample(
            scores: scores, history: TokenHistory(tokens: none, promptCount: 0), position: position,
            state: sampler.initialState, scratch: scratch
        ).id
    }

    private static func isSound(_ scores: UnsafeBufferPointer<Float>) -> Bool {
        // NaN and both infinities have the largest exponent.
        var largest: UInt32 = 0
        for score in scores { largest = max(largest, score.bitPattern & 0x7FFF_FFFF) }
        return largest < Float.infinity.bitPattern
    }

    private static func scale(
        _ scores: UnsafeBufferPointer<Float>, by temperature: Float, into target: UnsafeMutableBufferPointer<Float>
    ) {
        for index in 0..<scores.count { target[index] = scores[index] / temperature }
    }

    /// Σ w · (a − b), four chains folded in pairs.
    private static func weightedDifference(
        _ weights: UnsafeMutableBufferPointer<Float>, _ a: UnsafeMutableBufferPointer<Float>,
        _ b: UnsafeMutableBufferPointer<Float>
    ) -> Double {
        var sums = SIMD4<Double>()
        let whole = weights.count & ~3
        for index in stride(from: 0, to: whole, by: 4) {
            let w = SIMD4<Double>(
                Double(weights[index]), Double(weights[index + 1]), Double(weights[index + 2]),
                Double(weights[index + 3]))
            let x = SIMD4<Double>(
                Double(a[index]), Double(a[index + 1]), Double(a[index + 2]), Double(a[index + 3]))
            let y = SIMD4<Double>(
                Double(b[index]), Double(b[index + 1]), Double(b[index + 2]), Double(b[index + 3]))
            sums += w * (x - y)
        }
        for index in whole..<weights.count {
            sums[index - whole] += Double(weights[index]) * (Double(a[index]) - Double(b[index]))
        }
        return (sums[0] + sums[2]) + (sums[1] + sums[3])
    }

    /// The place of the highest score, the first among equals.
    private static func argmax(_ scores: UnsafeBufferPointer<Float>) -> Int {
        var best = 0
        for index in 1..<scores.count where scores[index] > scores[best] { best = index }
        return best
    }
}

/// Runs `body` for each row, as many at once as there are meters; each meter serves one thread at a time.
func forEachRow(_ count: Int, _ meters: [RowMeter], _ body: @Sendable (Int, RowMeter) -> Void) {
    guard count > 0 else { return }
    nonisolated(unsafe) let meters = meters
    let next = Atomic<Int>(0)
    DispatchQueue.concurrentPerform(iterations: min(meters.count, count)) { worker in
        while true {
            let row = next.wrappingAdd(1, ordering: .relaxed).oldValue
            guard row < count else { return }
            body(row, meters[worker])
        }
    }
}
