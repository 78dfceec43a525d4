import Checkpoints
import Tensors

/// Steele, Lea and Flood's SplitMix64: a small generator whose numbers a seed determines.
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// Valid model files with random contents.
enum RandomModel {
    struct GGUF {
        var metadata: [(key: String, value: GGUFValue)]
        var tensors: [GGUFWriter.TensorInfo]
        var data: [[UInt8]]

        /// Writes the file; every tensor in two pieces.
        func write(to path: String) throws(CheckpointError) {
            var writer = try GGUFWriter(path: path, metadata: metadata, tensors: tensors)
            for (tensor, bytes) in zip(tensors, data) {
                for piece in [bytes[..<(bytes.count / 3)], bytes[(bytes.count / 3)...]] {
                    try piece.withUnsafeBufferPointer { (bytes) throws(CheckpointError) in
                        try writer.append(UnsafeRawBufferPointer(bytes), to: tensor.name)
                    }
                }
            }
            try writer.finish()
        }
    }

    struct Safetensors {
        var metadata: [(key: String, value: String)]
        var tensors: [SafetensorsWriter.TensorInfo]
        var data: [[UInt8]]

        func write(to path: String) throws(CheckpointError) {
            var writer = try SafetensorsWriter(path: path, tensors: tensors, metadata: metadata)
            for (tensor, bytes) in zip(tensors, data) where !bytes.isEmpty {
                try bytes.withUnsafeBufferPointer { (bytes) throws(CheckpointError) in
                    try writer.append(UnsafeRawBufferPointer(bytes), to: tensor.name)
                }
            }
            try writer.finish()
        }
    }

    static func gguf(_ random: inout SplitMix64) -> GGUF {
        var metadata: [(key: String, value: GGUFValue)] = []
        for index in 0..<Int.random(in: 0...12, using: &random) {
            let type = GGUFValueType.allCases.randomElement(using: &random)!
            metadata.append(("key.\(index).\(text(&random))", value(type, depth: 1, &random)))
        }
        if Bool.random(using: &random) {
            metadata.append(("general.alignment", .uint32(1 << UInt32.random(in: 0...12, using: &random))))
        }
        var tensors: [GGUFWriter.TensorInfo] = []
        var data: [[UInt8]] = []
        for index in 0..<Int.random(in: 0...8, using: &random) {
            let type = ElementType.allCases.randomElement(using: &random)!
            var shape = (0..<Int.random(in: 0...3, using: &random)).map { _ in Int.random(in: 1...4, using: &random) }
            shape.append(type.blockSize * Int.random(in: 1...3, using: &random))
            tensors.append(GGUFWriter.TensorInfo(name: "tensor.\(index).\(text(&random))", shape: shape, type: type))
            data.append(bytes(shape.reduce(1, *) / type.blockSize * type.blockBytes, &random))
        }
        return GGUF(metadata: metadata, tensors: tensors, data: data)
    }

    static func safetensors(_ random: inout SplitMix64) -> Safetensors {
        let metadata = (0..<Int.random(in: 0...4, using: &random)).map { ("key \($0) \(text(&random))", text(&random)) }
        var tensors: [SafetensorsWriter.TensorInfo] = []
        var data: [[UInt8]] = []
        for index in 0..<Int.random(in: 0...8, using: &random) {
            let type = SafetensorsType.allCases.randomElement(using: &random)!
            var shape = (0..<Int.random(in: 0...4, using: &random)).map { _ in Int.random(in: 0...4, using: &random) }
            // Four elements of the narrowest types fill whole bytes.
            if type.bits < 8 { shape.append(4) }
            tensors.append(
                SafetensorsWriter.TensorInfo(name: "tensor.\(index).\(text(&random))", shape: shape, type: type))
            data.append(bytes(shape.reduce(1, *) * type.bits / 8, &random))
        }
        return Safetensors(metadata: metadata, tensors: tensors, data: data)
    }

    private static func bytes(_ count: Int, _ random: inout SplitMix64) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &random) }
    }

    private static func text(_ random: inout SplitMix64) -> String {
        let alphabet: [Character] = ["a", "b", "_", ".", "0", "\"", "\\", "\n", "\u{1}", "/", "é", "🦆", "中", " "]
        return String((0..<Int.random(in: 0...8, using: &random)).map { _ in alphabet.randomElement(using: &random)! })
    }

    private static func value(_ type: GGUFValueType, depth: Int, _ random: inout SplitMix64) -> GGUFValue {
        let word = random.next()
        switch type {
        case .uint8: return .uint8(UInt8(truncatingIfNeeded: word))
        case .int8: return .int8(Int8(truncatingIfNeeded: word))
        case .uint16: return .uint16(UInt16(truncatingIfNeeded: word))
        case .int16: return .int16(Int16(truncatingIfNeeded: word))
        case .uint32: return .uint32(UInt32(truncatingIfNeeded: word))
        case .int32: return .int32(Int32(truncatingIfNeeded: word))
        case .uint64: return .uint64(word)
        case .int64: return .int64(Int64(bitPattern: word))
        case .float32: return .float32(Float(bitPattern: UInt32(truncatingIfNeeded: word)))
        case .float64: return .float64(Double(bitPattern: word))
        case .bool: return .bool(word & 1 == 1)
        case .string: return .string(bytes(Int(word % 9), &random))
        case .array:
            let scalars = GGUFValueType.allCases.filter { $0 != .array }
            let element = (depth < 4 ? GGUFValueType.allCases : scalars).randomElement(using: &random)!
            return .array(
                of: element,
                (0..<Int.random(in: 0...4, using: &random)).map { _ in value(element, depth: depth + 1, &random) })
        }
    }
}
