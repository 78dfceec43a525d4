internal import Apus
public import Inference
internal import Models
internal import Tensors

/// Reads a text with a base and other models side by side and compares their distributions at every place.
///
/// Scores are compared window by window and dropped: nothing of the size of text × vocabulary is ever kept. As many models
/// as the memory holds run beside the base; where it does not hold all, the base runs again for the next ones.
public struct DivergenceRun: Sendable {
    /// Tokens scored.
    public let tokens: Int
    /// The base's own perplexity.
    public let basePerplexity: Estimate
    /// One for each of the other models, in their order.
    public let divergences: [Divergence]

    public struct Settings: Sendable {
        /// Tokens that a model sees at once, and from one window's beginning to the next.
        public var window = 1024
        public var stride = 512
        /// Temperatures to compare at besides 1.
        public var temperatures: [Float] = [0.5, 0.8, 1.2]
        /// Where the draws' noise comes from.
        public var seed: UInt64 = 0

        public init() {}
    }

    /// Compares models on a text.
    ///
    /// - Parameters:
    ///   - base: what the others are compared with.
    ///   - others: at least one, with the base's vocabulary and tokenizer.
    ///   - text: its tokens are those of the base's tokenizer.
    ///   - configuration: threads, kernels and cache type.
    ///   - available: bytes that the networks may take together; nil for what the machine has.
    ///   - progress: told how many of how many tokens are read.
    /// - Throws: ``EvaluationError``, `CheckpointError`, `EngineError`.
    /// - Complexity: a pass of each model over text × window / stride tokens, the base's once for each group of models, and
    ///   O(vocabulary × temperatures) for each token and model.
    public static func measure(
        base: ComparedModel, others: [ComparedModel], text: String, settings: Settings,
        configuration: EngineConfiguration, available: Int? = nil, progress: @Sendable (Int, Int) -> Void = { _, _ in }
    ) throws -> DivergenceRun {
        guard !others.isEmpty else { throw EvaluationError.noModels }
        for temperature in settings.temperatures where !(0.01...100).contains(temperature) {
            throw EvaluationError.impossibleTemperature(temperature)
        }
        let tokens = base.tokens(of: text)
        for model in [base] + others { try check(model, against: base, text: text, tokens: tokens) }
        let context = ([base] + others).map(\.shape.context).min()!
        let windows = try TextWindows(
            count: tokens.count, window: settings.window, stride: settings.stride, context: context)
        let temperatures = [1] + settings.temperatures.filter { $0 != 1 }
        let reading = Reading(
            tokens: tokens, windows: windows, temperatures: temperatures, seed: settings.seed,
            configuration: configuration)
        let groups = try reading.groups(base: base, others: others, available: available ?? Machine().availableMemory)
        var run: (base: [Float], records: [DivergenceRecord]) = ([], [])
        for (number, group) in groups.enumerated() {
            let result = try reading.read(base, group.map { others[$0] }) {
                progress(number * windows.scored + $0, groups.count * windows.scored)
            }
            run.base = result.base
            run.records += result.records
        }
        return DivergenceRun(
            tokens: run.base.count, basePerplexity: Statistics.blockMean(run.base).exponential,
            divergences: run.records.map(\.figures))
    }

    private static func check(
        _ model: ComparedModel, against base: ComparedModel, text: String, tokens: [Int32]
    ) throws(EvaluationError) {
        guard model.shape.vocabulary == base.shape.vocabulary else {
            throw .differentVocabulary(
                model: model.name, tokens: model.shape.vocabulary, base: base.name,
                baseTokens: base.shape.vocabulary)
        }
        if let token = tokens.first(where: { $0 < 0 || Int($0) >= model.shape.vocabulary }) {
            throw .tokenWithoutScore(model: model.name, token: token, scores: model.shape.vocabulary)
        }
        let own = model.tokens(of: text)
        guard own == tokens else {
            throw .differentTokens(
                model: model.name, base: base.name, place: zip(own, tokens).prefix { $0 == $1 }.count)
        }
    }
}

/// One way to read a text, for any models.
private struct Reading {
    let tokens: [Int32]
    let windows: TextWindows
    let temperatures: [Float]
    let seed: UInt64
    let configuration: EngineConfiguration

    private var longest: Int { windows.windows.map { $0.end - $0.begin }.max() ?? 1 }

