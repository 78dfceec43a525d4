import CKernels
import Testing

/// Formats made of parts, read one element at a time from their definition.
struct GroupReference: Sendable, CustomTestStringConvertible {
    let coding: Int, group: Int, scale: Int, zeroPoints: Bool

    var type: Int { Int(apus_group_type(Int32(coding), Int32(group), Int32(scale), zeroPoints ? 1 : 0)) }
    var testDescription: String { "coding \(coding), group \(group), scale \(scale)\(zeroPoints ? ", zero points" : "")" }

    static let bits = [2, 3, 4, 5, 6, 8, 4, 4, 4, 6, 6, 8, 8, 4, 3, 4]
    static let scaleBytes = [2, 2, 4, 1]
    var bits: Int { Self.bits[coding] }
    var isFloat: Bool { (APUS_E4M3...APUS_NF4).contains(coding) }
    var block: Int { max(32, group) }
    var codeBytes: Int { block * bits / 8 }
    var groups: Int { block / group }
    var blockBytes: Int { codeBytes + groups * (Self.scaleBytes[scale] + (zeroPoints ? 1 : 0)) }

    /// Every combination there is but for codebooks, which have rows of another form.
    static let all: [GroupReference] = (0..<14).flatMap { coding in
        [16, 32, 64, 128].flatMap { group in
            (0..<4).flatMap { scale in
                [false, true].map { GroupReference(coding: coding, group: group, scale: scale, zeroPoints: $0) }
            }
        }
    }.filter { format in
        let isInteger = format.coding <= APUS_INT8
        if format.zeroPoints, !isInteger || format.scale == 3 || format.group == 16 { return false }
        return format.group > 16 || !format.isFloat && format.coding != APUS_E3M2
    }

    /// Some of those whose products are sums of whole numbers: each coding, each group, each kind of scale.
    static let integers: [FormatReference] = all.filter { format in
        guard !format.isFloat else { return false }
        return format.scale == (format.coding + format.group / 32) % 4 || format.zeroPoints && format.scale == 0
    }.map(\.reference)

    /// The stored code of input `index` of 32: planes of 8, 4, 2 and 1 bits, the lowest bits first.
    static func code(_ bytes: ArraySlice<UInt8>, _ bits: Int, _ index: Int) -> Int {
        var at = bytes.startIndex
        var code = 0
        var shift = 0
        while shift < bits {
            let width = [8, 4, 2, 1].first { $0 <= bits - shift }!
            let byte = width == 1 ? index / 8 : index % (4 * width)
            let place = width == 1 ? index % 8 : index / (4 * width)
            code |= (Int(bytes[at + byte]) >> (place * width) & (1 << width - 1)) << shift
            at += 4 * width
            shift += width
        }
        return code
    }

    /// Sign, exponent with a bias, fraction.
    static func float(_ code: Int, exponent exponentBits: Int, fraction fractionBits: Int) -> Float {
        let bias = max(1, 1 << (exponentBits - 1)) - 1
        let fraction = code & (1 << fractionBits - 1)
        let exponent = code >> fractionBits & (1 << exponentBits - 1)
        let negative = code >> (exponentBits + fractionBits) & 1 == 1
        let scale = Float(sign: .plus, exponent: (exponent == 0 ? 1 : exponent) - bias - fractionBits, significand: 1)
        let magnitude = Float(exponent == 0 ? fraction : fraction + 1 << fractionBits) * scale
        return negative ? -magnitude : magnitude
    }

    static let nf4: [Float] = [
        -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
        -0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
        0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1,
    ]

    /// What a code stands for.
    func level(_ code: Int) -> Float {
        switch coding {
        case APUS_E2M1: Self.float(code, exponent: 2, fraction: 1)
        case APUS_E1M2: Float(code & 7) * (code & 8 == 0 ? 0.25 : -0.25)
        case APUS_E3M0:
            (code & 7 == 0 ? 0 : Float(sign: .plus, exponent: (code & 7) - 3, significand: 1)) * (code & 8 == 0 ? 1 : -1)
        case APUS_E2M3: Self.float(code, exponent: 2, fraction: 3)
        case APUS_E3M2: Self.float(code, exponent: 3, fraction: 2)
        case APUS_E4M3: Self.float(code, exponent: 4, fraction: 3)
        case APUS_E5M2: Self.float(code, exponent: 5, fraction: 2)
        case APUS_NF4: Self.nf4[code]
        default: Float(zeroPoints && coding != APUS_INT8 ? code : code - 1 << (bits - 1))
        }
    }

