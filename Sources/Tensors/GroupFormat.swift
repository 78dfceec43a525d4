internal import CKernels

/// A weight format made of parts: how a number is coded, how many inputs of a row share a scale, how the scale is kept.
///
/// A number is `scale × level(code)`, or `scale × (code − zero point)`. Docs/Formats.md lists the levels and the bytes of a row.
public struct GroupFormat: Hashable, Sendable {
    /// What codes stand for.
    public enum Coding: Int, Sendable, CaseIterable {
        /// Whole numbers −2^(b−1) … 2^(b−1) − 1.
        case int2, int3, int4, int5, int6, int8
        /// Floats of 4 bits: 2 bits of exponent and 1 of fraction (OCP), 1 and 2, 3 and 0.
        case fp4_E2M1, fp4_E1M2, fp4_E3M0
        /// Floats of 6 and 8 bits (OCP).
        case fp6_E2M3, fp6_E3M2, fp8_E4M3, fp8_E5M2
        /// Quantiles of the normal distribution (Dettmers et al. 2023, QLoRA, section 3).
        case nf4
        /// 8 or 16 whole numbers in −127…127 of each row's own, under one scale a row.
        case lut3, lut4

        /// Bits of a code.
        public var bits: Int {
            switch self {
            case .int2: 2
            case .int3, .lut3: 3
            case .int4, .fp4_E2M1, .fp4_E1M2, .fp4_E3M0, .nf4, .lut4: 4
            case .int5: 5
            case .int6, .fp6_E2M3, .fp6_E3M2: 6
            case .int8, .fp8_E4M3, .fp8_E5M2: 8
            }
        }

        /// Evenly spaced whole numbers.
        public var isInteger: Bool { rawValue <= Coding.int8.rawValue }
        /// A codebook of each row's own.
        public var isCodebook: Bool { self == .lut3 || self == .lut4 }
        /// Numbers that products take as floats: no whole numbers of 8 bits stand for them.
        public var isFloat: Bool { self == .fp8_E4M3 || self == .fp8_E5M2 || self == .nf4 }

        /// The field's name.
        public var name: String {
            switch self {
            case .int2, .int3, .int4, .int5, .int6, .int8: "INT\(bits)"
            case .fp4_E2M1: "FP4_E2M1"
            case .fp4_E1M2: "FP4_E1M2"
            case .fp4_E3M0: "FP4_E3M0"
            case .fp6_E2M3: "FP6_E2M3"
            case .fp6_E3M2: "FP6_E3M2"
            case .fp8_E4M3: "FP8_E4M3"
            case .fp8_E5M2: "FP8_E5M2"
            case .nf4: "NF4"
            case .lut3, .lut4: "LUT\(bits)"
            }
        }

        /// The integer coding of this many bits; nil where there is none.
        public static func integer(bits: Int) -> Coding? {
            allCases.first { $0.isInteger && $0.bits == bits }
        }
    }

    /// How a group's scale is kept.
    public enum Scale: Int, Sendable, CaseIterable {
        case f16, bf16, f32
        /// A power of two, as in the OCP microscaling formats.
        case e8m0

        public var bytes: Int { self == .f32 ? 4 : self == .e8m0 ? 1 : 2 }
    }

    public let coding: Coding
    /// Inputs that share a scale: 16, 32, 64 or 128. A codebook's scale is the row's.
    public let group: Int
    public let scale: Scale
    /// Whether each group has a zero point, which its unsigned codes count from.
    public let hasZeroPoints: Bool

    public static let groups = [16, 32, 64, 128]

    /// Nil where the parts do not go together: zero points belong to integers in groups of 32 and more, whose scales are not
    /// powers of two; groups of 16 to integers and to floats of 4 and (E2M3) 6 bits; codebooks have one scale of 32 bits (group 32).
    public init?(_ coding: Coding, group: Int = 32, scale: Scale = .f16, zeroPoints: Bool = false) {
        guard Self.groups.contains(group), !zeroPoints || coding.isInteger && scale != .e8m0 && group > 16,
            group > 16 || !coding.isFloat && coding != .fp6_E3M2,
            !coding.isCodebook || group == 32 && scale == .f32
        else { return nil }
        self.coding = coding
        self.group = group
        self.scale = scale
        hasZeroPoints = zeroPoints
    }

    /// The number that stands for the format in memory and in kernels; never that of a GGUF type.
    var number: UInt32 {
        UInt32(apus_group_type(Int32(coding.rawValue), Int32(group), Int32(scale.rawValue), hasZeroPoints ? 1 : 0))
    }

    init?(number: UInt32) {
        guard let number = Int32(exactly: number), apus_is_group_format(number) != 0 else { return nil }
        let parts = apus_group_format_of(number)
        guard let coding = Coding(rawValue: Int(parts.coding)), let scale = Scale(rawValue: Int(parts.scale_type)),
            let format = GroupFormat(coding, group: Int(parts.group), scale: scale, zeroPoints: parts.zero_points != 0),
            format.number == UInt32(number)
        else { return nil }
        self = format
    }

    /// Inputs of a block of a row.
    public var blockSize: Int { max(group, 32) }

    /// Bytes of a block: the codes, then scales, then zero points.
    public var blockBytes: Int {
        let codes = blockSize / 8 * coding.bits
        return coding.isCodebook ? codes : codes + blockSize / group * (scale.bytes + (hasZeroPoints ? 1 : 0))
    }

    /// Bytes of a row before its first block: a codebook's scale and values.
    public var rowHeaderBytes: Int { coding.isCodebook ? 4 + 1 << coding.bits : 0 }

    /// `INT4_G128`, `INT4_G128_ZP`, `FP4_E2M1_G32_BF16`, `MXFP6_E2M3`, `LUT4`.
    public var name: String {
        if coding.isCodebook { return coding.name }
        if scale == .e8m0, group == 32 { return "MX" + coding.name }
        let kept = scale == .f16 ? "" : "_\(scale)".uppercased()
        return "\(coding.name)_G\(group)\(hasZeroPoints ? "_ZP" : "")\(kept)"
    }

    /// The format of a ``name``, in upper or lower case, with `-` or `_`; nil where it is none.
    public init?(name: String) {
        let wanted = name.uppercased().replacing("-")
        for coding in Coding.allCases {
            for scale in Scale.allCases {
                for group in Self.groups {
                    for zeroPoints in [false, true] {
                        guard let format = GroupFormat(coding, group: group, scale: scale, zeroPoints: zeroPoints),
                            format.name == wanted
                        else { continue }
                        self = format
                        return
                    }
                }
            }
        }
        return nil
    }
}

extension String {
    /// The text with underscores in the place of dashes.
    fileprivate func replacing(_ dash: Character) -> String { String(map { $0 == dash ? "_" : $0 }) }
}
