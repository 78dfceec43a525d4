import Checkpoints
import Tensors
import Testing

@Suite struct GoldenTests {
    static let ggufTypes: [ElementType] = [
        .f32, .f16, .bf16, .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .q2_K, .q3_K, .q4_K, .q5_K, .q6_K, .iq4_NL, .iq4_XS,
        .mxfp4,
    ]

    @Test func ggufTensorsOfEveryType() throws {
        let checkpoint = try Checkpoint.open(golden("every-type.gguf"))
        #expect(checkpoint.kind == .gguf)
        #expect(checkpoint.name == "every-type")
        #expect(checkpoint.tensorNames == Self.ggufTypes.map { "w.\($0.name)" })
        #expect(Set(Self.ggufTypes) == Set(ElementType.allCases))
        var bytes = 0
        for (number, type) in Self.ggufTypes.enumerated() {
            let shape = [2, type.isQuantized ? 512 : 3]
            let tensor = try checkpoint.require("w.\(type.name)", shape: shape)
            #expect(tensor.type == type)
            #expect(Array(tensor.bytes) == goldenBytes(number, count: 2 * type.byteCount(elements: shape[1])!))
            #expect(tensor.range.lowerBound % 64 == 0)
            bytes += tensor.bytes.count
        }
        #expect(checkpoint.weightBytes == bytes)
        #expect(checkpoint.parameterCount == 3 * 6 + 13 * 1024)
    }

