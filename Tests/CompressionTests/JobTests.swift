import Apus
import Checkpoints
import Foundation
import Models
import Tensors
import TestKit
import Testing

@testable import Compression

/// Whole models made smaller: what comes out, and that neither interruptions nor threads change a bit of it.
@Suite(.serialized) struct JobTests {
    static let stories = Goldens.folder.deletingLastPathComponent().appendingPathComponent("Models/stories-draft").path
    static let text = String(
        repeating: "Once upon a time there was a little girl named Lily. She loved to play in the park with her dog. One day, "
            + "she saw a big red ball. \"Can I play with it?\" she asked. Her mom smiled and said yes. They ran and laughed "
            + "until the sun went down. ", count: 12)

    private func folder() throws -> String {
        let path = NSTemporaryDirectory() + "apus-compression-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    private func request(_ method: String, _ format: String, ends: String? = "Q8_0") -> Recipe.Request {
        var request = Recipe.Request(method: method, format: format, embeddingFormat: ends)
        request.samples = 6
        request.length = 48
        return request
    }

    private func job(
        _ request: Recipe.Request, model: String = stories, threads: Int = 2, interruption: @escaping () throws -> Void = {}
    ) throws -> CompressionJob {
        try CompressionJob(
            try ModelFiles(model), name: model, request, container: nil, calibration: (Self.text, "text"), threads: threads,
            kernels: KernelTable.available[0], interruption: interruption)
    }

    private func scores(_ files: ModelFiles, _ tokens: [Int32]) throws -> [[Float]] {
        let runner = ModelRunner(try files.network(threads: 1))
        return runner.prefill(runner.sequence(tokens, length: tokens.count))
    }

    @Test func aFolderBecomesAFileOfTheSameModel() throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let out = folder + "/out.gguf"
        try job(request("rtn", "BF16", ends: "BF16")).run(output: out)
        let (before, after) = (try ModelFiles(Self.stories), try ModelFiles(out))
        let (old, new) = (try before.tokenizer(), try after.tokenizer())
        let tokens = old.encode(Self.text, special: false, addSpecialTokens: true)
        #expect(tokens == new.encode(Self.text, special: false, addSpecialTokens: true))
        #expect(try before.endOfGeneration(old) == after.endOfGeneration(new))
        let (a, b) = (try scores(before, Array(tokens.prefix(40))), try scores(after, Array(tokens.prefix(40))))
        // Rows of queries and keys stand in another order, so sums round otherwise.
        for (x, y) in zip(a.joined(), b.joined()) { #expect(abs(x - y) < 2e-3) }
        #expect(!FileManager.default.fileExists(atPath: out + ".apus-work"))
    }

