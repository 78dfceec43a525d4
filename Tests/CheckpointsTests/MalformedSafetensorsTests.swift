import Checkpoints
import Testing

@Suite struct MalformedSafetensorsTests {
    /// A file with this header and as many zero bytes of data.
    private static func bytes(_ header: String, data: Int, length: UInt64? = nil) -> [UInt8] {
        little(length ?? UInt64(header.utf8.count)) + Array(header.utf8) + [UInt8](repeating: 0, count: data)
    }

    private static func open(_ header: String, data: Int = 16) throws -> SafetensorsFile {
        try SafetensorsFile(MappedFile(copying: bytes(header, data: data), name: "raw.safetensors"))
    }

    private static func tensor(
        _ name: String = "t", dtype: String = "\"F32\"", shape: String = "[2,2]", offsets: String = "[0,16]"
    ) -> String {
        "\"\(name)\":{\"dtype\":\(dtype),\"shape\":\(shape),\"data_offsets\":\(offsets)}"
    }

    /// The error that a header with these members must end in.
    private func expect(
        _ members: String..., data: Int = 16, tensor: String? = nil, field: String, saying words: [String],
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        do {
            _ = try Self.open("{" + members.joined(separator: ",") + "}", data: data)
            Issue.record("nothing was thrown", sourceLocation: sourceLocation)
        } catch let error as CheckpointError {
            #expect(error.file == "raw.safetensors", sourceLocation: sourceLocation)
            #expect(error.tensor == tensor, "\(error)", sourceLocation: sourceLocation)
            #expect(error.field == field, "\(error)", sourceLocation: sourceLocation)
            for words in words { #expect(error.reason.contains(words), "\(error)", sourceLocation: sourceLocation) }
        } catch {
            Issue.record("an error of another type: \(error)", sourceLocation: sourceLocation)
        }
    }

    @Test func theSoundFileOpens() throws {
        #expect(try Self.open("{\(Self.tensor())}   ").tensors.map(\.shape) == [[2, 2]])
        #expect(try Self.open("{}", data: 0).tensors.isEmpty)
    }

    @Test func headerLength() {
        for (bytes, words) in [
            (Self.bytes("{}", data: 0, length: 3), "it is 3 bytes, and the file has 2"),
            (Self.bytes("{}", data: 0, length: 100_000_000), "it is 100000000 bytes, and the file has 2"),
            (Self.bytes("{}", data: 0, length: .max), "it is \(UInt64.max) bytes; 2 to 100000000"),
            (Self.bytes("{}", data: 0, length: 1), "2 to 100000000"),
            (Self.bytes("{}", data: 0, length: 0), "2 to 100000000"),
            (Self.bytes("{}", data: 0, length: 100_000_001), "it is 100000001 bytes; 2 to 100000000"),
            ([1, 2, 3], "8 bytes are needed"),
            (Array("version https://git-lfs.github.com/spec/v1".utf8), "git lfs pull"),
            (Array("<!DOCTYPE html>".utf8), "web page"),
            (Array("GGUF".utf8) + little(3 as UInt32), "GGUF"),
        ] {
            expectError(field: "header length", words) {
                _ = try SafetensorsFile(MappedFile(copying: bytes, name: "raw.safetensors"))
            }
        }
    }

    @Test func everyTruncationIsRefused() {
        let bytes = Self.bytes("{\(Self.tensor())}", data: 16)
        for count in 0..<bytes.count {
            #expect(throws: CheckpointError.self, "\(count) bytes") {
                _ = try SafetensorsFile(MappedFile(copying: bytes.prefix(count), name: "cut"))
            }
        }
    }

    @Test(arguments: [
        (" {}", "must start with {"), ("[]", "must start with {"), ("{\"a\"}", "expected :"),
        ("{\"a\":}", "expected {"),
        ("{}x", "text after the end"), ("{\"__metadata__\":{}", "expected }"), ("{\"\\x\":{}}", "unknown escape"),
        ("{\"\\ud800\":{}}", "surrogate"), ("{\"\\u12\":{}}", "four hexadecimal digits"), ("{\"a", "closing quote"),
        ("{\"a\u{1}\":{}}", "control character"), ("{,}", "a string is expected"), ("{\"\":{}}", "name is empty"),
        ("{\"__metadata__\":{\"a\":1}}", "a string is expected"),
        ("{\"__metadata__\":{\"a\":\"\",\"a\":\"\"}}", "occurs twice"),
    ])
    func headerThatIsNoSoundJSON(header: String, words: String) {
        expectError(field: "header", words, "at byte") { _ = try Self.open(header, data: 0) }
    }

