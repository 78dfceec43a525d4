import Checkpoints
import Foundation
import Models
import Tensors
import TestKit
import Testing

/// A model whose projections are quantized in a folder: it computes what the same values compute as F32, but for the rounding of
/// activations, and whichever layout holds them the bits are the same.
@Suite struct QuantizedFolderTests {
    static let base = Goldens.folder.appendingPathComponent("models/llama-rows32")
    static let cases: [(String, [QuantizedContainer])] = [
        ("INT4_G32", [.gptq, .compressedTensors, .apus]), ("INT4_G32_ZP", [.gptq, .awq, .compressedTensors, .apus]),
        ("INT8_G32", [.gptq, .compressedTensors, .apus]), ("INT3_G32_ZP", [.gptq, .compressedTensors, .apus]),
        ("FP8_E4M3_G32_F32", [.compressedTensors, .apus]), ("MXFP4_E2M1", [.compressedTensors, .apus]),
        ("MXFP6_E3M2", [.apus]), ("NF4_G32", [.apus]), ("Q4_0", [.apus]),
    ]

    @Test(arguments: cases) func everyLayoutRunsAndAgrees(_ name: String, _ containers: [QuantizedContainer]) throws {
        let type = try #require(ElementType(name: name))
        let base = try Checkpoint.open(Self.base.path)
        let golden = try ModelGolden.load(Self.base).golden
        let prompt = golden.cases.map(\.prompt).max { $0.count < $1.count }!
        let order: [Int: [Int32]] =
            type.groupFormat?.coding.isInteger == true
            ? [64: (0..<64).shuffled().map(Int32.init), 96: (0..<96).shuffled().map(Int32.init)] : [:]
        func run(_ container: QuantizedContainer?, _ order: [Int: [Int32]]) throws -> [[Float]] {
            let folder = try write(base, type, container, order)
            defer { try? FileManager.default.removeItem(atPath: folder) }
            let model = try Catalog.load(Checkpoint.open(folder))
            #expect(model.shape.parameters == base.parameterCount)
            #expect(try Catalog.shape(of: Checkpoint.open(folder)).parameters == base.parameterCount)
            let runner = ModelRunner(model)
            return runner.prefill(runner.sequence(prompt, length: prompt.count))
        }
        let floats = try run(nil, [:])
        // Groups of other inputs round to other values.
        let orderedFloats = order.isEmpty ? floats : try run(nil, order)
        var first: [[Float]]?
        for container in containers {
            let scores = try run(container, [:])
            let squares = zip(scores.joined(), floats.joined()).reduce(Float(0)) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
            let relative = (squares / floats.joined().reduce(0) { $0 + $1 * $1 }).squareRoot()
            #expect(relative < (type.isQuantized ? 0.08 : 1e-5), "\(container)")
            if let first { #expect(first == scores, "\(container)") } else { first = scores }
            guard container != .awq, !order.isEmpty else { continue }
            // In activation order other inputs share a scale of activations: near, not the same.
            let ordered = try run(container, order)
            let difference = zip(ordered.joined(), orderedFloats.joined()).reduce(Float(0)) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
            #expect((difference / orderedFloats.joined().reduce(0) { $0 + $1 * $1 }).squareRoot() < 0.08, "\(container), ordered")
        }
    }

    /// A folder with the base's projections in a format; nil: the values that the format gives them, as F32.
    private func write(
        _ base: Checkpoint, _ type: ElementType, _ container: QuantizedContainer?, _ orders: [Int: [Int32]]
    ) throws -> String {
        let folder = NSTemporaryDirectory() + "apus-quantized-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        var infos: [SafetensorsWriter.TensorInfo] = []
        var contents: [[UInt8]] = []
        var types: [String: ElementType] = [:]
        for name in base.tensorNames {
            let tensor = try base.require(name)
            let stem = String(name.dropLast(".weight".count))
            guard name.hasSuffix("_proj.weight") else {
                infos.append(
                    SafetensorsWriter.TensorInfo(
                        name: name, shape: tensor.shape, type: SafetensorsType(rawValue: tensor.type.name)!))
                contents.append(Array(tensor.bytes))
                continue
            }
            let (outputs, inputs) = (tensor.shape[0], tensor.shape[1])
            let weight = Weight(type: tensor.type, outputs: outputs, inputs: inputs, bytes: tensor.bytes)
            let order = orders[inputs]
            let values = (0..<outputs).flatMap { row -> [Float] in
                let floats = weight.floats(ofRow: row)
                return order.map { $0.map { floats[Int($0)] } } ?? floats
            }
            let rows = try #require(WeightEncoder(type)).encode(values, inputs: inputs)
            guard let container else {
                infos.append(SafetensorsWriter.TensorInfo(name: name, shape: tensor.shape, type: .f32))
                var plain = Array(rows.decoded())
                if let order {
                    let permuted = plain
                    for row in 0..<outputs {
                        for (place, input) in order.enumerated() {
                            plain[row * inputs + Int(input)] = permuted[row * inputs + place]
                        }
                    }
                }
                contents.append(plain.withUnsafeBytes { Array($0) })
                continue
            }
            types[stem] = type
            infos += try container.tensors(stem, type: type, outputs: outputs, inputs: inputs, inOrder: order != nil)
            contents += rows.bytes.withUnsafeBytes {
                container.bytes($0, type: type, outputs: outputs, inputs: inputs, order: order)
            }
        }
        var writer = try SafetensorsWriter(path: folder + "/model.safetensors", tensors: infos)
        for (info, bytes) in zip(infos, contents) { try bytes.withUnsafeBytes { try writer.append($0, to: info.name) } }
        try writer.finish()
        let path = URL(fileURLWithPath: folder).appendingPathComponent("config.json")
        var config = try String(contentsOf: Self.base.appendingPathComponent("config.json"), encoding: .utf8)
        if let container {
            let added = try container.configuration(types: types, plain: ["lm_head"])
            config.replace("{", with: "{\"quantization_config\": \(added), ", maxReplacements: 1)
        }
        try config.write(to: path, atomically: true, encoding: .utf8)
        return folder
    }
}
