import CKernels
import Testing

/// A block's codes and, for each group of inputs, its scale and minimum: value = scale × code + minimum.
struct DecodedBlock {
    var codes: [Int], scales: [Float], minimums: [Float]
}

/// A format read one element at a time, straight from its definition: the truth the vector kernels must meet.
struct FormatReference: Sendable, CustomTestStringConvertible {
    let name: String, type: Int, inputs: Int, bytes: Int, group: Int
    /// Where a block keeps its half-precision scales.
    let halves: [Int]
    /// How it keeps them: 0 as halves, and as `GroupFormat.Scale` counts.
    var scaleType = 0
    /// Where it keeps zero points, and the largest that a code can meet.
    var zeroPoints: [Int] = []
    var largestZeroPoint: UInt8 = 255
    let decode: @Sendable ([UInt8]) -> DecodedBlock

    var testDescription: String { name }

    init(
        _ name: String, _ type: Int, inputs: Int, bytes: Int, group: Int, halves: [Int],
        decode: @escaping @Sendable ([UInt8]) -> DecodedBlock
    ) {
        (self.name, self.type, self.inputs, self.bytes, self.group) = (name, type, inputs, bytes, group)
        (self.halves, self.decode) = (halves, decode)
    }

    /// GGUF's formats, which have goldens; and those with formats made of parts.
    static let all = gguf + GroupReference.integers
    static let gguf = [
        FormatReference("Q4_0", APUS_Q4_0, inputs: 32, bytes: 18, group: 32, halves: [0]) { block in
            simple(block, codes: (0..<32).map { nibble(block, 2, $0) - 8 })
        },
        FormatReference("Q4_1", APUS_Q4_1, inputs: 32, bytes: 20, group: 32, halves: [0, 2]) { block in
            simple(block, codes: (0..<32).map { nibble(block, 4, $0) }, minimum: half(block, 2))
        },
        FormatReference("Q5_0", APUS_Q5_0, inputs: 32, bytes: 22, group: 32, halves: [0]) { block in
            simple(block, codes: (0..<32).map { nibble(block, 6, $0) + 16 * bit(block, 2, $0) - 16 })
        },
        FormatReference("Q5_1", APUS_Q5_1, inputs: 32, bytes: 24, group: 32, halves: [0, 2]) { block in
            simple(
                block, codes: (0..<32).map { nibble(block, 8, $0) + 16 * bit(block, 4, $0) }, minimum: half(block, 2))
        },
        FormatReference("Q8_0", APUS_Q8_0, inputs: 32, bytes: 34, group: 32, halves: [0]) { block in
            simple(block, codes: (0..<32).map { Int(Int8(bitPattern: block[2 + $0])) })
        },
        FormatReference("Q2_K", APUS_Q2_K, inputs: 256, bytes: 84, group: 16, halves: [80, 82]) { block in
            DecodedBlock(
                codes: (0..<256).map { pair(block, 16, $0) },
                scales: (0..<16).map { half(block, 80) * Float(block[$0] & 15) },
                minimums: (0..<16).map { -(half(block, 82) * Float(block[$0] >> 4)) })
        },
        FormatReference("Q3_K", APUS_Q3_K, inputs: 256, bytes: 110, group: 16, halves: [108]) { block in
            DecodedBlock(
                codes: (0..<256).map { pair(block, 32, $0) - (block[$0 % 32] >> ($0 / 32) & 1 == 1 ? 0 : 4) },
                scales: (0..<16).map {
                    let low = $0 < 8 ? block[96 + $0] & 15 : block[88 + $0] >> 4
                    let high = block[104 + $0 % 4] >> (2 * ($0 / 4)) & 3
                    return half(block, 108) * Float(Int(low) + 16 * Int(high) - 32)
                },
                minimums: [])
        },
        FormatReference("Q4_K", APUS_Q4_K, inputs: 256, bytes: 144, group: 32, halves: [0, 2]) { block in
            scaledBySixBits(block, codes: (0..<256).map { wideNibble(block, 16, $0) })
        },
        FormatReference("Q5_K", APUS_Q5_K, inputs: 256, bytes: 176, group: 32, halves: [0, 2]) { block in
            scaledBySixBits(
                block,
                codes: (0..<256).map { wideNibble(block, 48, $0) + 16 * Int(block[16 + $0 % 32] >> ($0 / 32) & 1) })
        },
        FormatReference("Q6_K", APUS_Q6_K, inputs: 256, bytes: 210, group: 16, halves: [208]) { block in
            DecodedBlock(
                codes: (0..<256).map {
                    let part = $0 / 128
                    let quarter = $0 % 128 / 32
                    let lane = $0 % 32
                    let byte = block[64 * part + 32 * (quarter % 2) + lane]
                    let high = block[128 + 32 * part + lane] >> (2 * quarter) & 3
                    return Int(quarter < 2 ? byte & 15 : byte >> 4) + 16 * Int(high) - 32
                },
                scales: (0..<16).map { half(block, 208) * Float(Int8(bitPattern: block[192 + $0])) },
                minimums: [])
        },
        FormatReference("IQ4_NL", APUS_IQ4_NL, inputs: 32, bytes: 18, group: 32, halves: [0]) { block in
            simple(block, codes: (0..<32).map { bellValues[nibble(block, 2, $0)] })
        },
        FormatReference("IQ4_XS", APUS_IQ4_XS, inputs: 256, bytes: 136, group: 32, halves: [0]) { block in
            DecodedBlock(
                codes: (0..<256).map { bellValues[nibble(block, 8 + 16 * ($0 / 32), $0 % 32)] },
                scales: (0..<8).map {
                    let low = block[4 + $0 / 2] >> (4 * ($0 % 2)) & 15
                    let high = (UInt16(block[2]) | UInt16(block[3]) << 8) >> (2 * $0) & 3
                    return half(block, 0) * Float(Int(low) + 16 * Int(high) - 32)
                },
                minimums: [])
        },
        FormatReference("MXFP4", APUS_MXFP4, inputs: 32, bytes: 17, group: 32, halves: []) { block in
            let codes = (0..<32).map { index in
                let code = nibble(block, 1, index)
                let magnitude = [0, 1, 2, 3, 4, 6, 8, 12][code % 8]
                return code < 8 ? magnitude : -magnitude
            }
            let scale = Float(sign: .plus, exponent: Int(block[0]) - 128, significand: 1)
            return DecodedBlock(codes: codes, scales: [scale], minimums: [])
        },
    ]

