internal import Apus
internal import ArgumentParser
internal import Checkpoints
internal import Foundation
internal import Inference
internal import Models
internal import Tensors

struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tells what a model is and what memory it will need, without loading it.")

    @Argument(help: "A GGUF file, a folder or a built-in model.") var model: String
    @Option(help: ArgumentHelp("The context to plan memory for; by default the model's own.", valueName: "n")) var context: Int?
    @Option(help: ArgumentHelp("How keys and values would be kept: f32, f16 or bf16.", valueName: "type")) var cacheType: CacheTypeArgument = .f32
    @Flag(help: "List every tensor with its type, shape and bits per weight.") var tensors = false
    @Flag(help: "Print one JSON object.") var json = false

    func validate() throws {
        if let context, context < 1 { throw ValidationError("--context is \(context); it must be at least 1.") }
    }

    func run() throws {
        let files = try ModelFiles(model)
        let checkpoint = files.checkpoint
        let network = try Catalog.load(checkpoint)
        let shape = network.shape
        let tokenizer = try files.tokenizer()
        let template = try files.template(tokenizer)
        let positions = min(context ?? shape.context, shape.context)
        let configuration = EngineConfiguration()
        let pages = (positions + configuration.pageSize - 1) / configuration.pageSize
        let cache = pages * CacheStorage.pageBytes(layers: shape.cache, pageSize: configuration.pageSize, type: cacheType.type)
        let scratch = Scratch.bytes(
            shape, maximumRows: configuration.tokenBudget, maximumOutputs: configuration.maximumRunning)
        var report = Report(
            name: model, format: checkpoint.kind == .gguf ? "GGUF" : "safetensors", architecture: shape.architecture,
            parameters: shape.parameters, weight_bytes: shape.weightBytes,
            bits_per_weight: Double(shape.weightBytes) * 8 / Double(max(shape.parameters, 1)), layers: shape.layers,
            width: shape.width, feed_forward: shape.feedForward, heads: shape.heads, cache_heads: shape.cache[0].heads,
            head_width: shape.headWidth, vocabulary: shape.vocabulary, context: shape.context,
            sliding_windows: shape.windows.contains { $0 != nil } ? shape.windows.map { $0 ?? 0 } : nil,
            tokenizer: Report.TokenizerPart(
                tokens: tokenizer.vocabularySize, bos: tokenizer.bosToken, eos: tokenizer.eosToken),
            template: template.map { "\($0.utf8.count) bytes" },
            memory: Report.Memory(
                context: positions, cache_type: cacheType.rawValue, weights: shape.weightBytes, cache: cache,
                scratch: scratch, total: shape.weightBytes + cache + scratch),
            types: [:], tensors: [])
        for name in checkpoint.tensorNames {
            guard let tensor = try checkpoint.tensor(named: name) else { continue }
            let count = tensor.shape.reduce(1, *)
            report.types[tensor.type.name, default: 0] += count
            report.tensors!.append(
                Report.Tensor(
                    name: name, type: tensor.type.name, shape: tensor.shape,
                    bits_per_weight: Double(tensor.bytes.count) * 8 / Double(max(count, 1))))
        }
        if json {
            Console.write(try Console.json(report, pretty: true) + "\n")
        } else {
            print(report)
        }
    }

    private func print(_ report: Report) {
        func line(_ label: String, _ value: String) {
            Console.write(label.padding(toLength: 14, withPad: " ", startingAt: 0) + value + "\n")
        }
        line("model", "\(report.name) (\(report.format))")
        line("architecture", "\(report.architecture), \(report.layers) layers of width \(report.width), feed-forward \(report.feed_forward)")
        line("attention", "\(report.heads) heads of \(report.head_width), \(report.cache_heads) cache heads"
            + (report.sliding_windows.map { windows in ", sliding window \(Set(windows.filter { $0 > 0 }).sorted().map(String.init).joined(separator: "/")) on \(windows.count { $0 > 0 }) layers" } ?? ""))
        line("parameters", String(format: "%@, %.2f bits each, %@", grouped(report.parameters), report.bits_per_weight, Console.bytes(report.weight_bytes)))
        let types = report.types.sorted { $0.value > $1.value }
            .map { String(format: "%@ %.1f %%", $0.key, 100 * Double($0.value) / Double(max(report.parameters, 1))) }
        line("types", types.joined(separator: ", "))
        line("vocabulary", "\(report.vocabulary) scores; tokenizer of \(report.tokenizer.tokens) tokens, bos \(report.tokenizer.bos ?? "none"), eos \(report.tokenizer.eos ?? "none")")
        line("template", report.template ?? "none")
        line("context", "\(report.context) tokens")
        let memory = report.memory
        line("memory", "\(Console.bytes(memory.total)) at \(memory.context) tokens: weights \(Console.bytes(memory.weights)) (mapped), cache \(Console.bytes(memory.cache)) (\(memory.cache_type)), scratch \(Console.bytes(memory.scratch))")
        guard tensors else { return }
        for tensor in report.tensors ?? [] {
            let shape = tensor.shape.map(String.init).joined(separator: " × ")
            Console.write(String(format: "%@  %@  %@  %.2f bits\n", tensor.name, tensor.type, shape, tensor.bits_per_weight))
        }
    }

    private func grouped(_ number: Int) -> String {
        var digits = Array(String(number))
        for place in stride(from: digits.count - 3, to: 0, by: -3) { digits.insert(",", at: place) }
        return String(digits)
    }

    private struct Report: Encodable {
        struct TokenizerPart: Encodable {
            var tokens: Int
            var bos: String?
            var eos: String?
        }
        struct Memory: Encodable {
            var context: Int
            var cache_type: String
            var weights: Int
            var cache: Int
            var scratch: Int
            var total: Int
        }
        struct Tensor: Encodable {
            var name: String
            var type: String
            var shape: [Int]
            var bits_per_weight: Double
        }

        var name: String
        var format: String
        var architecture: String
        var parameters: Int
        var weight_bytes: Int
        var bits_per_weight: Double
        var layers: Int
        var width: Int
        var feed_forward: Int
        var heads: Int
        var cache_heads: Int
        var head_width: Int
        var vocabulary: Int
        var context: Int
        /// By layer, 0 for none; absent where no layer has one.
        var sliding_windows: [Int]?
        var tokenizer: TokenizerPart
        var template: String?
        var memory: Memory
        /// Weights by type.
        var types: [String: Int]
        var tensors: [Tensor]?
    }
}
