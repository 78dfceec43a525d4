public import Checkpoints
public import Inference
public import Models
internal import Tensors

/// Speed of a model as its user gets it: through the engine's steps, the choice of a token among them.
///
/// Tokens of prompts are random; the likeliest token is chosen (temperature 0). Limits are measured before and after
/// each figure, and a figure's shares refer to both.
public final class ModelBenchmark {
    public let work: ModelWork
    public let configuration: EngineConfiguration
    public let threads: Int
    private let model: any Model
    private let meter: LimitMeter
    private var pattern: Limits.ReadPattern?
    private var noise = SplitMix64(state: 7)

    /// Prefill: a prompt alone in the engine, from its submission to its first token.
    public struct Prefill: Sendable {
        public var tokens: Int
        public var rate: Sample
        public var share: LimitShare
        /// Seconds of the last step, the median of the repeats: a long prompt takes several.
        public var lastStep: Double
    }

    /// Decode: `batch` sequences, one token each a step.
    public struct Decode: Sendable {
        public var batch: Int
        /// Positions in the cache of each sequence when measuring began.
        public var context: Int
        public var rate: Sample
        public var share: LimitShare
        /// Bytes of weights, keys and values that a step reads.
        public var bytesOfStep: Double
    }

    /// - Parameters:
    ///   - checkpoint: the model; stays open as long as this lives.
    ///   - configuration: threads, kernels and cache type; the rest is set for each measurement.
    /// - Throws: `CheckpointError`, ``BenchmarkError``.
    public convenience init(_ checkpoint: Checkpoint, configuration: EngineConfiguration) throws {
        let threads = configuration.threads ?? EngineConfiguration.availableCores
        let kernels = configuration.kernels ?? KernelTable.available[0]
        try self.init(
            checkpoint, configuration: configuration, meter: LimitMeter(kernels: kernels, threads: threads))
    }

    init(_ checkpoint: Checkpoint, configuration: EngineConfiguration, meter: LimitMeter) throws {
        model = try Catalog.load(checkpoint)
        work = try ModelWork(checkpoint, shape: model.shape, cacheType: configuration.cacheType)
        self.configuration = configuration
        threads = configuration.threads ?? EngineConfiguration.availableCores
        self.meter = meter
    }

    public var shape: ModelShape { model.shape }

    /// The machine's limits now. The first call looks for the best way to read.
    public func limits() -> Limits {
        let limits = meter.measure(threads: threads, repeats: 5, pattern: pattern)
        pattern = limits.readPattern
        return limits
    }

    /// Measures prefill of a prompt.
    ///
    /// - Parameters:
    ///   - tokens: of the prompt, at least 1.
    ///   - repeats: at least 1; one more warms up.
    ///   - before: the limits measured last; replaced by those measured after.
    /// - Throws: ``BenchmarkError/contextTooSmall(needed:context:)``, `EngineError`.
    public func prefill(tokens: Int, repeats: Int, limits before: inout Limits) throws -> Prefill {
        let loop = try engine(sequences: 1, positions: tokens + 1)
        var seconds: [Double] = []
        var lastSteps: [Double] = []
        for round in 0...repeats {
            try submit(to: loop, id: 0, prompt: tokens, generate: 1)
            let start = monotonicSeconds()
            var last = start
            while !loop.isIdle {
                last = monotonicSeconds()
                loop.step()
            }
            let end = monotonicSeconds()
            guard round > 0 else { continue }
            seconds.append(end - start)
            lastSteps.append(end - last)
        }
        let after = limits()
        defer { before = after }
        return Prefill(
            tokens: tokens, rate: Sample(seconds.map { Double(tokens) / $0 }),
            share: LimitShare(
                seconds: Sample(seconds).median, bytes: Double(work.weightBytes),
                operations: work.operations(rows: tokens, outputs: 1), limits: before.joined(with: after)),
            lastStep: Sample(lastSteps).median)
    }

