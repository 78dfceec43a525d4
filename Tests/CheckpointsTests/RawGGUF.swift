import Checkpoints
import Testing

/// A GGUF file put together field by field, so that a test can make any one of them wrong.
struct RawGGUF {
    struct Pair {
        var key: [UInt8]
        var type: UInt32
        var value: [UInt8]
    }

    struct Tensor {
        var name = Array("t".utf8)
        /// Contiguous dimension first, as in the file.
        var dimensions: [UInt64] = [4, 2]
        var dimensionCount: UInt32?
        var type: UInt32 = 0
        var offset: UInt64 = 0
    }

    var magic = Array("GGUF".utf8)
    var version: UInt32 = 3
    var tensorCount: UInt64?
    var pairCount: UInt64?
    var pairs: [Pair] = []
    var tensors: [Tensor] = []
    var alignment = 32
    var dataBytes = 0

    var bytes: [UInt8] {
        var bytes =
            magic + little(version) + little(tensorCount ?? UInt64(tensors.count))
            + little(pairCount ?? UInt64(pairs.count))
        for pair in pairs { bytes += string(pair.key) + little(pair.type) + pair.value }
        for tensor in tensors {
            bytes += string(tensor.name) + little(tensor.dimensionCount ?? UInt32(tensor.dimensions.count))
            bytes += tensor.dimensions.flatMap { little($0) } + little(tensor.type) + little(tensor.offset)
        }
        if dataBytes > 0 {
            bytes += [UInt8](repeating: 0, count: (alignment - bytes.count % alignment) % alignment + dataBytes)
        }
        return bytes
    }

    func open() throws -> Checkpoint {
        try Checkpoint(gguf: [GGUFFile(MappedFile(copying: bytes, name: "raw.gguf"))], name: "raw", path: "raw.gguf")
    }

    /// The error this file must end in.
    func expect(
        tensor: String? = nil, field: String, _ words: String..., sourceLocation: SourceLocation = #_sourceLocation
    ) {
        do {
            _ = try open()
            Issue.record("nothing was thrown", sourceLocation: sourceLocation)
        } catch let error as CheckpointError {
            #expect(error.file == "raw.gguf", sourceLocation: sourceLocation)
            #expect(error.tensor == tensor, "\(error)", sourceLocation: sourceLocation)
            #expect(error.field == field, "\(error)", sourceLocation: sourceLocation)
            for words in words { #expect(error.reason.contains(words), "\(error)", sourceLocation: sourceLocation) }
        } catch {
            Issue.record("an error of another type: \(error)", sourceLocation: sourceLocation)
        }
    }
}

func little<T: FixedWidthInteger>(_ value: T) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }

/// A string of a GGUF file: its length, its bytes.
func string(_ bytes: some Collection<UInt8>) -> [UInt8] { little(UInt64(bytes.count)) + bytes }

extension RawGGUF.Pair {
    init(_ key: String, _ type: GGUFValueType, _ value: [UInt8]) {
        self.init(key: Array(key.utf8), type: type.rawValue, value: value)
    }

    static func array(_ key: String, of type: GGUFValueType, count: UInt64, _ elements: [UInt8]) -> RawGGUF.Pair {
        RawGGUF.Pair(key, .array, little(type.rawValue) + little(count) + elements)
    }
}
