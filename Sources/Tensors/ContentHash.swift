/// 256 bits over any bytes, at the speed of memory: finds what was damaged or exchanged by accident. Four lanes take eight
/// bytes each in turn; each step is a bijection of its lane, so a single changed word always changes the result. Not
/// meant to withstand somebody who searches for equal hashes.
public struct ContentHash: Sendable {
    private var lanes: SIMD4<UInt64> = [
        0x243F_6A88_85A3_08D3, 0x1319_8A2E_0370_7344, 0xA409_3822_299F_31D0, 0x082E_FA98_EC4E_6C89,
    ]
    private var length: UInt64 = 0

    public init() {}

    /// Adds bytes. Where a stretch ends is part of the result: "ab" + "c" is not "a" + "bc".
    public mutating func add(_ bytes: UnsafeRawBufferPointer) {
        let whole = bytes.count / 32
        for index in 0..<whole {
            mix(bytes.loadUnaligned(fromByteOffset: 32 * index, as: SIMD4<UInt64>.self))
        }
        var rest = SIMD4<UInt64>(repeating: 0)
        withUnsafeMutableBytes(of: &rest) { rest in
            rest.copyBytes(from: bytes[(32 * whole)...])
        }
        mix(rest)
        length = length &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(bytes.count) &+ 1
    }

    public mutating func add(_ text: String) {
        var text = text
        text.withUTF8 { add(UnsafeRawBufferPointer($0)) }
    }

    private mutating func mix(_ words: SIMD4<UInt64>) {
        lanes = (lanes ^ words) &* SIMD4(repeating: 0xD6E8_FEB8_6659_FD93)
        lanes ^= lanes &>> SIMD4(repeating: 32)
    }

    /// The hash of everything added so far: 32 bytes.
    public var value: SIMD4<UInt64> {
        var copy = self
        // Every lane ends up in every other.
        for round in 0..<4 {
            let turned = SIMD4(copy.lanes[3], copy.lanes[0], copy.lanes[1], copy.lanes[2])
            copy.mix(turned &+ SIMD4(repeating: length &+ UInt64(round)))
        }
        return copy.lanes
    }

    /// The same as four numbers in hexadecimal with hyphens between.
    public var text: String {
        let value = value
        return (0..<4).map { String(value[$0], radix: 16) }.joined(separator: "-")
    }
}
