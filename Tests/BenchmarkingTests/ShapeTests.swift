import Checkpoints
import Foundation
import Models
import Tensors
import Testing

@testable import Benchmarking

/// Random models have the sizes they claim and weights that a trained model could have.
@Suite struct ShapeTests {
    /// Parameters as the models' publishers count them, embeddings once where they are tied.
    static let published = [
        "llama-42m": 41_689_600, "llama-135m": 134_515_008, "llama-360m": 361_821_120, "qwen2.5-0.5b": 494_032_768, "qwen3-0.6b": 596_049_920,
        "tinyllama-1.1b": 1_100_048_384, "llama-1b": 1_235_814_400, "qwen3-1.7b": 1_720_574_976,
        "llama-3b": 3_212_749_824, "qwen3-4b": 4_022_468_096, "mistral-7b": 7_248_023_552, "llama-8b": 8_030_261_248,
    ]

    @Test func parametersAreThePublishedOnes() {
        #expect(Set(ModelSize.all.map(\.name)) == Set(Self.published.keys))
        for size in ModelSize.all { #expect(size.parameters == Self.published[size.name], "\(size.name)") }
    }

    @Test func fileSizesFollowTheFormat() throws {
        let size = try ModelSize.named("llama-1b")
        // 34 bytes for 32 weights; the norms, 2 of a layer and 1 more, are 4 bytes each.
        let norms = 33 * 2048
        let expected = (size.parameters - norms) / 32 * 34 + 4 * norms
        #expect(RandomModel(size: size, format: .q8_0).weightBytes == expected)
        #expect(RandomModel(size: size, format: .f32).weightBytes == 4 * size.parameters)
        #expect(RandomModel(size: size, format: .q4_K).exceptions.isEmpty)
        // 576 is no multiple of 256.
        let odd = RandomModel(size: try ModelSize.named("llama-135m"), format: .q4_K).exceptions
        #expect(odd.map(\.inputs) == [576] && odd.map(\.format) == [.q5_0])
    }

    @Test(arguments: ElementType.allCases) func weightsHaveTheirDeviation(_ type: ElementType) {
        let (inputs, deviation) = (256 * 256, Float(0.03))
        func bytes(seed: UInt64) -> [UInt8] {
            var random = RandomWeights(type: type, deviation: deviation, seed: seed)
            var bytes = [UInt8](repeating: 0, count: type.byteCount(elements: inputs)!)
            bytes.withUnsafeMutableBytes { random.fill($0) }
            return bytes
        }
        let first = bytes(seed: 1)
        #expect(first == bytes(seed: 1))
        #expect(first != bytes(seed: 2))
        first.withUnsafeBytes {
            let values = Weight(type: type, outputs: 1, inputs: inputs, bytes: $0).floats(ofRow: 0)
            let mean = values.reduce(0, +) / Float(inputs)
            let spread = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Float(inputs)).squareRoot()
            let finite = values.allSatisfy { $0.isFinite }
            #expect(finite)
            #expect(abs(mean) < 0.1 * deviation, "mean \(mean)")
            // The scale of MXFP4 is a power of two.
            let allowed = type == .mxfp4 ? deviation * 0.48...deviation * 1.05 : deviation * 0.93...deviation * 1.07
            #expect(allowed.contains(spread), "deviation \(spread)")
            #expect(Set(values).count > 12)
        }
    }

    @Test(arguments: ["llama", "qwen2", "qwen3"], [ElementType.q8_0, .q4_K, .bf16])
    func filesAreModels(_ architecture: String, _ format: ElementType) throws {
        let folder = try TemporaryFolder()
        let model = RandomModel(size: .small(architecture), format: format)
        let file = RandomModelFile(model, keptIn: folder.path + "/a/b")
        #expect(!file.exists)
        let checkpoint = try file.open()
        #expect(file.exists && checkpoint.parameterCount == model.size.parameters)
        #expect(checkpoint.weightBytes == model.weightBytes)
        let written = try Data(contentsOf: URL(fileURLWithPath: file.path))
        #expect(written.count <= model.fileBytes)
        // Once there, it is taken as it is.
        let before = try FileManager.default.attributesOfItem(atPath: file.path)[.systemFileNumber] as? Int
        _ = try file.open()
        let after = try FileManager.default.attributesOfItem(atPath: file.path)[.systemFileNumber] as? Int
        #expect(before != nil && before == after)
        let shape = try Catalog.load(checkpoint).shape
        #expect(shape.architecture == architecture && shape.layers == 2 && shape.vocabulary == 300)
    }

    @Test func scratchFilesGoAtOnce() throws {
        let model = RandomModel(size: .small("llama"), format: .q8_0)
        let file = RandomModelFile(model, keptIn: nil)
        #expect(file.path.contains("scratch") && file.path.hasPrefix(RandomModelFile.cacheFolder()))
        let checkpoint = try file.open()
        #expect(!FileManager.default.fileExists(atPath: file.path))
        #expect(try checkpoint.require("output_norm.weight").bytes.count == 4 * 256)
    }

    @Test func wrongNamesAndFoldersAreRefused() throws {
        let unknown = #expect(throws: BenchmarkError.self) { try ModelSize.named("llama-2t") }
        #expect("\(unknown!)".contains("llama-2t") && "\(unknown!)".contains("llama-1b"))
        let format = #expect(throws: BenchmarkError.self) { try WeightFormats.named("q9") }
        #expect("\(format!)".contains("q9") && "\(format!)".contains("q8_0"))
        for name in WeightFormats.names + WeightFormats.namesOfParts { #expect(try WeightFormats.named(name).name.lowercased() == name) }
        let folder = try TemporaryFolder()
        try Data().write(to: URL(fileURLWithPath: folder.path + "/file"))
        let file = RandomModelFile(RandomModel(size: .small("llama"), format: .f32), keptIn: folder.path + "/file/x")
        let bad = #expect(throws: BenchmarkError.self) { try file.open() }
        #expect("\(bad!)".contains("/file/x") && "\(bad!)".contains("--keep"))
    }
}

extension ModelSize {
    /// A model that a test makes in a moment; its rows hold whole blocks of every format.
    static func small(_ architecture: String) -> ModelSize {
        ModelSize(
            name: "small", example: "none", architecture: architecture, layers: 2, width: 256, feedForward: 512,
            heads: 4, cacheHeads: 2, headWidth: 64, vocabulary: 300, context: 512, rotationBase: 10_000)
    }
}

/// A folder that goes away with the object.
final class TemporaryFolder {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("apus-bench-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
