import Checkpoints
import Tensors
import Testing

@Suite struct MalformedGGUFTests {
    static let sound = RawGGUF(
        pairs: [.init("a.int", .uint32, little(7 as UInt32)), .init("a.text", .string, string("x".utf8))],
        tensors: [.init(), .init(name: Array("u".utf8), offset: 32)], dataBytes: 64)

    private func changed(_ change: (inout RawGGUF) -> Void) -> RawGGUF {
        var file = Self.sound
        change(&file)
        return file
    }

    @Test func theSoundFileOpens() throws {
        let checkpoint = try Self.sound.open()
        #expect(checkpoint.tensorNames == ["t", "u"])
        #expect(try checkpoint.require("t").shape == [2, 4])
    }

    // MARK: Header

    @Test func magicAndVersion() {
        changed { $0.magic = Array("GGUX".utf8) }.expect(field: "magic", "not a GGUF file", "47 47 55 58")
        changed { $0.magic = Array("lmgg".utf8) }.expect(field: "magic", "older GGML formats")
        changed { $0.magic = Array("version https://git-lfs.github.com/spec/v1".utf8) }.expect(
            field: "magic", "git lfs pull")
        changed { $0.version = 1 }.expect(field: "version", "it is 1", "2 and 3")
        changed { $0.version = 4 }.expect(field: "version", "it is 4")
        changed { $0.version = 0 }.expect(field: "version", "it is 0")
        changed { $0.version = 0x0300_0000 }.expect(field: "version", "big-endian", "version 3")
    }

    @Test(arguments: [3, 1 << 31 - 1, 1 << 32 - 1, 1 << 63 - 1, UInt64.max] as [UInt64])
    func countsAreHeldAgainstTheFile(count: UInt64) {
        if count > 100 {
            changed { $0.tensorCount = count }.expect(field: "tensor count", "it is \(count)", "can hold at most")
            changed { $0.pairCount = count }.expect(field: "metadata count", "it is \(count)", "can hold at most")
        } else {
            // One more than there are: the next field is read as a key or a name and runs out.
            #expect(throws: CheckpointError.self) { try changed { $0.tensorCount = count }.open() }
            #expect(throws: CheckpointError.self) { try changed { $0.pairCount = count }.open() }
        }
    }

