/// What a run's answers come to, over all questions or those of a group.
public struct TaskFigures: Sendable, Equatable {
    /// Questions.
    public let questions: Int
    /// The share of right answers: of all samples, which all weigh the same.
    public let accuracy: Double
    /// 95 % of such intervals hold the model's true accuracy: Wilson's for independent questions. Samples of one question
    /// are not independent, so with several the number of trials is what gives a binomial share the standard error that the
    /// questions' own shares show.
    public let interval: ClosedRange<Double>
    /// By k, for powers of 2 up to the number of samples and that number: how often at least one of k samples is right.
    public let passAtK: [Int: Double]
    /// By k: how often the answer that most of the first k samples give is right.
    public let majorityAtK: [Int: Double]

    init(_ answered: [TaskRun.Answered]) {
        let samples = answered.first?.samples.count ?? 0
        precondition(samples > 0 && answered.allSatisfy { $0.samples.count == samples })
        let shares = answered.map { Double($0.right) / Double(samples) }
        let count = Double(answered.count)
        questions = answered.count
        accuracy = shares.reduce(0, +) / count
        interval = Statistics.wilsonInterval(
            share: accuracy, trials: Self.trials(shares, mean: accuracy, samples: samples))
        var ks = Array(sequence(first: 1) { $0 * 2 <= samples ? $0 * 2 : nil })
        if ks.last != samples { ks.append(samples) }
        var pass: [Int: Double] = [:]
        var majority: [Int: Double] = [:]
        for k in ks {
            pass[k] =
                answered.reduce(0) { $0 + Statistics.passAtK(samples: samples, right: $1.right, k: k) } / count
            majority[k] = Double(answered.count { Self.majorityIsRight($0.samples.prefix(k)) }) / count
        }
        passAtK = pass
        majorityAtK = majority
    }

    /// How many independent trials the questions' shares are worth.
    private static func trials(_ shares: [Double], mean: Double, samples: Int) -> Double {
        let count = Double(shares.count)
        if samples == 1 || shares.count == 1 { return count }
        let variance = shares.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (count - 1) / count
        guard variance > 0 else { return count }
        return max(1, min(mean * (1 - mean) / variance, count * Double(samples)))
    }

    private static func majorityIsRight(_ samples: ArraySlice<TaskRun.Sample>) -> Bool {
        guard let vote = Statistics.majority(samples.map(\.judgement.vote)) else { return false }
        return samples.first { $0.judgement.vote == vote }?.judgement.isRight ?? false
    }
}

extension TaskRun {
    /// Over all questions.
    public var figures: TaskFigures { TaskFigures(answered) }

    /// By group, in the order of the groups' names.
    public var figuresByGroup: [(group: String, figures: TaskFigures)] {
        Dictionary(grouping: answered, by: \.question.group).sorted { $0.key < $1.key }
            .map { ($0.key, TaskFigures($0.value)) }
    }

    /// Tokens of all answers.
    public var tokens: Int { answered.reduce(0) { $0 + $1.samples.reduce(0) { $0 + $1.tokens } } }
    /// Answers that say nothing that could be right.
    public var silent: Int { answered.reduce(0) { $0 + $1.samples.count { $0.judgement.vote == nil } } }
    /// Answers cut by a limit.
    public var cut: Int { answered.reduce(0) { $0 + $1.samples.count(where: \.isCut) } }
}