    /// Indices of the models that run beside the base together: as many as three quarters of the memory hold.
    func groups(base: ComparedModel, others: [ComparedModel], available: Int?) throws(EvaluationError) -> [[Int]] {
        guard let available else { return others.indices.map { [$0] } }
        let room = available / 4 * 3 - bytes(base)
        var groups: [[Int]] = []
        var left = 0
        for (index, model) in others.enumerated() {
            let needed = bytes(model)
            guard needed <= room else {
                throw .noMemoryForTwo(
                    model: model.name, base: base.name, needed: needed + bytes(base), available: available)
            }
            if needed > left {
                groups.append([])
                left = room
            }
            groups[groups.count - 1].append(index)
            left -= needed
        }
        return groups
    }

    private func bytes(_ model: ComparedModel) -> Int {
        model.shape.weightBytes
            + ScoreReader.bytes(
                model.shape, cacheType: configuration.cacheType, positions: longest,
                rows: ScoreReader.rows(vocabulary: model.shape.vocabulary))
    }

    /// Reads the text once.
    ///
    /// - Returns: the base's surprise at each scored token, and a record for each other model.
    func read(
        _ base: ComparedModel, _ others: [ComparedModel], progress: (Int) -> Void
    ) throws -> (base: [Float], records: [DivergenceRecord]) {
        let rows = ScoreReader.rows(vocabulary: base.shape.vocabulary)
        let readers = try ([base] + others).map { model in
            try ScoreReader(
                try model.files.network(threads: configuration.threads), configuration: configuration,
                positions: longest, rows: rows)
        }
        let threads = max(1, configuration.threads ?? EngineConfiguration.availableCores)
        let meters = try (0..<threads).map { _ in try meter(vocabulary: base.shape.vocabulary) }
        var surprise: [Float] = []
        surprise.reserveCapacity(windows.scored)
        var records = others.map { _ in DivergenceRecord(temperatures: temperatures, tokens: windows.scored) }
        for window in windows.windows {
            var runs = readers.map { reader in
                ScoreReader.Run(
                    tokens: tokens[window.begin..<window.end],
                    pages: reader.pages(0, count: ScoreReader.pages(window.end - window.begin)),
                    scored: window.firstScored - 1 - window.begin..<window.end - 1 - window.begin,
                    variant: reader.model.rotationVariant(length: window.end - window.begin))
            }
            while runs[0].computed < runs[0].tokens.count {
                var scores: [Rows] = []
                var places = 0..<0
                for index in readers.indices {
                    let step = readers[index].step(&runs[index])
                    places = step.places
                    scores.append(step.scores)
                }
                let first = window.begin + places.lowerBound + 1
                for (row, result) in compare(scores, count: places.count, first: first, meters).enumerated() {
                    guard let result else { throw EvaluationError.notANumber(position: first + row) }
                    surprise.append(result.surprise)
                    for index in records.indices {
                        records[index].append(result.differences[index], baseSurprise: result.surprise)
                    }
                }
            }
            progress(surprise.count)
        }
        return (surprise, records)
    }

    private func meter(vocabulary: Int) throws(SamplingError) -> RowMeter {
        var samplers: [Sampler] = []
        for temperature in temperatures {
            var parameters = SamplingParameters()
            parameters.temperature = temperature
            samplers.append(
                try Sampler(parameters, vocabulary: SamplingVocabulary(size: vocabulary), seed: seed))
        }
        return RowMeter(vocabulary: vocabulary, temperatures: temperatures, samplers: samplers)
    }

    /// Compares the rows of a step, as many at once as there are meters.
    ///
    /// - Parameter first: where the token stands that the first row's scores are for.
    private func compare(
        _ scores: [Rows], count: Int, first: Int, _ meters: [RowMeter]
    ) -> [(surprise: Float, differences: [RowDifference])?] {
        guard count > 0 else { return [] }
        nonisolated(unsafe) let scores = scores
        return [(surprise: Float, differences: [RowDifference])?](unsafeUninitializedCapacity: count) { target, filled in
            // Each row is written by one thread.
            nonisolated(unsafe) let results = target.baseAddress!
            forEachRow(count, meters) { row, meter in
                let rows = scores.map { UnsafeBufferPointer($0.elements(of: row)) }
                let result = meter.compare(
                    rows[0], Array(rows[1...]), target: tokens[first + row], position: first + row)
                (results + row).initialize(to: result)
            }
            filled = count
        }
    }
}