    /// Measures decode.
    ///
    /// - Parameters:
    ///   - batch: sequences, at least 1.
    ///   - context: tokens of each prompt, at least 1.
    ///   - steps: at least 1; the rate of each of up to 5 stretches of them is one value.
    ///   - before: the limits measured last; replaced by those measured after.
    /// - Throws: ``BenchmarkError/contextTooSmall(needed:context:)``, `EngineError`.
    public func decode(batch: Int, context: Int, steps: Int, limits before: inout Limits) throws -> Decode {
        // While the last prompts are computed the first answers already grow.
        let slack = 4 + batch * context / 256
        let loop = try engine(sequences: batch, positions: context + steps + slack)
        let progress = Progress()
        for id in 0..<batch {
            try submit(to: loop, id: id, prompt: context, generate: steps + slack, progress)
        }
        while progress.started < batch { loop.step() }
        loop.step()
        let grown = progress.tokens / batch
        var stretches: [(steps: Int, seconds: Double)] = []
        let count = min(5, steps)
        for stretch in 0..<count {
            let length = steps * (stretch + 1) / count - steps * stretch / count
            let start = monotonicSeconds()
            for _ in 0..<length { loop.step() }
            stretches.append((length, monotonicSeconds() - start))
        }
        for id in 0..<batch { loop.cancel(id: id) }
        let after = limits()
        defer { before = after }
        let seconds = Sample(stretches.map { $0.seconds / Double($0.steps) }).median
        let positions = context + grown + steps / 2
        let bytes = Double(work.weightBytes) + Double(batch) * Double(work.cacheBytes(positions: positions))
        return Decode(
            batch: batch, context: context,
            rate: Sample(stretches.map { Double(batch * $0.steps) / $0.seconds }),
            share: LimitShare(
                seconds: seconds, bytes: bytes, operations: work.operations(rows: batch, outputs: batch),
                limits: before.joined(with: after)),
            bytesOfStep: bytes)
    }

    /// The matrix products of prefill alone.
    public func products(_ profiler: StepProfiler, prompt tokens: Int, limits before: inout Limits) -> Prefill {
        var left = tokens
        var (seconds, last) = (0.0, 0.0)
        while left > 0 {
            let rows = min(left, Self.stepRows)
            last = profiler.products(rows: rows, outputs: left == rows ? 1 : 0).reduce(0) { $0 + $1.seconds }
            seconds += last
            left -= rows
        }
        let after = limits()
        defer { before = after }
        return Prefill(
            tokens: tokens, rate: Sample([Double(tokens) / seconds]),
            share: LimitShare(
                seconds: seconds, bytes: Double(work.weightBytes),
                operations: work.operations(rows: tokens, outputs: 1), limits: before.joined(with: after)),
            lastStep: last)
    }

    /// The matrix products of decode alone.
    public func products(_ profiler: StepProfiler, batch: Int, limits before: inout Limits) -> Decode {
        let seconds = profiler.products(rows: batch, outputs: batch).reduce(0) { $0 + $1.seconds }
        let after = limits()
        defer { before = after }
        return Decode(
            batch: batch, context: 0, rate: Sample([Double(batch) / seconds]),
            share: LimitShare(
                seconds: seconds, bytes: Double(work.weightBytes),
                operations: work.operations(rows: batch, outputs: batch), limits: before.joined(with: after)),
            bytesOfStep: Double(work.weightBytes))
    }

    /// The most rows of a step.
    static let stepRows = 512

    private func engine(sequences: Int, positions: Int) throws -> EngineLoop {
        guard positions <= shape.context else {
            throw BenchmarkError.contextTooSmall(needed: positions, context: shape.context)
        }
        var configuration = configuration
        configuration.threads = threads
        configuration.context = positions
        configuration.maximumRunning = sequences
        configuration.tokenBudget = Self.stepRows
        configuration.sharesPrefixes = false
        let pages = (positions + configuration.pageSize - 1) / configuration.pageSize * sequences
        let bytes =
            pages
            * CacheStorage.pageBytes(
                layers: shape.cache, pageSize: configuration.pageSize, type: configuration.cacheType)
        guard bytes < physicalMemory() / 4 * 3 else {
            throw BenchmarkError.noMemory(bytes: bytes, purpose: "a cache of \(sequences) × \(positions) positions")
        }
        configuration.cacheBytes = bytes
        return try EngineLoop(model: model, configuration: configuration)
    }

    /// How far the sequences of a batch are.
    private final class Progress {
        var started = 0
        var tokens = 0
    }

    private func submit(
        to loop: EngineLoop, id: Int, prompt: Int, generate: Int, _ progress: Progress = Progress()
    ) throws {
        var sampling = SamplingParameters()
        sampling.temperature = 0
        let vocabulary = Int32(shape.vocabulary)
        let tokens = (0..<prompt).map { _ in Int32.random(in: 0..<vocabulary, using: &noise) }
        let request = GenerationRequest(prompt: tokens, sampling: sampling, maximumTokens: generate)
        var isFirst = true
        _ = try loop.submit(request, id: id) { outcome in
            guard case .success(.token) = outcome else { return }
            progress.tokens += 1
            if isFirst { progress.started += 1 }
            isFirst = false
        }
    }
}

extension Limits {
    /// Limits of two moments as one: both moments' values.
    public func joined(with other: Limits) -> Limits {
        var both = self
        both.read = read.joined(with: other.read)
        both.readSmallPages = readSmallPages.joined(with: other.readSmallPages)
        both.fma = fma.joined(with: other.fma)
        both.dot = dot.joined(with: other.dot)
        return both
    }
}
