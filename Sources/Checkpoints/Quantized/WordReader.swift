internal import Tensors

/// Numbers of a raw tensor by index: little-endian, at any alignment.
struct RawNumbers: @unchecked Sendable {
    let bytes: UnsafeRawBufferPointer
    /// Keeps ``bytes`` valid.
    let file: MappedFile

    init(_ tensor: Checkpoint.RawTensor) {
        bytes = tensor.bytes
        file = tensor.file
    }

    @inline(__always) func word(_ index: Int) -> UInt32 {
        UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self))
    }
    @inline(__always) func byte(_ index: Int) -> UInt8 { bytes[index] }

    /// `bits` bits from bit `at` of words that are `stride` apart, as one stream.
    @inline(__always) func field(_ first: Int, stride: Int, bit at: Int, bits: Int) -> UInt32 {
        let (index, shift) = (at / 32, at % 32)
        var value = word(first + index * stride) >> UInt32(shift)
        if shift + bits > 32 { value |= word(first + (index + 1) * stride) << UInt32(32 - shift) }
        return value & (1 << UInt32(bits) - 1)
    }

    /// All numbers of a float type.
    static func floats(_ tensor: Checkpoint.RawTensor) -> (values: [Float], scale: GroupFormat.Scale)? {
        let bytes = tensor.bytes
        switch tensor.dtypeName {
        case "F32":
            return ((0..<bytes.count / 4).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }, .f32)
        case "F16":
            return (
                (0..<bytes.count / 2).map {
                    Float(Float16(bitPattern: bytes.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self)))
                }, .f16
            )
        case "BF16":
            return (
                (0..<bytes.count / 2).map {
                    Float(bitPattern: UInt32(bytes.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self)) << 16)
                }, .bf16
            )
        case "F8_E4M3":
            return (bytes.map(float(e4m3:)), .f32)
        case "U8", "F8_E8M0":
            return (
                bytes.map { Float(sign: .plus, exponent: Int($0) - 127, significand: 1) }, .e8m0
            )
        default: return nil
        }
    }

    static func float(e4m3 code: UInt8) -> Float {
        let (exponent, fraction) = (Int(code >> 3 & 15), Float(code & 7))
        let magnitude =
            exponent == 0 ? fraction * 0x1p-9 : (8 + fraction) * Float(sign: .plus, exponent: exponent - 10, significand: 1)
        return code & 128 == 0 ? magnitude : -magnitude
    }
}
