internal import Evaluation
internal import Foundation

/// A task's result as `--json` prints it, and as text.
struct TaskReport: Encodable {
    struct Figures: Encodable {
        var n: Int
        var accuracy: Double
        /// Ends at 95 %.
        var accuracy_interval: [Double]
        var pass_at_k: [String: Double]?
        var majority_at_k: [String: Double]?

        init(_ figures: TaskFigures, samples: Int) {
            n = figures.questions
            accuracy = figures.accuracy
            accuracy_interval = [figures.interval.lowerBound, figures.interval.upperBound]
            guard samples > 1 else { return }
            pass_at_k = Dictionary(uniqueKeysWithValues: figures.passAtK.map { ("\($0.key)", $0.value) })
            majority_at_k = Dictionary(uniqueKeysWithValues: figures.majorityAtK.map { ("\($0.key)", $0.value) })
        }
    }

    struct Wrong: Encodable {
        var question: String
        var answer: String
        /// A right one.
        var solution: String
    }

    struct Timings: Encodable {
        var seconds: Double
        var generated_tokens: Int
    }

    let task: String
    let model: String
    let samples: Int
    let temperature: Float
    let seed: UInt64
    let shots: Int
    let max_tokens: Int
    let all: Figures
    let by_group: [String: Figures]
    /// Answers that name no result, and answers cut by the limit of tokens.
    let silent: Int
    let cut: Int
    let wrong: [Wrong]?
    let timings: Timings

    private let groupedBy: String
    private let groups: [String]

    enum CodingKeys: String, CodingKey {
        case task, model, samples, temperature, seed, shots, max_tokens, silent, cut, wrong, timings
        case n, accuracy, accuracy_interval, pass_at_k, majority_at_k
    }

    init(task: String, model: String, groupedBy: String, run: TaskRun, seconds: Double, wrong: [Wrong]) {
        self.task = task
        self.model = model
        self.groupedBy = groupedBy
        let settings = run.settings
        samples = settings.samples
        temperature = settings.temperature
        seed = settings.seed
        shots = run.shots
        max_tokens = settings.maximumTokens
        all = Figures(run.figures, samples: settings.samples)
        let byGroup = run.figuresByGroup
        groups = byGroup.map(\.group)
        by_group = Dictionary(
            uniqueKeysWithValues: byGroup.map { ($0.group, Figures($0.figures, samples: settings.samples)) })
        silent = run.silent
        cut = run.cut
        self.wrong = wrong.isEmpty ? nil : wrong
        timings = Timings(seconds: seconds, generated_tokens: run.tokens)
    }

    /// The figures of all questions stand at the top, those of a group under `by_level` or what else the groups are.
    func encode(to encoder: any Encoder) throws {
        var keyed = encoder.container(keyedBy: CodingKeys.self)
        try keyed.encode(task, forKey: .task)
        try keyed.encode(model, forKey: .model)
        try keyed.encode(samples, forKey: .samples)
        try keyed.encode(temperature, forKey: .temperature)
        try keyed.encode(seed, forKey: .seed)
        try keyed.encode(shots, forKey: .shots)
        try keyed.encode(max_tokens, forKey: .max_tokens)
        try keyed.encode(silent, forKey: .silent)
        try keyed.encode(cut, forKey: .cut)
        try keyed.encodeIfPresent(wrong, forKey: .wrong)
        try keyed.encode(timings, forKey: .timings)
        try all.encode(to: encoder)
        var named = encoder.container(keyedBy: GroupKey.self)
        try named.encode(by_group, forKey: GroupKey(stringValue: "by_\(groupedBy)"))
    }

    private struct GroupKey: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    // MARK: Text

    var text: String {
        var text = ""
        for (index, wrong) in (wrong ?? []).enumerated() {
            text += "wrong answer \(index + 1)\n  question: \(wrong.question)\n"
            text += Self.indented("answer", wrong.answer) + Self.indented("a right one", wrong.solution) + "\n"
        }
        text += line("accuracy", all)
        for group in groups { text += line("  \(groupedBy) \(group)", by_group[group]!) }
        if samples > 1 {
            for (name, values) in [("pass@k", all.pass_at_k), ("majority@k", all.majority_at_k)] {
                let cells = (values ?? [:]).sorted { Int($0.key)! < Int($1.key)! }
                    .map { "\($0.key): \(Self.percent($0.value))" }
                text += Self.padded(name) + cells.joined(separator: "   ") + "\n"
            }
        }
        var remarks = [
            samples > 1 ? "\(samples) samples a question at temperature \(temperature)" : "",
            samples == 1 && temperature > 0 ? "drawn at temperature \(temperature)" : "",
            samples == 1 && temperature == 0 ? "greedy" : "",
            "seed \(seed)", shots > 0 ? "\(shots) examples before each" : "",
            silent > 0 ? "\(silent) answers name no result" : "", cut > 0 ? "\(cut) answers cut" : "",
        ]
        remarks.removeAll(where: \.isEmpty)
        text += Self.padded("") + remarks.joined(separator: ", ")
        text += String(
            format: "; %d tokens in %.1f s (%.0f a second)\n", timings.generated_tokens, timings.seconds,
            Double(timings.generated_tokens) / max(timings.seconds, 1e-9))
        return text
    }

    private func line(_ name: String, _ figures: Figures) -> String {
        let ends = figures.accuracy_interval.map { Self.percent($0) }
        return Self.padded(name)
            + "\(Self.percent(figures.accuracy))  (\(ends[0]) to \(ends[1]) at 95 %, \(figures.n) questions)\n"
    }

    private static func padded(_ name: String) -> String { name.padding(toLength: 12, withPad: " ", startingAt: 0) }
    private static func percent(_ share: Double) -> String { String(format: "%.1f %%", 100 * share) }

    private static func indented(_ name: String, _ text: String) -> String {
        "  \(name):\n"
            + text.split(separator: "\n", omittingEmptySubsequences: false).map { "    \($0)\n" }.joined()
    }
}
