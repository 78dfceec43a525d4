import Checkpoints
import Foundation
import Models
import Tensors
import TestKit
import Testing

/// Every architecture with every format whose blocks fit its rows: the weights of a tiny model are replaced by random blocks of
/// the format, and the model must compute what it computes from the same values as F32, a path that other tests compare with an
/// independent implementation. Float formats give the same bits; quantized ones differ by the rounding of activations.
@Suite struct EveryFormatTests {
    static let bases = [
        "llama-rows32-Q8_0", "mistral-full-BF16", "qwen2-tied-F16", "qwen3-untied-BF16", "gemma2-F16",
        "gemma3-six-layers-BF16", "phi3-longrope-long-F16", "gpt2-F32", "llama-rows256-Q4_K",
    ]

    @Test(arguments: bases) func agreesWithTheSameValuesAsFloats(_ name: String) throws {
        let base = try Checkpoint.open(Goldens.folder.appendingPathComponent("gguf/\(name).gguf").path)
        let prompt = try ModelGolden.load(
            Goldens.folder.appendingPathComponent("gguf"), file: name + ".golden.json"
        ).golden.cases.map(\.prompt).first { $0.count >= 40 }!
        for type in ElementType.allCases {
            let formatted = try Variant(base, type)
            if formatted.replaced == 0 {
                // The tiny rows of most architectures hold no block of 256.
                #expect(type.blockSize == 256, "no tensor of \(name) takes \(type.name)")
                continue
            }
            let floats = try Variant(base, .f32, valuesOf: formatted)
            let rows = try scores(formatted, prompt)
            let expected = try scores(floats, prompt)
            var squares: Float = 0
            var expectedSquares: Float = 0
            var sameBits = true
            for (row, reference) in zip(rows, expected) {
                for (value, wanted) in zip(row, reference) {
                    squares += (value - wanted) * (value - wanted)
                    expectedSquares += wanted * wanted
                    sameBits = sameBits && value.bitPattern == wanted.bitPattern
                }
            }
            #expect(expectedSquares > 0)
            if type.isQuantized {
                let relative = (squares / expectedSquares).squareRoot()
                #expect(relative > 0 && relative < 0.08, "\(name) \(type.name): relative difference \(relative)")
            } else {
                #expect(sameBits, "\(name) \(type.name)")
            }
        }
    }

    private func scores(_ variant: Variant, _ prompt: [Int32]) throws -> [[Float]] {
        let model = try Catalog.load(Checkpoint.open(variant.path))
        let runner = ModelRunner(model)
        return runner.prefill(runner.sequence(prompt, length: prompt.count))
    }
}

/// A copy of a GGUF file with other weights in its matrices, removed with the object.
private final class Variant {
    let path: String
    /// Matrices that have the new type.
    private(set) var replaced = 0
    private var contents: [String: [UInt8]] = [:]
    private var types: [String: ElementType] = [:]

    /// - Parameter source: takes the values of this variant, as floats, instead of new random ones.
    init(_ base: Checkpoint, _ type: ElementType, valuesOf source: Variant? = nil) throws {
        path = NSTemporaryDirectory() + "apus-variant-\(UUID().uuidString).gguf"
        var generator = Noise(state: UInt64(type.rawValue) + 1)
        let metadata = try #require(base.gguf)
        var infos: [GGUFWriter.TensorInfo] = []
        for name in base.tensorNames {
            let tensor = try base.require(name)
            var target = tensor.type
            var bytes = Array(tensor.bytes)
            // Learned positions and embeddings are matrices too: every row of whole blocks takes the type.
            if tensor.shape.count == 2, let source {
                target = .f32
                bytes = Self.floats(source.contents[name]!, source.types[name]!, tensor.shape)
            } else if tensor.shape.count == 2, tensor.shape[1] % type.blockSize == 0 {
                target = type
                let deviation = 1 / Float(tensor.shape[1]).squareRoot()
                bytes = generator.blocks(type, tensor.shape, deviation: deviation)
                replaced += 1
            }
            contents[name] = bytes
            types[name] = target
            infos.append(GGUFWriter.TensorInfo(name: name, shape: tensor.shape, type: target))
        }
        var pairs: [(key: String, value: GGUFValue)] = []
        for key in metadata.keys { pairs.append((key, try #require(metadata.value(key)))) }
        var writer = try GGUFWriter(path: path, metadata: pairs, tensors: infos)
        for info in infos { try contents[info.name]!.withUnsafeBytes { try writer.append($0, to: info.name) } }
        try writer.finish()
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    private static func floats(_ bytes: [UInt8], _ type: ElementType, _ shape: [Int]) -> [UInt8] {
        bytes.withUnsafeBytes { raw in
            let weight = Weight(type: type, outputs: shape[0], inputs: shape[1], bytes: raw)
            return (0..<shape[0]).flatMap { row in
                weight.floats(ofRow: row).flatMap { value in
                    withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) }
                }
            }
        }
    }
}

/// Random blocks whose values have about a given deviation.
private struct Noise {
    var state: UInt64

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state >> 33
    }

    mutating func blocks(_ type: ElementType, _ shape: [Int], deviation: Float) -> [UInt8] {
        let count = shape[0] * shape[1]
        switch type {
        case .f32: return (0..<count).flatMap { _ in bytes(uniform(deviation).bitPattern) }
        case .f16: return (0..<count).flatMap { _ in bytes(half(uniform(deviation))) }
        case .bf16: return (0..<count).flatMap { _ in bytes(UInt16(uniform(deviation).bitPattern >> 16)) }
        default:
            return (0..<count / type.blockSize).flatMap { _ in
                var block = (0..<type.blockBytes).map { _ in UInt8(truncatingIfNeeded: next()) }
                scale(type, &block, deviation)
                return block
            }
        }
    }

    /// Sets the scales of a block of random codes.
    private mutating func scale(_ type: ElementType, _ block: inout [UInt8], _ deviation: Float) {
        func set(_ offset: Int, _ value: Float) { block.replaceSubrange(offset..<offset + 2, with: bytes(half(value))) }
        switch type {
        case .q4_0: set(0, deviation / 4.6)
        case .q4_1:
            set(0, deviation / 4.6)
            set(2, -7.5 * deviation / 4.6)
        case .q5_0: set(0, deviation / 9.2)
        case .q5_1:
            set(0, deviation / 9.2)
            set(2, -15.5 * deviation / 9.2)
        case .q8_0: set(0, deviation / 74)
        case .iq4_NL: set(0, deviation / 70)
        case .mxfp4: block[0] = UInt8(126 + Int((deviation / 3).exponent))
        // The K family: codes times a sub-scale of 4 to 8 random bits.
        case .q2_K:
            set(80, deviation / 8)
            set(82, deviation / 8)
        case .q3_K: set(108, deviation / 45)
        case .q4_K, .q5_K:
            let range: Float = type == .q4_K ? 5 : 10
            set(0, deviation / (32 * range))
            set(2, deviation / 32)
        case .q6_K: set(208, deviation / (18 * 74))
        case .iq4_XS: set(0, deviation / (18 * 70))
        case .f32, .f16, .bf16, .group: break
        }
    }

    private mutating func uniform(_ deviation: Float) -> Float {
        (Float(next() % 65_536) / 32_768 - 1) * deviation * 1.732
    }

    private func half(_ value: Float) -> UInt16 { Float16(value).bitPattern }
    private func bytes<Number: FixedWidthInteger>(_ value: Number) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }
}
