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
    private let rates: ModelRates
    private let meter: LimitMeter
    private var pattern: Limits.ReadPattern?

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
        rates = try ModelRates(checkpoint, configuration: configuration)
        work = try ModelWork(checkpoint, shape: rates.shape, cacheType: configuration.cacheType)
        self.configuration = configuration
        threads = rates.threads
        self.meter = meter
    }

    public var shape: ModelShape { rates.shape }

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
        let prompts = try rates.prompts(tokens: tokens, repeats: repeats)
        let after = limits()
        defer { before = after }
        return Prefill(
            tokens: tokens, rate: Sample(prompts.seconds.map { Double(tokens) / $0 }),
            share: LimitShare(
                seconds: Sample(prompts.seconds).median, bytes: Double(work.weightBytes),
                operations: work.operations(rows: tokens, outputs: 1), limits: before.joined(with: after)),
            lastStep: Sample(prompts.lastSteps).median)
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
        let measured = try rates.steps(batch: batch, context: context, steps: steps)
        let stretches = measured.stretches
        let after = limits()
        defer { before = after }
        let seconds = Sample(stretches.map { $0.seconds / Double($0.steps) }).median
        let positions = context + measured.grown + steps / 2
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
