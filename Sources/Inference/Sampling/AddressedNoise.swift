/// What a draw of noise is for: two purposes never share a number.
public enum NoisePurpose: UInt32, Sendable {
    /// Which token a distribution yields.
    case token = 0
    /// Whether the sampling stage XTC removes the top choices at a position.
    case exclusion = 1
    /// A seed for a request that named none.
    case seed = 2
}

/// Random numbers that are looked up, never consumed: each is a function of where it is used, so that neither the order
/// of the work nor what else runs can change it.
///
/// The function is Philox4x32-10 (Salmon, Moraes, Dror & Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011,
/// section 3.3) with key = seed (low word first) and
/// counter = (absolute position, index of the sample within its prompt, purpose, block).
public struct AddressedNoise: Sendable, Equatable {
    /// The seed of the request.
    public let seed: UInt64
    /// Which of a prompt's answers this is; 0 for a single answer.
    public let sampleIndex: UInt32

    public init(seed: UInt64, sampleIndex: UInt32 = 0) {
        self.seed = seed
        self.sampleIndex = sampleIndex
    }

    /// A number from [0, 1), a multiple of 2^-53, every multiple equally likely.
    ///
    /// Number `index` of a draw takes words 2(i mod 2) (low) and 2(i mod 2) + 1 (high) of block i / 2; the upper 53 of
    /// those 64 bits make the number. Position and index lie in 0 ..< 2^32. O(1).
    public func uniform(position: Int, purpose: NoisePurpose, index: Int = 0) -> Double {
        let words = block(position: position, purpose: purpose, index: index / 2)
        let low = index % 2 == 0 ? words.x : words.z
        let high = index % 2 == 0 ? words.y : words.w
        return Double((UInt64(high) << 32 | UInt64(low)) >> 11) * 0x1p-53
    }

    /// The 128 random bits of one block of a draw.
    public func block(position: Int, purpose: NoisePurpose, index: Int = 0) -> SIMD4<UInt32> {
        precondition(position >= 0 && position <= Int(UInt32.max) && index >= 0 && index <= Int(UInt32.max))
        return Philox.block(
            counter: SIMD4(UInt32(position), sampleIndex, purpose.rawValue, UInt32(index)),
            key: SIMD2(UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32)))
    }
}

/// Philox4x32 with 10 rounds, as published.
package enum Philox {
    package static func block(counter: SIMD4<UInt32>, key: SIMD2<UInt32>) -> SIMD4<UInt32> {
        var c = counter
        var k = key
        for _ in 0..<10 {
            let a = UInt64(0xD251_1F53) * UInt64(c.x)
            let b = UInt64(0xCD9E_8D57) * UInt64(c.z)
            c = SIMD4(
                UInt32(truncatingIfNeeded: b >> 32) ^ c.y ^ k.x, UInt32(truncatingIfNeeded: b),
                UInt32(truncatingIfNeeded: a >> 32) ^ c.w ^ k.y, UInt32(truncatingIfNeeded: a))
            k = SIMD2(k.x &+ 0x9E37_79B9, k.y &+ 0xBB67_AE85)
        }
        return c
    }
}