    @Test func invalidUTF8() {
        var bytes = Self.bytes("{\(Self.tensor("x"))}", data: 16)
        bytes[10] = 0xFF
        expectError(field: "header", "not valid UTF-8", "at byte 10") {
            _ = try SafetensorsFile(MappedFile(copying: bytes, name: "raw"))
        }
    }

    @Test func duplicates() {
        expect(Self.tensor(), Self.tensor(), field: "header", saying: ["the key \"t\" occurs twice"])
        expect(
            "\"t\":{\"dtype\":\"F32\",\"dtype\":\"F16\",\"shape\":[4],\"data_offsets\":[0,16]}", field: "header",
            saying: ["the key \"dtype\" occurs twice"])
    }

    @Test func fieldsOfATensor() {
        expect("\"t\":{\"shape\":[4],\"data_offsets\":[0,16]}", tensor: "t", field: "dtype", saying: ["missing"])
        expect("\"t\":{\"dtype\":\"F32\",\"data_offsets\":[0,16]}", tensor: "t", field: "shape", saying: ["missing"])
        expect("\"t\":{\"dtype\":\"F32\",\"shape\":[4]}", tensor: "t", field: "data_offsets", saying: ["missing"])
        expect(
            "\"t\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16],\"extra\":1}", tensor: "t", field: "extra",
            saying: ["not part of the format"])
        expect(Self.tensor(dtype: "\"F33\""), tensor: "t", field: "dtype", saying: ["\"F33\" is no type"])
        expect(Self.tensor(dtype: "7"), field: "header", saying: ["a string is expected"])
    }

    @Test(arguments: [
        "-2", "2.0", "2e0", "1e999", "9223372036854775808", "18446744073709551616", "null", "\"2\"", "02",
    ])
    func dimensionsThatAreNoSizes(number: String) {
        #expect(throws: CheckpointError.self) { _ = try Self.open("{\(Self.tensor(shape: "[\(number),2]"))}") }
        #expect(throws: CheckpointError.self) { _ = try Self.open("{\(Self.tensor(offsets: "[\(number),16]"))}") }
    }

    @Test func shapes() {
        expect(
            Self.tensor(shape: "[4294967296,4294967296]"), tensor: "t", field: "shape",
            saying: ["whole number of bytes"])
        // Whoever multiplies these from the left overflows before the zero comes.
        expect(
            Self.tensor(shape: "[4294967296,4294967296,0]", offsets: "[0,0]"), data: 0, tensor: "t", field: "shape",
            saying: ["whole number of bytes"])
        expect(Self.tensor(shape: "[9223372036854775807]"), tensor: "t", field: "shape", saying: ["up to \(Int.max)"])
        expect(
            Self.tensor(shape: "[" + Array(repeating: "1", count: 65).joined(separator: ",") + "]"), field: "header",
            saying: ["more than 64 numbers"])
        expect(Self.tensor(dtype: "\"F4\"", shape: "[3]"), tensor: "t", field: "shape", saying: ["[3] of F4"])
        expect(
            Self.tensor(shape: "[2,3]"), tensor: "t", field: "data_offsets",
            saying: ["spans 16 bytes", "[2, 3] of F32 takes 24"])
    }

    @Test func offsets() {
        expect(Self.tensor(offsets: "[16,0]"), tensor: "t", field: "data_offsets", saying: ["[16, 0]", "in order"])
        expect(Self.tensor(offsets: "[0]"), tensor: "t", field: "data_offsets", saying: ["a first and a last"])
        expect(Self.tensor(offsets: "[0,16,32]"), field: "header", saying: ["more than 2 numbers"])
        expect(
            Self.tensor(offsets: "[9223372036854775791,9223372036854775807]"), tensor: "t", field: "data_offsets",
            saying: ["past the end of any file"])
        expect(Self.tensor(), data: 15, tensor: "t", field: "data_offsets", saying: ["end at 16 of 15 bytes"])
        expect(Self.tensor(), data: 17, field: "data_offsets", saying: ["the last 1 bytes belong to no tensor"])
        expect(
            Self.tensor(offsets: "[4,20]"), data: 20, tensor: "t", field: "data_offsets",
            saying: ["4 bytes before it belong to no tensor"])
        expect(
            Self.tensor(), Self.tensor("u", offsets: "[12,28]"), data: 28, tensor: "u", field: "offset",
            saying: ["overlap", "of tensor t"])
        expect(
            Self.tensor(), Self.tensor("u", offsets: "[20,36]"), data: 36, tensor: "u", field: "data_offsets",
            saying: ["4 bytes before it"])
        expect(
            Self.tensor(), Self.tensor("u", shape: "[0]", offsets: "[8,8]"), tensor: "u", field: "offset",
            saying: ["overlap"])
    }