    /// Every shorter version of a sound file is refused with an error, wherever it was cut.
    @Test func everyTruncationIsRefused() {
        let bytes = Self.sound.bytes
        for count in 0..<bytes.count {
            #expect(throws: CheckpointError.self, "\(count) bytes") {
                _ = try GGUFFile(MappedFile(copying: bytes.prefix(count), name: "cut.gguf"))
            }
        }
    }

    // MARK: Metadata

    @Test func keys() {
        changed { $0.pairs[0].key = [] }.expect(field: "key of metadata pair 0", "length is 0", "1 to 65535")
        changed { $0.pairs[1].key = [UInt8](repeating: 0x61, count: 65_536) }
            .expect(field: "key of metadata pair 1", "65536", "1 to 65535")
        changed { $0.pairs[0].key = [0x61, 0xFF] }.expect(field: "key of metadata pair 0", "not valid UTF-8")
        changed { $0.pairs[1].key = $0.pairs[0].key }.expect(field: "a.int", "occurs twice")
    }

    @Test func values() {
        changed { $0.pairs[0].type = 13 }.expect(field: "a.int", "value type is 13", "0 to 12")
        changed { $0.pairs[0] = .init("flag", .bool, [2]) }.expect(field: "flag", "stored as 2", "0 and 1")
        changed { $0.pairs[1].value = little(UInt64.max) }.expect(field: "a.text", "\(UInt64.max) bytes are needed")
    }

    @Test func arrays() {
        changed { $0.pairs[1] = .array("list", of: .uint64, count: 1 << 61, []) }
            .expect(field: "list", "it is \(1 << 61)", "can hold at most")
        changed { $0.pairs[1] = .array("list", of: .string, count: UInt64.max, []) }
            .expect(field: "list", "it is \(UInt64.max)", "can hold at most")
        changed { $0.pairs[1] = .array("list", of: .string, count: 2, string("a".utf8) + little(UInt64.max / 2)) }
            .expect(field: "list", "\(UInt64.max / 2) bytes are needed")
        changed { $0.pairs[1] = .array("list", of: .bool, count: 3, [1, 0, 9]) }.expect(field: "list", "stored as 9")
        changed { $0.pairs[1] = .init("list", .array, little(77 as UInt32) + little(0 as UInt64)) }
            .expect(field: "list", "value type is 77")
    }

    @Test func nestingDepth() throws {
        func nested(_ depth: Int) -> RawGGUF {
            var elements = little(GGUFValueType.uint8.rawValue) + little(0 as UInt64)
            for _ in 1..<depth { elements = little(GGUFValueType.array.rawValue) + little(1 as UInt64) + elements }
            return changed { $0.pairs[1] = .init("list", .array, elements) }
        }
        #expect(try nested(8).open().gguf?.value("list") != nil)
        nested(9).expect(field: "list", "nest deeper than 8")
        nested(10_000).expect(field: "list", "nest deeper than 8")
    }

    @Test(arguments: [0, 3, 48, 1 << 21, 1 << 31 + 1] as [UInt32]) func alignmentThatIsNoPowerOfTwo(alignment: UInt32) {
        changed { $0.pairs[0] = .init("general.alignment", .uint32, little(alignment)) }
            .expect(field: "general.alignment", "it is \(alignment)", "power of two")
    }

    @Test func alignmentOfTheWrongType() {
        changed { $0.pairs[0] = .init("general.alignment", .string, string("32".utf8)) }
            .expect(field: "general.alignment", "type string", "an integer")
    }

    @Test func accessorsNameKeyAndTypes() throws {
        let metadata = try #require(try Self.sound.open().gguf)
        expectError(field: "a.text", "type string", "an integer is wanted") { _ = try metadata.int("a.text") }
        expectError(field: "a.int", "type uint32", "string is wanted") { _ = try metadata.string("a.int") }
        expectError(field: "a.int", "type uint32", "array of string") { _ = try metadata.strings("a.int") }
        expectError(field: "a.int", "type uint32", "float32") { _ = try metadata.float("a.int") }
        expectError(field: "a.int", "bool is wanted") { _ = try metadata.bool("a.int") }
        expectError(field: "a.itn", "missing", "did you mean a.int") { _ = try metadata.int("a.itn") }
        let numbers = changed {
            $0.pairs[0] = .init("large", .uint64, little(UInt64.max))
            $0.pairs[1] = .init("negative", .int8, [0xFF])
            $0.pairs.append(.array("list", of: .uint32, count: 2, little(1 as UInt32) + little(UInt32.max)))
            $0.pairs.append(.init("bytes", .string, string([0xFF])))
        }
        let other = try #require(try numbers.open().gguf)
        expectError(field: "large", "\(UInt64.max)", "\(Int.max)") { _ = try other.int("large") }
        expectError(field: "negative", "it is -1", "0...") { _ = try other.uint("negative") }
        expectError(field: "list", "element 1 is 4294967295") { _ = try other.ints("list") }
        expectError(field: "list", "array of 2 uint32", "array of float32") { _ = try other.floats("list") }
        expectError(field: "bytes", "not valid UTF-8") { _ = try other.string("bytes") }
        #expect(try other.bytes("bytes") == [0xFF])
    }

    // MARK: Tensors

    @Test func names() {
        changed { $0.tensors[1].name = [] }.expect(field: "name of tensor 1", "length is 0")
        changed { $0.tensors[1].name = [0xC0] }.expect(field: "name of tensor 1", "not valid UTF-8")
        changed { $0.tensors[1].name = $0.tensors[0].name }.expect(tensor: "t", field: "name", "two tensors")
    }

    @Test func dimensions() {
        changed { $0.tensors[0].dimensionCount = 0 }.expect(
            tensor: "t", field: "number of dimensions", "it is 0", "1 to 4")
        changed { $0.tensors[0].dimensionCount = 5 }.expect(
            tensor: "t", field: "number of dimensions", "it is 5", "1 to 4")
        changed { $0.tensors[0].dimensionCount = .max }
            .expect(tensor: "t", field: "number of dimensions", "it is 4294967295")
        changed { $0.tensors[1].dimensions = [4, 0] }.expect(tensor: "u", field: "dimension 1", "it is 0")
        changed { $0.tensors[1].dimensions = [1 << 63, 1] }.expect(
            tensor: "u", field: "dimension 0", "it is \(UInt64(1) << 63)")
        changed { $0.tensors[1].dimensions = [1 << 32, 1 << 31, 2] }.expect(
            tensor: "u", field: "shape", "more than \(Int.max) elements")
        changed { $0.tensors[1].dimensions = [1 << 62] }.expect(
            tensor: "u", field: "shape", "more than \(Int.max) bytes")
    }

    @Test func rowsAreWholeBlocks() {
        changed {
            $0.tensors[1].type = ElementType.q4_K.rawValue
            $0.tensors[1].dimensions = [128, 2]
        }.expect(tensor: "u", field: "dimension 0", "128", "Q4_K", "256")
    }

    @Test(arguments: [(16, "IQ2_XXS"), (34, "TQ1_0"), (24, "I8"), (40, "NVFP4")] as [(UInt32, String)])
    func knownTypesThatAreNotRead(number: UInt32, name: String) {
        changed { $0.tensors[1].type = number }
            .expect(tensor: "u", field: "type", "\(name) (number \(number))", "Q4_K or Q8_0", "MXFP4")
    }

    @Test(arguments: [99, UInt32.max]) func unknownTypes(number: UInt32) {
        changed { $0.tensors[1].type = number }.expect(
            tensor: "u", field: "type", "number \(number) is no known tensor type")
    }

    @Test func offsets() {
        changed { $0.tensors[1].offset = 33 }.expect(
            tensor: "u", field: "offset", "it is 33", "multiple of the alignment, 32")
        changed { $0.tensors[1].offset = 64 }.expect(
            tensor: "u", field: "offset", "32 bytes at offset 64", "the 64 bytes")
        changed { $0.tensors[1].offset = UInt64.max - 31 }.expect(tensor: "u", field: "offset", "end past")
        changed { $0.tensors[1].offset = 0 }.expect(tensor: "u", field: "offset", "overlap", "of tensor t")
        changed { $0.dataBytes = 63 }.expect(tensor: "u", field: "offset", "end past the 63 bytes")
        changed { $0.tensors[0].dimensions = [4, 3] }.expect(tensor: "u", field: "offset", "overlap", "of tensor t")
    }

    // MARK: What a caller asks for

    @Test func missingAndMisshapenTensors() throws {
        let checkpoint = try changed { $0.tensors[0].name = Array("blk.0.attn_q.weight".utf8) }.open()
        expectError(tensor: "blk.0.atn_q.weight", "missing", "did you mean blk.0.attn_q.weight") {
            _ = try checkpoint.require("blk.0.atn_q.weight")
        }
        expectError(tensor: "u", field: "shape", "[2, 4]", "[4, 2]") { _ = try checkpoint.require("u", shape: [4, 2]) }
        #expect(try checkpoint.tensor(named: "none")?.name == nil)
    }
}
