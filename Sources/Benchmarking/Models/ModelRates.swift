public import Checkpoints
public import Inference
public import Models
internal import Tensors

/// The rates of a model through the engine's steps, nothing else measured beside.
///
/// Tokens of prompts are random; the likeliest token is chosen (temperature 0).
public final class ModelRates {
    public let configuration: EngineConfiguration
    public let threads: Int
    private let model: any Model
    private var noise = SplitMix64(state: 7)

    /// Seconds of prompts from their submission to their first token, and of their last steps, by repeat.
    struct Prompts {
        var seconds: [Double]
        var lastSteps: [Double]
    }

    /// Stretches of decode steps, and tokens that each answer had when they began.
    struct Steps {
        var stretches: [(steps: Int, seconds: Double)]
        var grown: Int
    }

    /// - Parameters:
    ///   - checkpoint: the model; stays open as long as this lives.
    ///   - configuration: threads, kernels and cache type; the rest is set for each measurement.
    /// - Throws: `CheckpointError`.
    public convenience init(_ checkpoint: Checkpoint, configuration: EngineConfiguration) throws {
        self.init(try Catalog.load(checkpoint), configuration: configuration)
    }

    init(_ model: any Model, configuration: EngineConfiguration) {
        self.model = model
        self.configuration = configuration
        threads = configuration.threads ?? EngineConfiguration.availableCores
    }

    public var shape: ModelShape { model.shape }

    /// Tokens a second of a prompt alone in the engine, from its submission to its first token.
    ///
    /// - Parameters:
    ///   - tokens: of the prompt, at least 1.
    ///   - repeats: at least 1, a value each; one more warms up.
    /// - Throws: ``BenchmarkError/contextTooSmall(needed:context:)``, `EngineError`.
    public func prefill(tokens: Int, repeats: Int) throws -> Sample {
        Sample(try prompts(tokens: tokens, repeats: repeats).seconds.map { Double(tokens) / $0 })
    }

    /// Tokens a second of `batch` sequences, one token each a step.
    ///
    /// - Parameters:
    ///   - batch: sequences, at least 1.
    ///   - context: tokens of each prompt, at least 1.
    ///   - steps: at least 1; the rate of each of up to 5 stretches of them is one value.
    /// - Throws: ``BenchmarkError/contextTooSmall(needed:context:)``, `EngineError`.
    public func decode(batch: Int, context: Int, steps: Int) throws -> Sample {
        Sample(
            try self.steps(batch: batch, context: context, steps: steps).stretches.map {
                Double(batch * $0.steps) / $0.seconds
            })
    }

    func prompts(tokens: Int, repeats: Int) throws -> Prompts {
        let loop = try engine(sequences: 1, positions: tokens + 1)
        var prompts = Prompts(seconds: [], lastSteps: [])
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
            prompts.seconds.append(end - start)
            prompts.lastSteps.append(end - last)
        }
        return prompts
    }

    func steps(batch: Int, context: Int, steps: Int) throws -> Steps {
        // While the last prompts are computed the first answers already grow.
        let slack = 4 + batch * context / 256
        let loop = try engine(sequences: batch, positions: context + steps + slack)
        let progress = Progress()
        for id in 0..<batch {
            try submit(to: loop, id: id, prompt: context, generate: steps + slack, progress)
        }
        while progress.started < batch { loop.step() }
        loop.step()
        var measured = Steps(stretches: [], grown: progress.tokens / batch)
        let count = min(5, steps)
        for stretch in 0..<count {
            let length = steps * (stretch + 1) / count - steps * stretch / count
            let start = monotonicSeconds()
            for _ in 0..<length { loop.step() }
            measured.stretches.append((length, monotonicSeconds() - start))
        }
        for id in 0..<batch { loop.cancel(id: id) }
        return measured
    }

    private func engine(sequences: Int, positions: Int) throws -> EngineLoop {
        guard positions <= shape.context else {
            throw BenchmarkError.contextTooSmall(needed: positions, context: shape.context)
        }
        var configuration = configuration
        configuration.threads = threads
        configuration.context = positions
        configuration.maximumRunning = sequences
        configuration.tokenBudget = ModelBenchmark.stepRows
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
