/// A set of scalars as a pattern writes it: classes, ranges, complements and intersections, with a bitmap for ASCII.
struct ScalarSet: Sendable {
    indirect enum Expression: Sendable {
        case mask(UInt32)
        case alphabetic
        /// Assigned by this version of Unicode or an earlier one.
        case assigned(by: Int)
        case range(UInt32, UInt32)
        case union([Expression])
        case intersection(Expression, Expression)
        case complement(Expression)

        func contains(_ scalar: UInt32, _ code: UInt8) -> Bool {
            switch self {
            case .mask(let mask): mask >> UInt32(code & ScalarClass.codeMask) & 1 != 0
            case .alphabetic: code & ScalarClass.alphabeticBit != 0
            case .assigned(let version): ScalarClass.isAssigned(scalar, by: version)
            case .range(let low, let high): scalar >= low && scalar <= high
            case .union(let parts): parts.contains { $0.contains(scalar, code) }
            case .intersection(let a, let b): a.contains(scalar, code) && b.contains(scalar, code)
            case .complement(let inner): !inner.contains(scalar, code)
            }
        }
    }

    let expression: Expression
    private let asciiLow: UInt64
    private let asciiHigh: UInt64
    // Where the set is a mask and ranges, perhaps complemented, these answer without walking the expression.
    private let isPlain: Bool
    private let mask: UInt32
    private let lows: [UInt32]
    private let highs: [UInt32]
    private let isComplemented: Bool

    init(_ expression: Expression) {
        self.expression = expression
        var low: UInt64 = 0
        var high: UInt64 = 0
        for scalar in 0..<UInt32(128) where expression.contains(scalar, ScalarClass.of(scalar)) {
            if scalar < 64 { low |= 1 << UInt64(scalar) } else { high |= 1 << UInt64(scalar - 64) }
        }
        asciiLow = low
        asciiHigh = high
        var inner = expression
        var complemented = false
        if case .complement(let body) = inner {
            complemented = true
            inner = body
        }
        let parts: [Expression] = if case .union(let list) = inner { list } else { [inner] }
        var plainMask: UInt32 = 0
        var plainLows: [UInt32] = []
        var plainHighs: [UInt32] = []
        var plain = true
        for part in parts {
            switch part {
            case .mask(let bits): plainMask |= bits
            case .range(let first, let last):
                // The bitmap answers for ASCII.
                if last >= 128 {
                    plainLows.append(first)
                    plainHighs.append(last)
                }
            default: plain = false
            }
        }
        isPlain = plain
        mask = plainMask
        lows = plainLows
        highs = plainHighs
        isComplemented = complemented
    }

    @inline(__always)
    func containsASCII(_ byte: UInt8) -> Bool {
        (byte < 64 ? asciiLow >> UInt64(byte) : asciiHigh >> UInt64(byte &- 64)) & 1 != 0
    }

    @inline(__always)
    func contains(_ scalar: UInt32) -> Bool {
        scalar < 128 ? containsASCII(UInt8(truncatingIfNeeded: scalar)) : containsWide(scalar)
    }

    private func containsWide(_ scalar: UInt32) -> Bool {
        let code = ScalarClass.of(scalar)
        guard isPlain else { return expression.contains(scalar, code) }
        var found = mask >> UInt32(code & ScalarClass.codeMask) & 1 != 0
        if !found {
            for index in lows.indices where scalar >= lows[index] && scalar <= highs[index] {
                found = true
                break
            }
        }
        return found != isComplemented
    }
}
