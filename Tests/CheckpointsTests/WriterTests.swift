import Checkpoints
import Foundation
import Tensors
import Testing

@Suite struct WriterTests {
    @Test(arguments: 0..<60) func ggufComesBackBitForBit(seed: Int) throws {
        var random = SplitMix64(state: UInt64(seed))
        let model = RandomModel.gguf(&random)
        try withTemporaryFolder { folder in
            let path = folder + "/model.gguf"
            try model.write(to: path)
            let file = try GGUFFile(MappedFile(path: path))
            #expect(file.metadata.keys == model.metadata.map(\.key))
            for (key, value) in model.metadata {
                let found = try #require(file.metadata.value(key))
                // Bits, not numbers: NaN must come back as the NaN it was.
                #expect(bits(found) == bits(value), "\(key)")
            }
            let checkpoint = try Checkpoint.open(path)
            #expect(checkpoint.tensorNames == model.tensors.map(\.name))
            for (info, bytes) in zip(model.tensors, model.data) {
                let tensor = try checkpoint.require(info.name, shape: info.shape)
                #expect(tensor.type == info.type)
                #expect(Array(tensor.bytes) == bytes)
                #expect(tensor.range.lowerBound % file.alignment == 0)
            }
            // What was read, written again, is the same file.
            let again = folder + "/again.gguf"
            try RandomModel.GGUF(
                metadata: file.metadata.keys.map { ($0, file.metadata.value($0)!) }, tensors: model.tensors,
                data: model.data
            ).write(to: again)
            #expect(try contents(again) == contents(path))
        }
    }

    @Test(arguments: 0..<60) func safetensorsComeBackBitForBit(seed: Int) throws {
        var random = SplitMix64(state: UInt64(seed) &+ 1_000_000)
        let model = RandomModel.safetensors(&random)
        try withTemporaryFolder { folder in
            let path = folder + "/model.safetensors"
            try model.write(to: path)
            let file = try SafetensorsFile(MappedFile(path: path))
            #expect(file.metadata.map(\.key) == model.metadata.map(\.key))
            #expect(file.metadata.map(\.value) == model.metadata.map(\.value))
            let checkpoint = try Checkpoint.open(path)
            #expect(Set(checkpoint.tensorNames) == Set(model.tensors.map(\.name)))
            for (info, bytes) in zip(model.tensors, model.data) {
                let tensor = try #require(checkpoint.rawTensor(named: info.name))
                #expect(tensor.shape == info.shape)
                #expect(tensor.dtypeName == info.type.rawValue)
                #expect(Array(tensor.bytes) == bytes)
            }
            #expect(checkpoint.weightBytes == model.data.reduce(0) { $0 + $1.count })
            let written = try contents(path)
            #expect(written.count == checkpoint.weightBytes + 8 + headerLength(written))
        }
    }

    private func headerLength(_ bytes: [UInt8]) -> Int {
        let length = bytes.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
        #expect(length % 8 == 0)
        return length
    }

    private func bits(_ value: GGUFValue) -> [UInt64] {
        switch value {
        case .float32(let value): [UInt64(value.bitPattern)]
        case .float64(let value): [value.bitPattern]
        case .array(let element, let values): [UInt64(element.rawValue), UInt64(values.count)] + values.flatMap(bits)
        case .string(let bytes): [UInt64(bytes.count)] + bytes.map(UInt64.init)
        case .bool(let value): [value ? 1 : 0]
        case .uint8(let value): [UInt64(value)]
        case .int8(let value): [UInt64(bitPattern: Int64(value))]
        case .uint16(let value): [UInt64(value)]
        case .int16(let value): [UInt64(bitPattern: Int64(value))]
        case .uint32(let value): [UInt64(value)]
        case .int32(let value): [UInt64(bitPattern: Int64(value))]
        case .uint64(let value): [value]
        case .int64(let value): [UInt64(bitPattern: value)]
        }
    }

    // MARK: Failures

    private static let one = [GGUFWriter.TensorInfo(name: "t", shape: [2, 3], type: .f32)]

    @Test func fullDiskLeavesNothing() throws {
        try withTemporaryFolder { folder in
            let path = folder + "/model.gguf"
            try write("before".utf8, to: path)
            let file = try AtomicFile(path: path) { _, _, _ in
                errno = ENOSPC
                return -1
            }
            var writer = try GGUFWriter(file: file, metadata: [], tensors: Self.one)
            try goldenBytes(0, count: 24).withUnsafeBytes { try writer.append($0, to: "t") }
            do {
                try writer.finish()
                Issue.record("nothing was thrown")
            } catch let error as CheckpointError {
                #expect(error.file == path)
                #expect(error.reason.contains("the disk is full"))
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["model.gguf"])
            #expect(try contents(path) == Array("before".utf8))
        }
    }

    @Test func afterAFailureNothingIsWritten() throws {
        try withTemporaryFolder { folder in
            var calls = 0
            let file = try AtomicFile(path: folder + "/x") { _, _, _ in
                calls += 1
                errno = EIO
                return -1
            }
            let large = [UInt8](repeating: 1, count: 3 << 20)
            for _ in 0..<2 {
                #expect(throws: CheckpointError.self) { try large.withUnsafeBytes { try file.append($0) } }
            }
            #expect(throws: CheckpointError.self) { try file.commit() }
            #expect(calls == 1)
            let names = try FileManager.default.contentsOfDirectory(atPath: folder)
            #expect(names.isEmpty)
        }
    }

