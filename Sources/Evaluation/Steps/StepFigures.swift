/// A solution with what its lines are worth and what a process reward model says of them.
public struct ScoredSolution: Sendable {
    /// What it is counted under besides the whole, such as `4` for a level.
    public let group: String
    public let verdict: SolutionVerdict
    /// One for each line of the verdict.
    public let scores: [Double]

    /// - Parameter scores: as many as the verdict has lines, at least one.
    public init(group: String, verdict: SolutionVerdict, scores: [Double]) {
        precondition(!scores.isEmpty && scores.count == verdict.lines.count)
        self.group = group
        self.verdict = verdict
        self.scores = scores
    }

    /// Scores with what they should tell: whether the solution is right so far. A last line that is no answer is not right, since
    /// nothing follows it.
    var places: [(score: Double, isGood: Bool)] {
        zip(scores, verdict.lines).enumerated().map { index, pair in
            (pair.0, pair.1.verdict == .right && (index < scores.count - 1 || pair.1.isAnswer))
        }
    }
}

/// How well scores tell right steps from wrong ones.
public struct StepFigures: Sendable, Equatable {
    public let solutions: Int
    /// Lines scored.
    public let places: Int
    /// The share of lines that are right so far.
    public let rightShare: Double
    /// The area under the curve over all lines; nil where all are right or all wrong.
    public let area: Double?
    /// The same over each solution's lines up to its first wrong one: what is judged is the step, not what came of it.
    public let areaToFirstMistake: Double?
    /// The same over last lines: whole solutions.
    public let areaOfSolutions: Double?

    public init(_ solutions: [ScoredSolution]) {
        let all = solutions.map(\.places)
        let joined = all.flatMap(\.self)
        self.solutions = solutions.count
        places = joined.count
        rightShare = Double(joined.count(where: \.isGood)) / Double(max(joined.count, 1))
        area = Statistics.areaUnderCurve(joined)
        areaToFirstMistake = Statistics.areaUnderCurve(
            all.flatMap { places in
                places[...(places.firstIndex { !$0.isGood } ?? places.count - 1)]
            })
        areaOfSolutions = Statistics.areaUnderCurve(all.compactMap(\.last))
    }
}
