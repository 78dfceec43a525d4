/// Finds where an ordered list would be cut, without ordering it: a radix selection over 32-bit keys, from the highest
/// digit down, in at most three passes.
package enum PrefixSelection {
    /// Values of a digit: 12, then 10, then 10 bits.
    static let digits = 4096

    /// When a prefix is long enough.
    package enum Goal {
        /// This many elements, at least 1.
        case count(Int)
        /// At least this sum of weights.
        case weight(Double)
    }

    /// The last element of the prefix: all elements with smaller keys belong to it, and of those with this key the
    /// first `ties` in list order.
    struct Border {
        var key: UInt32
        var ties: Int
    }

    /// A key that grows as the score falls; equal scores (0 and −0 too) have equal keys.
    @inline(__always)
    package static func descending(_ score: Float) -> UInt32 { ~ascending(score) }

    /// A key that grows with the number.
    @inline(__always)
    package static func ascending(_ number: Float) -> UInt32 {
        let bits = (number + 0).bitPattern
        return bits & 0x8000_0000 != 0 ? ~bits : bits | 0x8000_0000
    }

    /// Sums of weights are taken digit by digit: over a digit's elements in list order, then over the digits in
    /// ascending order, so they depend on the list alone. O(count).
    @inline(__always)
    static func border(
        count: Int, weights: UnsafePointer<Float>, goal: Goal, digitCounts: UnsafeMutableBufferPointer<Int>,
        digitWeights: UnsafeMutableBufferPointer<Double>, key: (Int) -> UInt32
    ) -> Border {
        var prefix: UInt32 = 0
        var countBefore = 0, weightBefore = 0.0
        var shift: UInt32 = 32
        for pass in 0..<3 {
            let width: UInt32 = pass == 0 ? 12 : 10
            let mask: UInt32 = pass == 0 ? 0 : ~0 << shift
            shift -= width
            let size = 1 << Int(width)
            for digit in 0..<size { digitCounts[digit] = 0 }
            switch goal {
            case .count:
                for index in 0..<count {
                    let key = key(index)
                    if key & mask == prefix { digitCounts[Int(key >> shift) & (size - 1)] += 1 }
                }
            case .weight:
                for digit in 0..<size { digitWeights[digit] = 0 }
                for index in 0..<count {
                    let key = key(index)
                    guard key & mask == prefix else { continue }
                    let digit = Int(key >> shift) & (size - 1)
                    digitCounts[digit] += 1
                    digitWeights[digit] += Double(weights[index])
                }
            }
            var chosen = 0, last = 0, isReached = false
            for digit in 0..<size where digitCounts[digit] > 0 {
                last = digit
                switch goal {
                case .count(let limit): isReached = countBefore + digitCounts[digit] >= limit
                case .weight(let limit): isReached = weightBefore + digitWeights[digit] >= limit
                }
                chosen = digit
                if isReached { break }
                countBefore += digitCounts[digit]
                if case .weight = goal { weightBefore += digitWeights[digit] }
            }
            if !isReached {
                // Only rounding of the sum can leave the goal unreached: then the prefix ends in the last digit.
                chosen = last
                countBefore -= digitCounts[last]
                if case .weight = goal { weightBefore -= digitWeights[last] }
            }
            prefix |= UInt32(chosen) << shift
        }
        return Border(key: prefix, ties: ties(goal, prefix, countBefore, weightBefore, count, weights, key))
    }

    @inline(__always)
    private static func ties(
        _ goal: Goal, _ border: UInt32, _ countBefore: Int, _ weightBefore: Double, _ count: Int,
        _ weights: UnsafePointer<Float>, _ key: (Int) -> UInt32
    ) -> Int {
        switch goal {
        case .count(let limit):
            return limit - countBefore
        case .weight(let limit):
            var ties = 0, weight = weightBefore
            for index in 0..<count where key(index) == border {
                ties += 1
                weight += Double(weights[index])
                if weight >= limit { break }
            }
            return ties
        }
    }
}