    static let bellValues = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113]

    static func half(_ block: [UInt8], _ at: Int) -> Float {
        Float(Float16(bitPattern: UInt16(block[at]) | UInt16(block[at + 1]) << 8))
    }

    /// 32 codes in 16 bytes: the low halves, then the high ones.
    static func nibble(_ block: [UInt8], _ at: Int, _ index: Int) -> Int {
        Int(index < 16 ? block[at + index] & 15 : block[at + index - 16] >> 4)
    }

    /// 64 codes in 32 bytes: the low halves, then the high ones.
    static func wideNibble(_ block: [UInt8], _ at: Int, _ index: Int) -> Int {
        let byte = block[at + index / 64 * 32 + index % 32]
        return Int(index % 64 < 32 ? byte & 15 : byte >> 4)
    }

    /// 128 codes in 32 bytes: 32 of each pair of bits, lowest first.
    static func pair(_ block: [UInt8], _ at: Int, _ index: Int) -> Int {
        Int(block[at + index / 128 * 32 + index % 32] >> (2 * (index % 128 / 32)) & 3)
    }

    static func bit(_ block: [UInt8], _ at: Int, _ index: Int) -> Int { Int(block[at + index / 8] >> (index % 8) & 1) }

    static func simple(_ block: [UInt8], codes: [Int], minimum: Float? = nil) -> DecodedBlock {
        DecodedBlock(codes: codes, scales: [half(block, 0)], minimums: minimum.map { [$0] } ?? [])
    }

    static func scaledBySixBits(_ block: [UInt8], codes: [Int]) -> DecodedBlock {
        let packed = block[4..<16].map(Int.init)
        var scales: [Float] = []
        var minimums: [Float] = []
        for group in 0..<8 {
            var scale = packed[group] & 63
            var minimum = packed[group < 4 ? group + 4 : group] & 63
            if group >= 4 {
                scale = (packed[group + 4] & 15) + 16 * (packed[group - 4] >> 6)
                minimum = (packed[group + 4] >> 4) + 16 * (packed[group] >> 6)
            }
            scales.append(half(block, 0) * Float(scale))
            minimums.append(-(half(block, 2) * Float(minimum)))
        }
        return DecodedBlock(codes: codes, scales: scales, minimums: minimums)
    }

    /// One row of blocks: every code, and every group's scale and minimum.
    func decodeRow(_ row: ArraySlice<UInt8>) -> DecodedBlock {
        var all = DecodedBlock(codes: [], scales: [], minimums: [])
        for start in stride(from: row.startIndex, to: row.endIndex, by: bytes) {
            let block = decode(Array(row[start..<start + bytes]))
            all.codes += block.codes
            all.scales += block.scales
            all.minimums += block.minimums
        }
        return all
    }

    /// The values of one row, each the float nearest to scale × code, then plus minimum.
    func values(_ row: ArraySlice<UInt8>) -> [Float] {
        let decoded = decodeRow(row)
        return decoded.codes.indices.map {
            let value = decoded.scales[$0 / group] * Float(decoded.codes[$0])
            return decoded.minimums.isEmpty ? value : value + decoded.minimums[$0 / group]
        }
    }
}
