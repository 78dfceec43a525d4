import Checkpoints
import Foundation
import Tensors
import Testing

/// Quantized weights in published layouts: files that others made, and files of our own read back.
@Suite struct QuantizedLayoutTests {
    static let goldens = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Goldens/layouts")
    static let names = try! FileManager.default.contentsOfDirectory(atPath: goldens.path).sorted()

    /// [outputs][inputs] in the order of the inputs.
    static func values(_ stored: StoredWeight) throws -> [[Float]] {
        let rows = try stored.withWeight { weight in (0..<weight.outputs).map { weight.floats(ofRow: $0) } }
        guard let order = stored.order else { return rows }
        return rows.map { row in
            var result = row
            for (column, input) in order.enumerated() { result[Int(input)] = row[column] }
            return result
        }
    }

    @Test(arguments: names) func othersFilesHaveTheirValues(_ name: String) throws {
        let checkpoint = try Checkpoint.open(Self.goldens.appending(path: name).path)
        let stored = try #require(try checkpoint.quantizedWeight("layer.proj", outputs: 32, inputs: 128))
        let expected = try checkpoint.require("layer.proj.expected", shape: [32, 128])
        let truth = Weight(type: expected.type, outputs: 32, inputs: 128, bytes: expected.bytes)
        let values = try Self.values(stored)
        for row in 0..<32 { #expect(values[row] == truth.floats(ofRow: row), "\(name), row \(row)") }
        #expect((stored.order != nil) == ["gptq-3", "gptq-4-order"].contains(name))
        // What all groups have in common is in the format and not in the bytes.
        let hasZeroPoints = ["gptq-3", "gptq-2-v2", "awq-4", "ct-int4-zero"].contains(name)
        #expect(stored.type.groupFormat?.hasZeroPoints == hasZeroPoints)
    }

    static let groups: [GroupFormat] = GroupFormat.Coding.allCases.filter { !$0.isCodebook }.flatMap { coding in
        GroupFormat.groups.flatMap { group in
            GroupFormat.Scale.allCases.flatMap { scale in
                [false, true].compactMap { GroupFormat(coding, group: group, scale: scale, zeroPoints: $0) }
            }
        }
    }

    @Test(arguments: QuantizedContainer.allCases) func whatIsWrittenIsReadBack(_ container: QuantizedContainer) throws {
        let (outputs, inputs, stem) = (64, 256, "model.layers.0.mlp.up_proj")
        var generator = SystemRandomNumberGenerator()
        let values = (0..<outputs * inputs).map { _ in Float.random(in: -0.1...0.1, using: &generator) }
        let types: [ElementType] = Self.groups.map(ElementType.group) + [.q4_K, .iq4_NL, .q8_0]
        var held = 0
        for type in types where container.holds(type) {
            held += 1
            let order: [Int32]? =
                container == .awq || type.groupFormat?.coding.isInteger != true
                ? nil : (0..<Int32(inputs)).shuffled()
            let rows = try #require(WeightEncoder(type, effort: .plain)).encode(values, inputs: inputs)
            try withTemporaryFolder { folder in
                let infos = try container.tensors(
                    stem, type: type, outputs: outputs, inputs: inputs, inOrder: order != nil)
                let bytes = rows.bytes.withUnsafeBytes {
                    container.bytes($0, type: type, outputs: outputs, inputs: inputs, order: order)
                }
                #expect(infos.count == bytes.count)
                var writer = try SafetensorsWriter(path: folder + "/model.safetensors", tensors: infos)
                for (info, bytes) in zip(infos, bytes) { try bytes.withUnsafeBytes { try writer.append($0, to: info.name) } }
                try writer.finish()
                let config = try container.configuration(types: [stem: type], plain: ["lm_head"])
                try write(Array("{\"quantization_config\": \(config)}".utf8), to: folder + "/config.json")
                let checkpoint = try Checkpoint.open(folder)
                #expect(checkpoint.quantization?.method == container.rawValue)
                let stored = try #require(try checkpoint.quantizedWeight(stem, outputs: outputs, inputs: inputs))
                let found = try Self.values(stored)
                let decoded = rows.decoded()
                for row in 0..<outputs {
                    var expected = Array(decoded[row * inputs..<(row + 1) * inputs])
                    if let order {
                        let columns = expected
                        for (column, input) in order.enumerated() { expected[Int(input)] = columns[column] }
                    }
                    #expect(found[row] == expected, "\(type.name), row \(row)")
                }
            }
        }
        #expect(held >= (container == .awq ? 6 : container == .gptq ? 24 : 20))
    }

    // MARK: What is wrong is told

    private func broken(_ name: String, _ change: (inout [String: Any]) -> Void) throws -> Checkpoint {
        let source = Self.goldens.appending(path: name)
        let folder = FileManager.default.temporaryDirectory.appending(path: "layouts-" + UUID().uuidString)
        try FileManager.default.copyItem(at: source, to: folder)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "config.json")
        var config = try JSONSerialization.jsonObject(with: Data(contentsOf: path)) as! [String: Any]
        var quantization = config["quantization_config"] as! [String: Any]
        change(&quantization)
        config["quantization_config"] = quantization
        try JSONSerialization.data(withJSONObject: config).write(to: path)
        return try Checkpoint.open(folder.path)
    }

    @Test func unknownMethodsAreNamed() throws {
        expectError(field: "quantization_config.quant_method", "\"bnb-9\"", "gptq") {
            _ = try broken("awq-4") { $0["quant_method"] = "bnb-9" }
        }
    }

    @Test func whatDoesNotBelongIsTold() throws {
        func weight(_ name: String, outputs: Int = 32, _ change: @escaping (inout [String: Any]) -> Void) throws {
            _ = try broken(name, change).quantizedWeight("layer.proj", outputs: outputs, inputs: 128)
        }
        expectError(field: "quantization_config.version", "\"gemv\"", "gemm") {
            try weight("awq-4") { $0["version"] = "gemv" }
        }
        expectError(field: "quantization_config.bits", "7") { try weight("gptq-3") { $0["bits"] = 7 } }
        expectError(tensor: "layer.proj.qweight", field: "shape", "[12, 32]", "[16, 32]") {
            try weight("gptq-3") { $0["bits"] = 4 }
        }
        expectError(tensor: "layer.proj.scales", field: "shape", "[2, 32]", "[4, 32]") {
            try weight("awq-4") { $0["group_size"] = 32 }
        }
        expectError(tensor: "layer.proj.qweight", field: "shape") { try weight("gptq-4-order", outputs: 64) { _ in } }
        expectError(tensor: "layer.proj.weight_packed", field: "shape") { try weight("ct-int4", outputs: 48) { _ in } }
        expectError(tensor: "layer.proj.weight_scale_inv", field: "shape", "[16, 32]") {
            try weight("fp8-blocks") { $0["weight_block_size"] = [16, 32] }
        }
        expectError(field: "quantization_config.group_size", "0") { try weight("gptq-3") { $0["group_size"] = 0 } }
    }
}
