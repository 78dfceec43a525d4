/// The type of a metadata value in a GGUF file; raw values are those of the format.
public enum GGUFValueType: UInt32, Sendable, CaseIterable {
    case uint8 = 0
    case int8 = 1
    case uint16 = 2
    case int16 = 3
    case uint32 = 4
    case int32 = 5
    case float32 = 6
    case bool = 7
    case string = 8
    case array = 9
    case uint64 = 10
    case int64 = 11
    case float64 = 12

    /// Bytes of one value, or nil for strings and arrays, whose length is in the file.
    public var byteCount: Int? {
        switch self {
        case .uint8, .int8, .bool: 1
        case .uint16, .int16: 2
        case .uint32, .int32, .float32: 4
        case .uint64, .int64, .float64: 8
        case .string, .array: nil
        }
    }

    /// The least number of bytes one value takes in a file: an empty string is its length, an empty array its
    /// element type and its length.
    var minimumBytes: Int {
        switch self {
        case .string: 8
        case .array: 12
        default: byteCount!
        }
    }

    var isInteger: Bool {
        switch self {
        case .uint8, .int8, .uint16, .int16, .uint32, .int32, .uint64, .int64: true
        default: false
        }
    }

    /// The name as in errors: `uint32`, `string`.
    public var name: String { String(describing: self) }
}

/// A metadata value of a GGUF file, decoded.
///
/// Strings are bytes, since tokens need not be valid UTF-8.
public enum GGUFValue: Sendable, Equatable {
    case uint8(UInt8)
    case int8(Int8)
    case uint16(UInt16)
    case int16(Int16)
    case uint32(UInt32)
    case int32(Int32)
    case float32(Float)
    case bool(Bool)
    case string([UInt8])
    /// Every value is of the type `of`; arrays of arrays may hold arrays of different types.
    case array(of: GGUFValueType, [GGUFValue])
    case uint64(UInt64)
    case int64(Int64)
    case float64(Double)

    /// A string value from text.
    public static func string(_ text: String) -> GGUFValue { .string(Array(text.utf8)) }

    /// The type as in the file.
    public var type: GGUFValueType {
        switch self {
        case .uint8: .uint8
        case .int8: .int8
        case .uint16: .uint16
        case .int16: .int16
        case .uint32: .uint32
        case .int32: .int32
        case .float32: .float32
        case .bool: .bool
        case .string: .string
        case .array: .array
        case .uint64: .uint64
        case .int64: .int64
        case .float64: .float64
        }
    }
}

/// What the format allows; the reader refuses the rest and the writer does not write it.
enum GGUFLimits {
    static let magic: [UInt8] = Array("GGUF".utf8)
    /// Bytes of a metadata key or tensor name.
    static let nameBytes = 65_535
    /// Metadata pairs and tensors: far more than any model has, and few enough that a damaged count in a huge file
    /// cannot use up the memory.
    static let countLimit = 1 << 20
    static let dimensions = 1...4
    static let defaultAlignment = 32
    /// Larger alignments are allowed by the format, yet no file needs them.
    static let alignmentLimit = 1 << 20
    /// How deeply arrays of arrays may nest.
    static let arrayDepth = 8
    /// Key length, one byte of key, value type, the smallest value.
    static let minimumPairBytes = 8 + 1 + 4 + 1
    /// Name length, one byte of name, number of dimensions, one dimension, type, offset.
    static let minimumTensorBytes = 8 + 1 + 4 + 8 + 4 + 8

    /// `position` rounded up to a multiple of `alignment`, or nil where that does not fit.
    static func align(_ position: Int, to alignment: Int) -> Int? {
        let (sum, overflow) = position.addingReportingOverflow(alignment - 1)
        return overflow ? nil : sum / alignment * alignment
    }
}
