internal import Apus
internal import ArgumentParser
internal import Checkpoints
internal import Foundation
internal import Inference
internal import Models
internal import Tensors

struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tells what a model is and what memory it will need, without loading it.",
        discussion: """
            Tensors that differ only by the number of their layer stand on one line, with * for the number. Memory is what
            `apus run` needs at this context: the weights are mapped from the file, the rest is allocated.
            """)

    @Argument(help: "A GGUF file, a folder or a built-in model.") var model: String
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("The context to plan memory for; by default the model's own.", valueName: "n")) var context:
        Int?
    @Option(help: ArgumentHelp("How keys and values would be kept: f32, f16 or bf16.", valueName: "type"))
    var cacheType: CacheTypeArgument = .f32
    @Flag(help: "List every tensor on a line of its own.") var tensors = false
    @Flag(help: "Print one JSON object.") var json = false

    func validate() throws {
        if let context, context < 1 { throw ValidationError("--context is \(context); it must be at least 1.") }
    }

    func run() throws {
        let files = try ModelFiles(model)
        let checkpoint = files.checkpoint
        let shape = try files.shape()
        let tokenizer = try files.tokenizer()
        let template = try files.template(tokenizer)
        if let context, context > shape.context {
            Console.note(
                "the model was made for \(shape.context) tokens; --context \(context) is taken as \(shape.context)")
        }
        let positions = min(context ?? shape.context, shape.context)
        let configuration = EngineConfiguration()
        let pages = (positions + configuration.pageSize - 1) / configuration.pageSize
        let cache =
            pages * CacheStorage.pageBytes(layers: shape.cache, pageSize: configuration.pageSize, type: cacheType.type)
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
            guard let tensor = checkpoint.rawTensor(named: name) else { continue }
            let count = tensor.shape.reduce(1, *)
            report.types[tensor.dtypeName, default: 0] += count
            report.tensors.append(
                Report.Tensor(
                    name: name, type: tensor.dtypeName, shape: tensor.shape,
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
        line(
            "architecture",
            "\(report.architecture), \(report.layers) layers of width \(report.width), feed-forward \(report.feed_forward)"
        )
        line(
            "attention",
            "\(report.heads) heads of \(report.head_width), \(report.cache_heads) cache heads"
                + (report.sliding_windows.map { windows in
                    ", sliding window \(Set(windows.filter { $0 > 0 }).sorted().map(String.init).joined(separator: "/")) on \(windows.count { $0 > 0 }) layers"
                } ?? ""))
        line(
            "parameters",
            String(
                format: "%@, %.2f bits each, %@", grouped(report.parameters), report.bits_per_weight,
                Console.bytes(report.weight_bytes)))
        let types = report.types.sorted { $0.value > $1.value }
            .map { String(format: "%@ %.1f %%", $0.key, 100 * Double($0.value) / Double(max(report.parameters, 1))) }
        line("types", types.joined(separator: ", "))
        line(
            "vocabulary",
            "\(report.vocabulary) scores; tokenizer of \(report.tokenizer.tokens) tokens, bos \(report.tokenizer.bos ?? "none"), eos \(report.tokenizer.eos ?? "none")"
        )
        line("template", report.template ?? "none")
        line("context", "\(report.context) tokens")
        let memory = report.memory
        line(
            "memory",
            "\(Console.bytes(memory.total)) at \(memory.context) tokens: weights \(Console.bytes(memory.weights)) (mapped), cache \(Console.bytes(memory.cache)) (\(memory.cache_type)), scratch \(Console.bytes(memory.scratch))"
        )
        table(tensors ? report.tensors.map { ($0, 1) } : merged(report.tensors))
    }

    /// Tensors of a kind in all layers as one, with their number.
    private func merged(_ tensors: [Report.Tensor]) -> [(tensor: Report.Tensor, count: Int)] {
        var rows: [(tensor: Report.Tensor, count: Int)] = []
        var places: [Report.Tensor: Int] = [:]
        for var tensor in tensors {
            let parts = tensor.name.split(separator: ".", omittingEmptySubsequences: false)
            tensor.name = parts.map { Int($0) == nil ? String($0) : "*" }.joined(separator: ".")
            if let place = places[tensor] {
                rows[place].count += 1
            } else {
                places[tensor] = rows.count
                rows.append((tensor, 1))
            }
        }
        return rows
    }

    private func table(_ rows: [(tensor: Report.Tensor, count: Int)]) {
        let cells = rows.map { row in
            [
                row.tensor.name, row.count == 1 ? "" : "× \(row.count)", row.tensor.type,
                row.tensor.shape.map(String.init).joined(separator: " × "),
                String(format: "%.2f bits a weight", row.tensor.bits_per_weight),
            ]
        }
        let widths = (0..<4).map { column in cells.map { $0[column].count }.max() ?? 0 }
        Console.write("\n")
        for row in cells {
            let padded = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
            Console.write((padded + [row[4]]).joined(separator: "  ") + "\n")
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
        struct Tensor: Encodable, Hashable {
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
        var tensors: [Tensor]
    }
}