    @Test func everyKeyOfAFileIsCarriedOver() throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let out = folder + "/out.gguf"
        try job(request("rtn", "Q5_0"), model: "builtin:stories").run(output: out)
        let (before, after) = (try ModelFiles("builtin:stories").checkpoint, try ModelFiles(out).checkpoint)
        let changed = ["general.file_type", "general.quantization_version"]
        for key in before.gguf!.keys where !changed.contains(key) {
            #expect(before.gguf!.value(key) == after.gguf!.value(key), "\(key)")
        }
        #expect(before.tokenizerTensorNames == after.tokenizerTensorNames)
        for name in after.tensorNames where name.contains("blk") && !name.contains("norm") {
            #expect(after.rawTensor(named: name)?.dtypeName == "Q5_0")
        }
        // Its numbers are those of the rounding alone.
        let uses = try Catalog.tensors(of: before)
        let use = uses.first { $0.name == "blk.1.ffn_down.weight" }!
        let expected = try RoundToNearest().quantize(
            try BlockWeights.read(before, use), nil, as: .q5_0, Solver(threads: 1))
        #expect(Array(after.rawTensor(named: use.name)!.bytes) == expected.bytes)
    }

    @Test(arguments: [QuantizedContainer.gptq, .awq, .compressedTensors, .apus])
    func aFolderOpensAgainWithTheSameNumbers(_ container: QuantizedContainer) throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let out = folder + "/out"
        let request = request("gptq", "INT4_G32", ends: nil)
        let files = try ModelFiles(Self.stories)
        let job = try CompressionJob(
            files, name: Self.stories, request, container: container, calibration: (Self.text, "text"), threads: 2,
            kernels: KernelTable.available[0])
        try job.run(output: out)
        let made = try ModelFiles(out)
        #expect(try made.tokenizer().vocabularySize == files.tokenizer().vocabularySize)
        // The rows that the folder's tensors are put together to are those that the method made.
        let uses = try Catalog.tensors(of: files.checkpoint)
        let use = uses.first { $0.name.contains("layers.0.self_attn.q_proj") && $0.name.hasSuffix("weight") }!
        let stem = String(use.name.dropLast(".weight".count))
        let stored = try #require(
            try made.checkpoint.quantizedWeight(stem, outputs: use.shape[0], inputs: use.shape[1]))
        let values = try stored.withWeight { Matrix($0) }
        let original = try BlockWeights.read(files.checkpoint, use)
        let error = outputError(original, values, nil, Solver(threads: 1))
        #expect(error < 0.03 && error > 1e-5, "\(error)")
        let tokens = try files.tokenizer().encode(Self.text, special: false, addSpecialTokens: true).prefix(20)
        let (a, b) = (try scores(files, Array(tokens)), try scores(made, Array(tokens)))
        let same = zip(a, b).count { argmax($0) == argmax($1) }
        #expect(same >= 14, "\(same) of 20")
    }

    struct Interrupted: Error {}

    @Test(arguments: ["gptq", "awq"]) func interruptionsAndThreadsChangeNoBit(_ method: String) throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let (whole, pieces) = (folder + "/whole.gguf", folder + "/pieces.gguf")
        let request = request(method, "Q4_0")
        let first = try job(request, threads: 1)
        try first.run(output: whole)
        let expected = try Data(contentsOf: URL(fileURLWithPath: whole))
        // Each attempt gets a little further.
        var attempts = 0
        for allowance in [5, 17, 30, 45, 70, 110, 100_000] {
            var left = allowance
            do {
                attempts += 1
                try job(request, threads: 2) {
                    left -= 1
                    if left < 0 { throw Interrupted() }
                }.run(output: pieces)
                break
            } catch is Interrupted {
                #expect(!FileManager.default.fileExists(atPath: pieces))
            }
        }
        #expect(attempts > 2)
        #expect(try Data(contentsOf: URL(fileURLWithPath: pieces)) == expected)
        // The recipe makes it again.
        let recipe = try JSONDecoder().decode(
            Recipe.self, from: Data(contentsOf: URL(fileURLWithPath: whole + ".recipe.json")))
        #expect(recipe.request == request && recipe.tensors.count == first.recipe.tensors.count)
        #expect(recipe.tensors.allSatisfy { $0.error > 0 && $0.error < 0.1 })
    }

    @Test func otherWorkDoesNotGoOnFromHere() throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let out = folder + "/out.gguf"
        var left = 3
        #expect(throws: Interrupted.self) {
            try job(request("rtn", "Q4_0")) {
                left -= 1
                if left < 0 { throw Interrupted() }
            }.run(output: out)
        }
        let next = try job(request("rtn", "Q5_0"))
        try next.run(output: out)
        #expect(!next.notes.contains { $0.contains("going on") })
        let file = try ModelFiles(out).checkpoint
        #expect(file.rawTensor(named: "blk.0.attn_q.weight")?.dtypeName == "Q5_0")
    }

    @Test func refusalsSayWhatToDo() throws {
        func refusal(_ make: () throws -> Void) -> String {
            do { try make() } catch { return "\(error)" }
            return ""
        }
        let files = try ModelFiles(Self.stories)
        func make(_ request: Recipe.Request, _ text: String?) throws {
            _ = try CompressionJob(
                files, name: "m", request, container: nil, calibration: text.map { ($0, "t") }, threads: 1,
                kernels: KernelTable.available[0])
        }
        #expect(refusal { try make(request("gptq", "Q4_0"), nil) }.contains("--calibration"))
        #expect(refusal { try make(request("gptq", "Q4_0"), "short") }.contains("longer text"))
        #expect(refusal { try make(request("magic", "Q4_0"), nil) }.contains("rtn"))
        #expect(refusal { try make(request("rtn", "Q9"), nil) }.contains("Q4_K"))
        #expect(refusal { try make(request("rtn", "INT4_G128"), nil) }.contains("GGUF files have no type"))
        var long = request("gptq", "Q4_0")
        long.length = 1 << 20
        #expect(refusal { try make(long, Self.text) }.contains("--length"))
        var strange = request("rtn", "Q4_0")
        strange.formats["nothing"] = "Q4_0"
        #expect(refusal { try make(strange, nil) }.contains("nothing"))
    }

    @Test func foldingLeavesTheFunctionAsItIs() throws {
        let files = try ModelFiles(Self.stories)
        let uses = try Catalog.tensors(of: files.checkpoint)
        let tokens = try files.tokenizer().encode(Self.text, special: false, addSpecialTokens: true).prefix(30)
        let before = try scores(files, Array(tokens))
        var overlay = WeightOverlay()
        var sources = 0
        for layer in 0..<(try files.shape()).layers {
            let projections = uses.filter { if case .projection(layer, _) = $0.role { true } else { false } }
            var block = try BlockWeights(files.checkpoint, projections)
            for folding in Folding.all(uses, layer: layer) {
                let count = folding.readers[0].shape[1]
                // A shift first, as outlier suppression has it, where the norm can take one.
                let isShifted = try folding.apply(shift: (0..<count).map { Float($0 * 5 % 7) / 10 - 0.3 }, to: &block)
                if case .norm = folding.source { #expect(isShifted) } else { #expect(!isShifted) }
                try folding.apply((0..<count).map { 0.4 + Float($0 * 7 % 11) / 5 }, to: &block)
                sources += 1
            }
            overlay.weights.merge(block.weights) { $1 }
            overlay.vectors.merge(block.vectors) { $1 }
        }
        #expect(sources > 0)
        let model = try Catalog.load(files.checkpoint, part: .whole, overlay: overlay, threads: 1)
        let runner = ModelRunner(model)
        let after = runner.prefill(runner.sequence(Array(tokens), length: 30))
        for (x, y) in zip(before.joined(), after.joined()) { #expect(abs(x - y) < 2e-3) }
        #expect(overlay.vectors.isEmpty == false)
    }
}

extension Checkpoint {
    fileprivate var tokenizerTensorNames: [String] { tensorNames }
}
