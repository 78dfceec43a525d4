internal import Benchmarking
internal import Evaluation
internal import Inference

/// How fast the models of a comparison are, measured in turns so that what else the machine does meets all alike.
struct ComparisonRates {
    struct Rate {
        var prefill: Sample
        var decode: Sample
    }

    /// Tokens of the prompt, and of the prompt before the decoded ones.
    let prompt: Int
    let context: Int
    /// By model.
    let rates: [Rate]

    private static let rounds = 3

    static func measure(_ models: [ComparedModel], configuration: EngineConfiguration) throws -> ComparisonRates {
        let shortest = models.map(\.shape.context).min()!
        let prompt = max(1, min(512, shortest / 2))
        let context = max(1, min(128, shortest / 4))
        let steps = max(1, min(48, shortest / 4))
        // All stay loaded where a third of the memory holds them; else each is loaded again in its turn.
        let bytes = models.reduce(0) { $0 + $1.weightBytes }
        let staysLoaded = (Machine().availableMemory ?? 0) / 3 > bytes
        var loaded: [ModelRates?] = models.map { _ in nil }
        var found: [(prefill: [Double], decode: [Double])] = models.map { _ in ([], []) }
        let meter = ProgressMeter(total: rounds * models.count, unit: "measurements")
        for round in 0..<rounds {
            for (index, model) in models.enumerated() {
                let rates =
                    try loaded[index] ?? ModelRates(model.files.checkpoint, configuration: configuration)
                if staysLoaded { loaded[index] = rates }
                found[index].prefill += try rates.prefill(tokens: prompt, repeats: 2).values
                found[index].decode += try rates.decode(batch: 1, context: context, steps: steps).values
                meter.report(round * models.count + index + 1)
            }
        }
        meter.end()
        return ComparisonRates(
            prompt: prompt, context: context,
            rates: found.map { Rate(prefill: Sample($0.prefill), decode: Sample($0.decode)) })
    }
}
