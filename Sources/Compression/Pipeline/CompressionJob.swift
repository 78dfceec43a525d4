public import Apus
public import Checkpoints
internal import Foundation
internal import Models
public import Tensors
internal import Text

/// Makes a smaller model of a model, tensor by tensor: one block's weights and the calibration rows' hidden states are in memory
/// at a time. What is finished is kept beside the output, so that the same work started again goes on where it ended; whether
/// it was interrupted, and how many threads it uses, does not change a bit of the result.
public final class CompressionJob {
    public struct Progress: Sendable {
        /// Weights done of all that are to be quantized.
        public var done: Int
        public var total: Int
        /// What is being worked on: `block 3 of 30`.
        public var stage: String
    }

    let files: ModelFiles
    let uses: [TensorUse]
    let shape: ModelShape
    let plan: TypePlan
    let method: Method
    private let correction: WeightCorrection
    /// Projections with a place for a correction, and for a bias of their own.
    static let correctable: Set<String> = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"]
    /// The layout of a folder; nil for a GGUF file.
    let container: QuantizedContainer?
    private var isGGUF: Bool { container == nil }
    /// The embedding, each block, the projection to scores.
    var stepCount: Int { shape.layers + 2 }
    /// Request and sources; tensors once all is done.
    public private(set) var recipe: Recipe
    /// What the user should know.
    public private(set) var notes: [String]
    private let rows: CalibrationText?
    private let solver: Solver
    private let threads: Int
    private let kernels: KernelTable
    private let report: (Progress) -> Void
    private let mayGoOn: () throws -> Void
    private var done = 0
    private let total: Int
    private var stage = ""

    /// Checks everything that can be checked before work begins.
    ///
    /// - Parameters:
    ///   - files: the model.
    ///   - name: the model as the caller names it.
    ///   - request: what to make.
    ///   - container: the layout of a folder; nil for a GGUF file.
    ///   - calibration: the text and its name; nil for none.
    ///   - threads: how many threads work.
    ///   - report: is told how far it is.
    ///   - interruption: is called between pieces of work; what it throws ends the job, which can be taken up again.
    /// - Throws: ``CompressionError`` where a method lacks its calibration text or a format does not fit; `CheckpointError`
    ///   where the model is damaged.
    public init(
        _ files: ModelFiles, name: String, _ request: Recipe.Request, container: QuantizedContainer?,
        calibration: (text: String, name: String)?, threads: Int, kernels: KernelTable,
        report: @escaping (Progress) -> Void = { _ in }, interruption: @escaping () throws -> Void = {}
    ) throws {
        guard let method = Method.named(request.method) else {
            throw CompressionError(
                "there is no method '\(request.method)'; there are \(Method.all.map(\.name).joined(separator: ", "))")
        }
        self.files = files
        self.method = method
        self.container = container
        self.threads = threads
        self.kernels = kernels
        self.report = report
        mayGoOn = interruption
        shape = try files.shape()
        let uses = try Catalog.tensors(of: files.checkpoint)
        let plan = try TypePlan(uses, request, isGGUF: container == nil)
        (self.uses, self.plan) = (uses, plan)
        if files.checkpoint.config?.has("quantization_config") == true {
            throw CompressionError(
                "\(name) is quantized already; start from the model as it was published before, so that errors do not add up")
        }
        if let container {
            if let refusal = FolderOutput.refusal(files.checkpoint, uses) { throw CompressionError(refusal) }
            for use in uses {
                if let type = plan[use.name], !container.holds(type) {
                    throw CompressionError(
                        "the layout \(container.rawValue) has no place for \(type.name) (tensor \(use.name)); --layout apus holds "
                            + "every format")
                }
            }
        }
        correction = WeightCorrection(rank: request.lowRank ?? 0, sparseShare: request.sparse ?? 0)
        if !correction.isNone {
            guard container == .apus else {
                throw CompressionError(
                    "only folders of layout apus have a place for low-rank and sparse parts; name an OUT that does not end in .gguf, "
                        + "and --layout apus or none")
            }
            guard (0...Correction.largestRank).contains(correction.rank), (0..<0.5).contains(correction.sparseShare) else {
                throw CompressionError(
                    "a rank must lie in 0...\(Correction.largestRank) and a sparse part below half of a weight's numbers; the request "
                        + "has \(correction.rank) and \(correction.sparseShare)")
            }
            if let fused = uses.first(where: { use in
                if case .projection(_, let part) = use.role { return !Self.correctable.contains(part) || use.isTransposed }
                return false
            }) {
                throw CompressionError(
                    "\(fused.name) holds several projections in one, which low-rank and sparse parts cannot stand beside; leave them out")
            }
        }
        notes = plan.notes
        solver = Solver(threads: threads)
        total = uses.reduce(0) { sum, use in sum + (plan[use.name] == nil ? 0 : use.shape.reduce(1, *)) }
        if method.need > .nothing {
            guard let calibration else {
                throw CompressionError(
                    "method \(method.name) measures the model's activations on a text: name one with --calibration (any UTF-8 "
                        + "file like what the model will read, some 100 KB), or take --method rtn, which needs none")
            }
            guard request.length <= shape.context else {
                throw CompressionError(
                    "rows of \(request.length) calibration tokens do not fit the model's context of \(shape.context); give a "
                        + "smaller --length")
            }
            rows = try CalibrationText(
                calibration.text, tokenizer: try files.tokenizer(), samples: request.samples, length: request.length)
        } else {
            rows = nil
        }
        recipe = Recipe(
            request: request, model: .init(path: name, hash: files.identity),
            calibration: rows.map { .init(path: calibration!.name, hash: $0.hash) },
            container: container?.rawValue ?? "gguf")
    }