    /// The whole number of levels of 1 / unit.
    var unit: Float {
        switch coding {
        case APUS_E2M1: 0.5
        case APUS_E1M2, APUS_E3M0: 0.25
        case APUS_E2M3: 0.125
        case APUS_E3M2: 0.0625
        default: 1
        }
    }

    func kept(_ bytes: ArraySlice<UInt8>, _ at: Int) -> Float {
        let word = (0..<Self.scaleBytes[scale]).reduce(UInt32(0)) { $0 | UInt32(bytes[bytes.startIndex + at + $1]) << (8 * $1) }
        switch scale {
        case 0: return Float(Float16(bitPattern: UInt16(word)))
        case 1: return Float(bitPattern: word << 16)
        case 2: return Float(bitPattern: word)
        default: return Float(sign: .plus, exponent: Int(word) - 127, significand: 1)
        }
    }

    static func put(_ value: Float, _ scale: Int, _ bytes: inout [UInt8], _ at: Int) {
        let word: UInt32
        switch scale {
        case 0: word = UInt32(Float16(value).bitPattern)
        case 1: word = value.bitPattern >> 16
        case 2: word = value.bitPattern
        default: word = value == 0 ? 0 : UInt32(min(254, max(0, 127 + Int(value.magnitude.exponent))))
        }
        for byte in 0..<scaleBytes[scale] { bytes[at + byte] = UInt8(truncatingIfNeeded: word >> (8 * UInt32(byte))) }
    }

    /// A block's codes, its groups' scales and minimums.
    func read(_ block: ArraySlice<UInt8>) -> (codes: [Int], scales: [Float], minimums: [Float]) {
        let codes = (0..<self.block).map { Self.code(block.dropFirst($0 / 32 * 4 * bits), bits, $0 % 32) }
        let scales = (0..<groups).map { kept(block, codeBytes + $0 * Self.scaleBytes[scale]) }
        guard zeroPoints else { return (codes, scales, []) }
        let raised = coding == APUS_INT8 ? 128 : 0
        let minimums = (0..<groups).map {
            -(scales[$0] * Float(Int(block[block.startIndex + codeBytes + groups * Self.scaleBytes[scale] + $0]) - raised))
        }
        return (codes, scales, minimums)
    }

    /// As the tests of whole-number products want it: a scale for each 16 or 32 inputs.
    var reference: FormatReference {
        let repeats = max(1, group / 32)
        var result = FormatReference(
            testDescription, type, inputs: block, bytes: blockBytes, group: min(group, 32),
            halves: (0..<groups).map { codeBytes + $0 * Self.scaleBytes[scale] }
        ) { bytes in
            let (codes, scales, minimums) = read(bytes[...])
            return DecodedBlock(
                codes: codes.map { Int(level($0) / unit) },
                scales: scales.flatMap { Array(repeating: $0 * unit, count: repeats) },
                minimums: minimums.flatMap { Array(repeating: $0, count: repeats) })
        }
        result.scaleType = scale
        if zeroPoints {
            result.zeroPoints = (0..<groups).map { codeBytes + groups * Self.scaleBytes[scale] + $0 }
            result.largestZeroPoint = UInt8(1 << bits - 1)
        }
        return result
    }

    /// The values of one row, each the float nearest to scale × level, then plus minimum.
    func values(_ row: ArraySlice<UInt8>) -> [Float] {
        stride(from: row.startIndex, to: row.endIndex, by: blockBytes).flatMap { start -> [Float] in
            let (codes, scales, minimums) = read(row[start..<start + blockBytes])
            return codes.indices.map {
                let value = scales[$0 / group] * level(codes[$0])
                return minimums.isEmpty ? value : value + minimums[$0 / group]
            }
        }
    }
}