    // MARK: Index

    private func index(_ text: String) throws -> SafetensorsIndex {
        try SafetensorsIndex(MappedFile(copying: Array(text.utf8), name: "index.json"))
    }

    @Test(arguments: [
        "../x.safetensors", "/etc/x.safetensors", "a/b.safetensors", "..\\x.safetensors", "x.bin", "", ".safetensors",
        "a\\u0000.safetensors",
    ])
    func shardNamesThatLeadElsewhere(name: String) {
        let escaped = name.hasPrefix("..\\") ? name.replacing("\\", with: "\\\\") : name
        expectError(tensor: "t", field: "weight_map", "must be the plain name") {
            _ = try index("{\"weight_map\":{\"t\":\"\(escaped)\"}}")
        }
    }

    @Test func indexFields() throws {
        expectError(field: "weight_map", "missing") { _ = try index("{}") }
        expectError(field: "weight_map", "lists no tensor") { _ = try index("{\"weight_map\":{}}") }
        expectError(field: "index", "an object is expected") { _ = try index("{\"weight_map\":[]}") }
        expectError(field: "index", "a string is expected") { _ = try index("{\"weight_map\":{\"t\":1}}") }
        expectError(field: "index", "\"t\" occurs twice") {
            _ = try index("{\"weight_map\":{\"t\":\"a.safetensors\",\"t\":\"b.safetensors\"}}")
        }
        expectError(field: "index", "expected a value") { _ = try index("{\"other\":[1,true,x]}") }
        expectError(field: "index", "\"a\" occurs twice") { _ = try index("{\"other\":{\"a\":null,\"a\":\"\"}}") }
        #expect(
            try index("{\"weight_map\":{\"t\":\"a.safetensors\"},\"metadata\":{\"x\":[1,null]}}").shards == [
                "a.safetensors"
            ])
    }

    // MARK: Configuration

    @Test(arguments: [
        ("{\"a\":1,}", "a string is expected"), ("{\"a\":1,\"a\":2}", "occurs twice"), ("[]", "an object is expected"),
        ("{\"a\":[1,]}", "expected a value"), ("{\"a\":01}", "expected"), ("{\"a\":1.}", "after its point"),
        ("{\"a\":1e}", "exponent"), ("{\"a\":tru}", "expected a value"), ("{\"a\":\"\\ud83e\\u0041\"}", "surrogate"),
        ("{\"a\":" + String(repeating: "[", count: 200), "nested deeper than 128"),
        ("{\"a\":" + String(repeating: "{\"b\":", count: 200), "nested deeper than 128"),
    ])
    func configurationThatIsNoSoundJSON(text: String, words: String) {
        expectError(field: "config", words) {
            _ = try HuggingFaceConfig(MappedFile(copying: Array(text.utf8), name: "config.json"))
        }
    }

    @Test func numbersOfAConfiguration() throws {
        let text =
            "{\"max\":9223372036854775807,\"over\":9223372036854775808,\"min\":-9223372036854775808,"
            + "\"whole\":4096.0,\"part\":0.5,\"escaped\":\"\\ud83e\\udd86\\u00e9\\n\",\"nan\":NaN,\"less\":-Infinity}"
        let config = try HuggingFaceConfig(MappedFile(copying: Array(text.utf8), name: "config.json"))
        #expect(try config.int("max") == Int.max)
        #expect(try config.int("min") == Int.min)
        #expect(try config.int("whole") == 4096)
        #expect(try config.double("over") == 9_223_372_036_854_775_808)
        #expect(try config.string("escaped") == "🦆é\n")
        #expect(try config.double("nan").isNaN)
        #expect(try config.double("less") == -.infinity)
        expectError(field: "over", "a whole number is wanted") { _ = try config.int("over") }
        expectError(field: "part", "0.5", "a whole number is wanted") { _ = try config.int("part") }
        expectError(field: "nan", "a whole number is wanted") { _ = try config.int("nan") }
        expectError(field: "max", "an object is wanted") { _ = try config.object("max") }
    }
}
