/// The keys and goals of a radix selection: it cuts an ordered list without ordering it, by deciding the border's
/// 32-bit key from its highest digit down in three passes. `Candidates.keepPrefix` is the selection itself.
package enum PrefixSelection {
    /// Values of the first digit: 12 bits; the other two have 10.
    static let digits = 4096

    /// When a prefix is long enough.
    package enum Goal {
        /// This many elements, at least 1.
        case count(Int)
        /// At least this sum of weights.
        case weight(Double)
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

    /// The border's digit, and what comes before it: the first digit at which the running total over ascending digits
    /// reaches the goal, or, if only rounding keeps the total below it, the last digit that holds anything.
    static func digit<Total: Comparable & AdditiveArithmetic>(
        _ totals: UnsafeBufferPointer<Total>, from before: Total, reaching goal: Total
    ) -> (digit: Int, before: Total) {
        var running = before
        var last = 0
        var beforeLast = before
        for digit in 0..<totals.count where totals[digit] > .zero {
            last = digit
            beforeLast = running
            running += totals[digit]
            if running >= goal { break }
        }
        return (last, beforeLast)
    }
}
