/// Arithmetic in small steps: ``SumsGenerator`` asks, the last line `answer: N` counts.
public struct SumsTask: EvaluationTask {
    public static let name = "sums"
    public static let summary = "whole-number arithmetic and word problems of six levels, exactly checked"

    public let levels: [Int]
    public let seed: UInt64

    /// - Parameters:
    ///   - levels: of 1...6, taking turns; the harder half where none are named.
    ///   - seed: which problems.
    public init(levels: [Int] = Array(SumsGenerator.harderHalf), seed: UInt64 = 0) {
        self.levels = levels
        self.seed = seed
    }

    public func questions(_ count: Int) -> [TaskQuestion] { problems(count).map(Self.question) }

    /// The problems that ``questions(_:)`` asks, with their plans.
    public func problems(_ count: Int) -> [SumsProblem] {
        Array(SumsGenerator(seed: seed, split: .test).problems(levels: levels).prefix(count))
    }

    /// From the problems to learn from, which are never test questions.
    public func examples(_ count: Int) -> [TaskQuestion] {
        SumsGenerator(seed: seed, split: .train).problems(levels: levels).prefix(count).map(Self.question)
    }

    private static func question(_ problem: SumsProblem) -> TaskQuestion {
        TaskQuestion(text: problem.question, solution: problem.solution, group: "\(problem.level)") { answer in
            let stated = SolutionChecker.answer(in: answer)
            return TaskJudgement(isRight: stated == problem.answer, vote: stated.map(String.init))
        }
    }
}
