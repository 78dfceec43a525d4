/// How the numbers of a weight are stored.
///
/// The raw value of most is the type's number in the GGUF format, so that a header's field converts directly; the formats that
/// are made of parts (``GroupFormat``) have numbers above all of those.
/// A type stores rows in *blocks*: ``blockSize`` consecutive elements of a row in ``blockBytes`` bytes.
public enum ElementType: Sendable, CaseIterable, Hashable, RawRepresentable {
    case f32
    case f16
    case q4_0
    case q4_1
    case q5_0
    case q5_1
    case q8_0
    case q2_K
    case q3_K
    case q4_K
    case q5_K
    case q6_K
    case iq4_NL
    case iq4_XS
    case bf16
    case mxfp4
    case group(GroupFormat)

    /// The types that GGUF files have.
    public static let allCases: [ElementType] = [
        .f32, .f16, .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .q2_K, .q3_K, .q4_K, .q5_K, .q6_K, .iq4_NL, .iq4_XS, .bf16, .mxfp4,
    ]

    public var rawValue: UInt32 {
        switch self {
        case .f32: 0
        case .f16: 1
        case .q4_0: 2
        case .q4_1: 3
        case .q5_0: 6
        case .q5_1: 7
        case .q8_0: 8
        case .q2_K: 10
        case .q3_K: 11
        case .q4_K: 12
        case .q5_K: 13
        case .q6_K: 14
        case .iq4_NL: 20
        case .iq4_XS: 23
        case .bf16: 30
        case .mxfp4: 39
        case .group(let format): format.number
        }
    }

    public init?(rawValue: UInt32) {
        if let type = Self.allCases.first(where: { $0.rawValue == rawValue }) {
            self = type
        } else if let format = GroupFormat(number: rawValue) {
            self = .group(format)
        } else {
            return nil
        }
    }

    /// The type of a ``name``, in upper or lower case; nil where it is none.
    public init?(name: String) {
        if let type = Self.allCases.first(where: { $0.name.lowercased() == name.lowercased() }) {
            self = type
        } else if let format = GroupFormat(name: name) {
            self = .group(format)
        } else {
            return nil
        }
    }

    /// The parts of a format that is made of parts.
    public var groupFormat: GroupFormat? { if case .group(let format) = self { format } else { nil } }

    /// Elements of a row that share one block: 1 for the float types, 32 to 256 for the quantized ones.
    public var blockSize: Int {
        switch self {
        case .f32, .f16, .bf16: 1
        case .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .iq4_NL, .mxfp4: 32
        case .q2_K, .q3_K, .q4_K, .q5_K, .q6_K, .iq4_XS: 256
        case .group(let format): format.blockSize
        }
    }

    /// Bytes of one block on disk.
    public var blockBytes: Int {
        switch self {
        case .f32: 4
        case .f16, .bf16: 2
        case .q4_0, .iq4_NL: 18
        case .q4_1: 20
        case .q5_0: 22
        case .q5_1: 24
        case .q8_0: 34
        case .mxfp4: 17
        case .q2_K: 84
        case .q3_K: 110
        case .q4_K: 144
        case .q5_K: 176
        case .q6_K: 210
        case .iq4_XS: 136
        case .group(let format): format.blockBytes
        }
    }

    /// Bytes of a row before its first block: 0 but for codebooks.
    public var rowHeaderBytes: Int { groupFormat?.rowHeaderBytes ?? 0 }

    /// True where a weight of this type is multiplied as integer codes against 8-bit activations; others are multiplied as
    /// floats.
    public var isQuantized: Bool {
        if let groupFormat { return !groupFormat.coding.isFloat }
        return blockSize > 1
    }

    /// The name the field uses: `F32`, `Q4_K`, `MXFP4`, `INT4_G128`.
    public var name: String {
        switch self {
        case .f32: "F32"
        case .f16: "F16"
        case .bf16: "BF16"
        case .q4_0: "Q4_0"
        case .q4_1: "Q4_1"
        case .q5_0: "Q5_0"
        case .q5_1: "Q5_1"
        case .q8_0: "Q8_0"
        case .q2_K: "Q2_K"
        case .q3_K: "Q3_K"
        case .q4_K: "Q4_K"
        case .q5_K: "Q5_K"
        case .q6_K: "Q6_K"
        case .iq4_NL: "IQ4_NL"
        case .iq4_XS: "IQ4_XS"
        case .mxfp4: "MXFP4"
        case .group(let format): format.name
        }
    }

    /// Bytes of a row of `elements` numbers, or of whole rows of a type without ``rowHeaderBytes``; nil where the row is not a
    /// whole number of blocks or the size does not fit in an `Int`.
    public func byteCount(elements: Int) -> Int? {
        guard elements >= 0, elements % blockSize == 0 else { return nil }
        let (bytes, overflow) = (elements / blockSize).multipliedReportingOverflow(by: blockBytes)
        return overflow ? nil : bytes + rowHeaderBytes
    }

    /// Bytes that a weight takes for each number, by its type: 8.5 bits for `Q8_0`. Codebooks are not counted.
    public var bitsPerElement: Double { Double(blockBytes) * 8 / Double(blockSize) }
}