    /// Does the work and writes the result.
    ///
    /// - Parameter output: a file's name, or a folder's; what is there is replaced at the end.
    public func run(output: String) throws {
        let work = try WorkFolder(output: output, recipe)
        if work.isResumed { notes.append("going on with the work in \(work.path)") }
        var runner: BlockRunner?
        var overlay = WeightOverlay()
        // The embedding first: all that follows reads what has become of it.
        let ends = try step(0, work) { try embedding() }
        take(ends, into: &overlay)
        if let rows, method.need > .nothing {
            stage = "embedding"
            runner = try BlockRunner(
                files.checkpoint, rows: rows.rows, overlay: overlay, threads: threads, kernels: kernels,
                onStep: mayGoOn)
        }
        for layer in 0..<shape.layers {
            stage = "block \(layer + 1) of \(shape.layers)"
            let result = try step(layer + 1, work) { try block(layer, runner) }
            var blockOverlay = WeightOverlay()
            take(result, into: &blockOverlay)
            try runner?.advance(block: layer, overlay: blockOverlay)
        }
        if uses.contains(where: { $0.role == .output && plan[$0.name] != nil }) {
            stage = "projection to scores"
            _ = try step(shape.layers + 1, work) { try scores(runner, overlay) }
        }
        runner = nil
        stage = "writing"
        report(Progress(done: total, total: total, stage: stage))
        recipe.tensors = []
        for index in 0..<stepCount {
            if let result = try work.read(step: index) { recipe.tensors += result.records }
        }
        if let container {
            try FolderOutput(self, work, container).write(to: output)
        } else {
            try GGUFOutput(self, work).write(to: output)
        }
        try writeRecipe(output)
        work.remove()
    }

    private func writeRecipe(_ output: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        let path = Self.recipePath(output: output, isGGUF: isGGUF)
        do { try encoder.encode(recipe).write(to: URL(fileURLWithPath: path), options: .atomic) } catch {
            throw CompressionError("\(path): the recipe cannot be written: \(error.localizedDescription)")
        }
    }

    /// Where the recipe of an output lies: beside a file, in a folder.
    public static func recipePath(output: String, isGGUF: Bool) -> String {
        isGGUF ? output + ".recipe.json" : output + "/recipe.json"
    }

    // MARK: Steps

    private func step(_ index: Int, _ work: WorkFolder, _ make: () throws -> StepResult) throws -> StepResult {
        try mayGoOn()
        report(Progress(done: done, total: total, stage: stage))
        if let found = try work.read(step: index) {
            done += found.weights.reduce(0) { sum, weight in
                sum + (uses.first { $0.name == weight.name }?.shape.reduce(1, *) ?? 0)
            }
            return found
        }
        let result = try make()
        try work.write(result, step: index)
        return result
    }

    /// Puts what a step has made in the place of the source's numbers.
    private func take(_ result: StepResult, into overlay: inout WeightOverlay) {
        overlay.vectors.merge(result.vectors) { $1 }
        guard method.need > .nothing else { return }
        for weight in result.weights {
            guard let use = uses.first(where: { $0.name == weight.name }) else { continue }
            overlay.weights[weight.name] = weight.bytes.withUnsafeBytes {
                Matrix(Weight(type: weight.type, outputs: use.shape[0], inputs: use.shape[1], bytes: $0))
            }
            ExtraTensor.add(weight.extras, to: overlay.weights[weight.name]!, solver)
        }
    }

    private func isTied() -> Bool { !uses.contains { $0.role == .output } }

    /// The embedding: looked up, and where it is tied multiplied as well, by the last states of the model as it was.
    private func embedding() throws -> StepResult {
        guard let use = uses.first(where: { $0.role == .embedding }), plan[use.name] != nil else { return StepResult() }
        stage = "embedding"
        let quantizer = method.makeQuantizer(recipe.request.settings)
        var statistics: InputStatistics?
        if isTied(), let rows, quantizer.need > .nothing {
            let runner = try BlockRunner(
                files.checkpoint, rows: rows.rows, overlay: WeightOverlay(), threads: threads, kernels: kernels,
                onStep: mayGoOn)
            for layer in 0..<shape.layers { try runner.advance(block: layer, overlay: WeightOverlay()) }
            statistics = try headStatistics(runner, WeightOverlay(), quantizer.need)
        }
        let weight = try BlockWeights.read(files.checkpoint, use)
        var result = StepResult()
        // Without statistics of its own an embedding is rounded to nearest.
        let used: any Quantizer = statistics == nil ? RoundToNearest() : quantizer
        _ = try quantize(use, weight, statistics, used, into: &result)
        return result
    }