    /// Short writes and interruptions are no failures: everything arrives all the same.
    @Test func shortWritesAreContinued() throws {
        try withTemporaryFolder { folder in
            var calls = 0
            let file = try AtomicFile(path: folder + "/x") { descriptor, bytes, count in
                calls += 1
                if calls % 3 == 0 {
                    errno = EINTR
                    return -1
                }
                return Foundation.write(descriptor, bytes, min(count, 1000 + calls))
            }
            let bytes = goldenBytes(3, count: 3_000_000)
            try bytes.withUnsafeBytes { whole in
                try file.append(UnsafeRawBufferPointer(rebasing: whole[..<10]))
                try file.append(UnsafeRawBufferPointer(rebasing: whole[10...]))
            }
            try file.commit()
            #expect(calls > 1000)
            #expect(try contents(folder + "/x") == bytes)
        }
    }

    @Test func abandonedWriterLeavesNothing() throws {
        try withTemporaryFolder { folder in
            do {
                var writer = try GGUFWriter(path: folder + "/model.gguf", metadata: [], tensors: Self.one)
                try goldenBytes(0, count: 8).withUnsafeBytes { try writer.append($0, to: "t") }
                #expect(try FileManager.default.contentsOfDirectory(atPath: folder).count == 1)
            }
            let names = try FileManager.default.contentsOfDirectory(atPath: folder)
            #expect(names.isEmpty)
        }
    }

    @Test func tensorsComeInOrderAndWhole() throws {
        try withTemporaryFolder { folder in
            let two = Self.one + [GGUFWriter.TensorInfo(name: "u", shape: [3], type: .f16)]
            let bytes = goldenBytes(0, count: 30)
            func append(_ count: Int, _ name: String, _ writer: inout GGUFWriter) throws {
                try bytes.withUnsafeBytes {
                    try writer.append(UnsafeRawBufferPointer(rebasing: $0[..<count]), to: name)
                }
            }
            expectError(tensor: "u", "tensor t comes next", "0 of its 24") {
                var writer = try GGUFWriter(path: folder + "/a", metadata: [], tensors: two)
                try append(6, "u", &writer)
            }
            expectError(tensor: "t", "20 + 5 bytes", "24") {
                var writer = try GGUFWriter(path: folder + "/a", metadata: [], tensors: two)
                try append(20, "t", &writer)
                try append(5, "t", &writer)
            }
            expectError(tensor: "u", "4 of its 6") {
                var writer = try GGUFWriter(path: folder + "/a", metadata: [], tensors: two)
                try append(24, "t", &writer)
                try append(4, "u", &writer)
                try writer.finish()
            }
            expectError(tensor: "u", "written already") {
                var writer = try GGUFWriter(path: folder + "/a", metadata: [], tensors: two)
                try append(24, "t", &writer)
                try append(6, "u", &writer)
                try append(1, "u", &writer)
            }
            let names = try FileManager.default.contentsOfDirectory(atPath: folder)
            #expect(names.isEmpty)
        }
    }

    @Test func writersRefuseWhatReadersWould() throws {
        try withTemporaryFolder { folder in
            func gguf(
                _ metadata: [(key: String, value: GGUFValue)], _ name: String, _ shape: [Int], _ type: ElementType
            ) throws {
                _ = try GGUFWriter(
                    path: folder + "/a", metadata: metadata, tensors: [.init(name: name, shape: shape, type: type)])
            }
            expectError(field: "k", "occur once") {
                try gguf([("k", .bool(true)), ("k", .bool(true))], "t", [1], .f32)
            }
            expectError(field: "k", "element 1", "bool", "uint8") {
                try gguf([("k", .array(of: .uint8, [.uint8(1), .bool(true)]))], "t", [1], .f32)
            }
            expectError(field: "general.alignment", "power of two") {
                try gguf([("general.alignment", .uint32(48))], "t", [1], .f32)
            }
            expectError(tensor: "", field: "name") { try gguf([], "", [1], .f32) }
            expectError(tensor: "t", field: "shape") { try gguf([], "t", [2, 0], .f32) }
            expectError(tensor: "t", field: "shape", "Q4_K", "256") { try gguf([], "t", [2, 128], .q4_K) }
            expectError(tensor: "t", field: "shape") { try gguf([], "t", [Int.max, 2], .f32) }
            expectError(tensor: "t", field: "shape") { try gguf([], "t", [1, 1, 1, 1, 1], .f32) }
            func safetensors(_ name: String, _ shape: [Int], _ type: SafetensorsType) throws {
                _ = try SafetensorsWriter(path: folder + "/a", tensors: [.init(name: name, shape: shape, type: type)])
            }
            expectError(tensor: "__metadata__", field: "name") { try safetensors("__metadata__", [1], .f32) }
            expectError(tensor: "t", field: "shape") { try safetensors("t", [-1], .f32) }
            expectError(tensor: "t", field: "shape") { try safetensors("t", [3], .f4) }
            expectError(tensor: "t", field: "shape") { try safetensors("t", [Int.max, Int.max], .f32) }
            expectError("no file or folder of this name") {
                _ = try SafetensorsWriter(path: folder + "/none/a", tensors: [])
            }
            expectError("there is a folder of this name") { _ = try SafetensorsWriter(path: folder, tensors: []) }
            let names = try FileManager.default.contentsOfDirectory(atPath: folder)
            #expect(names.isEmpty)
        }
    }
}
