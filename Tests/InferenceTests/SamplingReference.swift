#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#endif

// The test's own truth: the system's math library, full sorts and double precision, nothing of the code under test.

func exponential(_ x: Double) -> Double { exp(x) }
func logarithm(_ x: Double) -> Double { log(x) }
func power(_ x: Double, _ y: Double) -> Double { pow(x, y) }

/// softmax in double precision; -infinity has probability 0.
func softmax(_ scores: [Double]) -> [Double] {
    let highest = scores.max()!
    let weights = scores.map { $0 == -.infinity ? 0 : exp($0 - highest) }
    let total = weights.reduce(0, +)
    return weights.map { $0 / total }
}

func softmax(_ scores: [Float]) -> [Double] { softmax(scores.map(Double.init)) }

/// Probabilities of the kept places only, scaled to add to 1.
func renormalised(_ probabilities: [Double], keeping kept: Set<Int>) -> [Double] {
    let total = kept.reduce(0.0) { $0 + probabilities[$1] }
    return probabilities.indices.map { kept.contains($0) ? probabilities[$0] / total : 0 }
}

/// Places by descending value, equal ones ascending.
func descending(_ values: [Double]) -> [Int] {
    values.indices.sorted { values[$0] != values[$1] ? values[$0] > values[$1] : $0 < $1 }
}

/// A small generator for test rows (SplitMix64), unrelated to the sampler's noise.
struct TestGenerator: RandomNumberGenerator {
    var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Scores of roughly normal shape, with ties when `isCoarse`.
    mutating func row(_ count: Int, spread: Double = 3, isCoarse: Bool = false) -> [Float] {
        (0..<count).map { _ in
            var sum = 0.0
            for _ in 0..<6 { sum += Double.random(in: -1...1, using: &self) }
            let value = sum / 2.0.squareRoot() * spread
            return Float(isCoarse ? value.rounded() : value)
        }
    }
}
