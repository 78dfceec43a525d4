internal import Checkpoints
internal import Models
internal import Tensors

/// How much a model's answers move when a tensor's outputs do: what a budget is spent by.
///
/// A tensor is rounded alone, with all others as they are, and the divergence of the scores from the model's own is measured (mean
/// KL in nats over some rows of the calibration text): exactly what a second-order expansion would estimate, at the price of a
/// pass of the model for each tensor. Divergence over relative error of the tensor's outputs is its sensitivity; the
/// loss of a format is sensitivity × error (that errors add up is the assumption of HAWQ-V2 and V3, section 3.3).
struct Sensitivity {
    let checkpoint: Checkpoint
    let uses: [TensorUse]
    let threads: Int
    let kernels: KernelTable
    let mayGoOn: () throws -> Void

    /// Tokens whose scores are compared, and the length of a row of them.
    private static let tokens = 1024
    private static let length = 128

    /// The options of every tensor: a format, its bytes and its loss.
    ///
    /// - Parameters:
    ///   - candidates: the formats of a tensor, those its rows fit.
    ///   - rows: the calibration rows.
    func items(
        _ candidates: (TensorUse) -> [ElementType], rows: [[Int32]], report: (String, Double) -> Void
    ) throws -> [AllocationItem] {
        let solver = Solver(threads: threads)
        let probes = rows.map { Array($0.prefix(Self.length)) }.filter { $0.count == min(Self.length, rows[0].count) }
            .prefix(max(1, Self.tokens / Self.length))
        let divergence = try Divergence(
            checkpoint, rows: Array(probes), threads: threads, kernels: kernels)
        let tensors = uses.filter { !candidates($0).isEmpty }
        var items: [AllocationItem] = []
        // Statistics of the model as it is, block by block.
        let runner = try BlockRunner(
            checkpoint, rows: rows, overlay: WeightOverlay(), threads: threads, kernels: kernels, onStep: mayGoOn)
        func measure(_ use: TensorUse, _ statistics: InputStatistics?) throws {
            try mayGoOn()
            report("sensitivity of \(use.name)", Double(items.count) / Double(tensors.count))
            let weight = try BlockWeights.read(checkpoint, use)
            var errors: [(type: ElementType, bytes: Int, error: Double)] = []
            var probe: (error: Double, values: Matrix, distance: Double)?
            for type in candidates(use) {
                let made = try RoundToNearest(usesImportance: statistics != nil).quantize(
                    weight, statistics, as: type, solver)
                let error = outputError(weight, made.effective, statistics, solver)
                errors.append((type, made.bytes.count, error))
                // A middling error: far above the noise of arithmetic, and where the divergence still grows with its square.
                let distance = abs(type.bitsPerElement - 3.4)
                if probe == nil || distance < probe!.distance { probe = (error, made.effective, distance) }
            }
            var overlay = WeightOverlay()
            overlay.weights[use.name] = probe!.values
            let moved = max(try divergence.measure(overlay), 0)
            let sensitivity = moved / max(probe!.error, .leastNormalMagnitude)
            items.append(
                AllocationItem(
                    name: use.name,
                    options: errors.map {
                        AllocationOption(label: $0.type.name, bytes: $0.bytes, loss: sensitivity * $0.error)
                    }))
        }
        for layer in 0..<runner.shape.layers {
            let projections = tensors.filter { if case .projection(layer, _) = $0.role { true } else { false } }
            var collectors: [ProjectionInput: InputCollector] = [:]
            for use in projections {
                guard case .projection(_, let part) = use.role, let input = ProjectionInput(part: part),
                    collectors[input] == nil
                else { continue }
                collectors[input] = InputCollector(
                    inputs: use.shape[1], need: .moments, total: rows.count * rows[0].count, solver)
            }
            try runner.advance(block: layer, overlay: WeightOverlay()) { collectors[$0]?.add($1) }
            for use in projections {
                guard case .projection(_, let part) = use.role else { continue }
                try measure(use, ProjectionInput(part: part).flatMap { collectors[$0]?.finish() })
            }
        }
        let ends = tensors.filter { $0.role == .embedding || $0.role == .output }
        let isTied = !uses.contains { $0.role == .output }
        for use in ends {
            var statistics: InputStatistics?
            if isTied || use.role == .output {
                let collector = InputCollector(
                    inputs: use.shape[1], need: .moments, total: rows.count * rows[0].count, solver)
                try runner.listenToHead(overlay: WeightOverlay()) { collector.add($0) }
                statistics = collector.finish()
            }
            try measure(use, statistics)
        }
        return items
    }
}

/// Scores of some rows by a model, and how far those of a changed model are from them.
private final class Divergence {
    private let checkpoint: Checkpoint
    private let rows: [[Int32]]
    private let threads: Int
    private let scratch: Scratch
    private let batch: Batch
    private let cache: CacheStorage
    private let pages: PageList
    /// [rows × length][vocabulary] log-probabilities.
    private var base: [[Float]] = []

    init(_ checkpoint: Checkpoint, rows: [[Int32]], threads: Int, kernels: KernelTable) throws {
        self.checkpoint = checkpoint
        self.rows = rows
        self.threads = threads
        let model = try Catalog.load(checkpoint, part: .whole, overlay: WeightOverlay(), threads: threads)
        let length = rows[0].count
        scratch = Scratch(
            model: model, kernels: kernels, threads: threads, maximumRows: length, maximumOutputs: length)
        batch = Batch(capacity: length)
        let count = (length + 63) / 64
        guard let cache = CacheStorage(layers: model.shape.cache, pageSize: 64, pageCount: count, type: .f32) else {
            throw CompressionError("there is no memory for the keys and values of \(length) tokens")
        }
        self.cache = cache
        pages = PageList(capacity: count)
        for page in 0..<count { pages.append(Int32(page)) }
        run(model) { scores in self.base.append(Self.logarithms(scores)) }
    }

    /// Mean KL divergence of the changed model's scores from the model's own, in nats.
    func measure(_ overlay: WeightOverlay) throws -> Double {
        let model = try Catalog.load(checkpoint, part: .whole, overlay: overlay, threads: threads)
        var (sum, row) = (0.0, 0)
        run(model) { scores in
            let (p, q) = (self.base[row], Self.logarithms(scores))
            for index in p.indices {
                sum += ScalarMath.exp(Double(p[index])) * (Double(p[index]) - Double(q[index]))
            }
            row += 1
        }
        return sum / Double(max(row, 1))
    }

    private func run(_ model: any Model, _ body: (UnsafeMutableBufferPointer<Float>) -> Void) {
        let variant = model.rotationVariant(length: rows[0].count)
        for tokens in rows {
            batch.removeAll()
            for (position, token) in tokens.enumerated() {
                batch.rows.append(
                    token: token, position: position, slot: position, visible: position + 1, variant: variant,
                    pages: pages)
                batch.wantScores()
            }
            let scores = model.forward(batch, cache, scratch)
            for row in 0..<tokens.count { body(scores.elements(of: row)) }
        }
    }

    private static func logarithms(_ scores: UnsafeMutableBufferPointer<Float>) -> [Float] {
        let largest = Double(scores.max() ?? 0)
        var sum = 0.0
        for score in scores { sum += ScalarMath.exp(Double(score) - largest) }
        let whole = largest + ScalarMath.log(sum)
        return scores.map { Float(Double($0) - whole) }
    }
}