    private func scores(_ runner: BlockRunner?, _ overlay: WeightOverlay) throws -> StepResult {
        guard let use = uses.first(where: { $0.role == .output }) else { return StepResult() }
        let quantizer = method.makeQuantizer(recipe.request.settings)
        let statistics = try runner.flatMap { runner in
            quantizer.need > .nothing ? try headStatistics(runner, overlay, quantizer.need) : nil
        }
        var result = StepResult()
        _ = try quantize(use, try BlockWeights.read(files.checkpoint, use), statistics, quantizer, into: &result)
        return result
    }

    private func headStatistics(
        _ runner: BlockRunner, _ overlay: WeightOverlay, _ need: CalibrationNeed
    ) throws -> InputStatistics {
        let collector = InputCollector(inputs: shape.width, need: need, total: rows!.tokens, solver)
        try runner.listenToHead(overlay: overlay) { collector.add($0) }
        return collector.finish()
    }

    private func block(_ layer: Int, _ runner: BlockRunner?) throws -> StepResult {
        let projections = uses.filter {
            if case .projection(layer, _) = $0.role { true } else { false }
        }
        var block = try BlockWeights(files.checkpoint, projections)
        var result = StepResult()
        if let scaler = method.scaler, let runner {
            let foldings = Folding.all(uses, layer: layer).filter { $0.readers.allSatisfy { plan[$0.name] != nil } }
            // A folding changes no function of the block, so what later ones read is heard in the same pass.
            let heard = try listen(to: foldings, scaler, layer, runner, block)
            for (folding, collector) in zip(foldings, heard) {
                try fold(folding, collector, scaler, layer, runner, &block)
            }
            result.vectors = block.vectors
        }
        let quantizer = method.makeQuantizer(recipe.request.settings)
        for input in ProjectionInput.allCases {
            let readers = projections.filter { use in
                if case .projection(_, let part) = use.role { return ProjectionInput(part: part) == input }
                return false
            }.filter { plan[$0.name] != nil }
            guard let first = readers.first else { continue }
            var statistics: InputStatistics?
            if let runner, quantizer.need > .nothing {
                let collector = InputCollector(
                    inputs: first.shape[1], need: quantizer.need, total: rows!.tokens, solver)
                try runner.listen(block: layer, [input], overlay: block.overlay) { collector.add($1) }
                statistics = collector.finish()
            }
            for use in readers {
                try mayGoOn()
                report(Progress(done: done, total: total, stage: stage))
                block.weights[use.name] = try quantize(use, block.weights[use.name]!, statistics, quantizer, into: &result)
            }
        }
        return result
    }

    /// What the inputs of some foldings are, in one pass.
    private func listen(
        to foldings: [Folding], _ scaler: any Scaler, _ layer: Int, _ runner: BlockRunner, _ block: BlockWeights
    ) throws -> [InputCollector] {
        let collectors = foldings.map { folding in
            InputCollector(
                inputs: folding.readers[0].shape[1], need: scaler.need, keeping: scaler.keptRows, total: rows!.tokens, solver)
        }
        try runner.listen(block: layer, foldings.map(\.input), overlay: block.overlay) { input, rows in
            for (folding, collector) in zip(foldings, collectors) where folding.input == input { collector.add(rows) }
        }
        return collectors
    }

    private func fold(
        _ folding: Folding, _ collector: InputCollector, _ scaler: any Scaler, _ layer: Int, _ runner: BlockRunner,
        _ block: inout BlockWeights
    ) throws {
        var collector = collector
        if container == .apus, let shift = scaler.shift(folding.input, collector.finish()),
            try folding.apply(shift: shift, to: &block)
        {
            collector = try listen(to: [folding], scaler, layer, runner, block)[0]
        }
        let scale = scaler.scale(
            folding.input, readers: folding.readers.map { block.weights[$0.name]! }, collector.finish(),
            rows: collector.keptRows, types: folding.readers.compactMap { plan[$0.name] }, solver)
        if let scale { try folding.apply(scale, to: &block) }
    }

    /// Quantizes a tensor and keeps bytes and record. Returns what the bytes stand for.
    private func quantize(
        _ use: TensorUse, _ weight: Matrix, _ statistics: InputStatistics?, _ quantizer: any Quantizer,
        into result: inout StepResult
    ) throws -> Matrix {
        let type = plan[use.name]!
        let correction = if case .projection = use.role { correction } else { WeightCorrection() }
        let made = try correction.quantize(weight, statistics, as: type, by: quantizer, solver)
        result.weights.append(.init(name: use.name, type: made.type, bytes: made.bytes, extras: made.extras))
        result.records.append(
            Recipe.TensorRecord(
                name: use.name, format: made.type.name, bytes: made.bytes.count + made.extras.reduce(0) { $0 + $1.bytes.count },
                error: outputError(weight, made.effective, statistics, solver), choices: made.choices))
        done += use.shape.reduce(1, *)
        return made.effective
    }
}