    @Test func ggufMetadataOfEveryType() throws {
        let metadata = try #require(try Checkpoint.open(golden("every-type.gguf")).gguf)
        #expect(try metadata.string("general.architecture") == "golden")
        #expect(try metadata.int("general.alignment") == 64)
        #expect(try metadata.int("v.uint8") == 255)
        #expect(try metadata.int("v.int8") == -128)
        #expect(try metadata.int("v.uint16") == 65535)
        #expect(try metadata.int("v.int16") == -32768)
        #expect(try metadata.int("v.uint32") == 4_294_967_295)
        #expect(try metadata.int("v.int32") == -2_147_483_648)
        #expect(try metadata.uint("v.uint64") == UInt64.max)
        #expect(try metadata.int("v.int64") == Int.min)
        #expect(try metadata.float("v.float32") == Double(Float(1e-5)))
        #expect(try metadata.float("v.float64") == 0.1)
        #expect(try metadata.bool("v.true"))
        #expect(try !metadata.bool("v.false"))
        #expect(try metadata.string("v.string") == "naïve 🦆")
        #expect(try metadata.strings("a.tokens") == ["<s>", "▁the", "é"].map { Array($0.utf8) })
        #expect(try metadata.ints("a.ints") == [1, -2, 3])
        #expect(try metadata.floats("a.floats") == [0.5, -1.25])
        #expect(try metadata.bools("a.bools") == [true, false, true])
        #expect(
            metadata.value("a.nested")
                == .array(of: .array, [.array(of: .int32, [.int32(1), .int32(2)]), .array(of: .int32, [.int32(3)])]))
        #expect(metadata.keys.count == metadata.keys.filter { metadata.value($0) != nil }.count)
        #expect(try metadata.int(ifPresent: "none") == nil)
    }

    @Test func ggufVersion2IsTheSame() throws {
        var bytes = try contents(golden("every-type.gguf"))
        bytes[4] = 2
        let file = try GGUFFile(MappedFile(copying: bytes, name: "two.gguf"))
        #expect(file.version == 2)
        #expect(file.tensors == (try GGUFFile(MappedFile(path: golden("every-type.gguf"))).tensors))
    }

    @Test(arguments: 1...3) func anyPartOpensASplitModel(number: Int) throws {
        let checkpoint = try Checkpoint.open(golden("split-0000\(number)-of-00003.gguf"))
        #expect(checkpoint.name == "split")
        #expect(checkpoint.tensorNames == ["t0", "t1", "t2", "t3", "t4"])
        #expect(try checkpoint.gguf?.string("general.architecture") == "golden")
        for number in 0..<5 {
            #expect(Array(try checkpoint.require("t\(number)", shape: [2, 3]).bytes) == goldenBytes(number, count: 24))
        }
    }

    static let safetensorsTypes = [
        "BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "I16", "U16", "F16", "BF16", "I32", "U32", "F32", "F64", "I64", "U64",
    ]

    @Test func safetensorsOfEveryType() throws {
        let checkpoint = try Checkpoint.open(golden("every-type.safetensors"))
        #expect(checkpoint.kind == .huggingFace)
        #expect(Set(checkpoint.tensorNames) == Set(Self.safetensorsTypes.map { "t.\($0)" } + ["scalar", "empty"]))
        for (number, name) in Self.safetensorsTypes.enumerated() {
            let raw = try #require(checkpoint.rawTensor(named: "t.\(name)"))
            #expect(raw.dtypeName == name)
            #expect(raw.shape == [2, 3])
            #expect(Array(raw.bytes) == goldenBytes(number, count: raw.bytes.count))
            #expect(raw.bytes.count == 6 * SafetensorsType(rawValue: name)!.bits / 8)
            if ["F32", "F16", "BF16"].contains(name) {
                #expect(try checkpoint.require("t.\(name)", shape: [2, 3]).type.name == name)
            } else {
                expectError(tensor: "t.\(name)", field: "dtype", name, "not read as a weight") {
                    _ = try checkpoint.tensor(named: "t.\(name)")
                }
            }
        }
        #expect(Array(try checkpoint.require("scalar", shape: []).bytes) == goldenBytes(15, count: 4))
        #expect(try checkpoint.require("empty", shape: [0, 4]).bytes.isEmpty)
        let file = try SafetensorsFile(MappedFile(path: golden("every-type.safetensors")))
        #expect(file.metadata.first { $0.key == "note" }?.value == "naïve \"quoted\" \\ 🦆")
    }

    @Test(arguments: ["", "/model.safetensors.index.json", "/model-00002-of-00002.safetensors"])
    func shardedFolder(path: String) throws {
        let checkpoint = try Checkpoint.open(golden("sharded") + path)
        #expect(checkpoint.name == "sharded")
        #expect(checkpoint.tensorNames == ["t0", "t1", "t2", "t3"])
        for number in 0..<4 {
            let tensor = try checkpoint.require("t\(number)", shape: [3, 2])
            #expect(tensor.type == .bf16)
            #expect(Array(tensor.bytes) == goldenBytes(number, count: 12))
        }
        #expect(try checkpoint.config?.int("hidden_size") == 64)
        #expect(try checkpoint.generationConfig?.double("temperature") == 0.6)
        #expect(try checkpoint.folderFile(named: "config.json") == contents(golden("sharded/config.json")))
        #expect(try checkpoint.folderFile(named: "tokenizer.json") == nil)
    }

    @Test func configuration() throws {
        let config = try #require(try Checkpoint.open(golden("sharded")).config)
        #expect(try config.strings("architectures") == ["GoldenForCausalLM"])
        #expect(try config.double("rope_theta") == 10000)
        #expect(try config.double("rms_norm_eps") == 1e-5)
        #expect(try !config.bool("tie_word_embeddings"))
        #expect(try config.ints("eos_token_id") == [2, 7])
        #expect(try config.ints("bos_token_id") == [1])
        #expect(try config.int(ifPresent: "sliding_window") == nil)
        #expect(!config.has("sliding_window"))
        #expect(try config.object("rope_scaling").double("factor") == 8)
        #expect(try config.doubles("time_step_limit") == [0, .infinity])
        #expect(try config.object("text_config").object("nested").bool("deep"))
        expectError(field: "sliding_window", "missing") { _ = try config.int("sliding_window") }
        expectError(field: "hiden_size", "missing", "did you mean hidden_size") { _ = try config.int("hiden_size") }
        expectError(field: "rope_scaling.factor", "8.0", "a string is wanted") {
            _ = try config.object("rope_scaling").string("factor")
        }
        expectError(field: "layer_types[0]", "full_attention", "whole numbers") { _ = try config.ints("layer_types") }
    }
}
