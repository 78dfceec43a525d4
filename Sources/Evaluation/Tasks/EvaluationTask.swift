/// Something to measure a model on: questions, and what their answers are worth. A task is a file beside this one.
public protocol EvaluationTask: Sendable {
    /// As `apus eval NAME` calls it.
    static var name: String { get }
    /// One line about it.
    static var summary: String { get }

    /// The first questions, always the same ones for the same task. Fewer where there are no more.
    func questions(_ count: Int) -> [TaskQuestion]

    /// Solved questions to show a model before the one that it is asked; none of them is ever among ``questions(_:)``.
    func examples(_ count: Int) -> [TaskQuestion]
}

/// A question, a way to solve it, and what an answer to it is worth.
public struct TaskQuestion: Sendable {
    public let text: String
    /// A right answer in full, as examples show it.
    public let solution: String
    /// What it is counted under besides the whole, such as `4` for a level.
    public let group: String
    /// What an answer is worth.
    public let judge: @Sendable (String) -> TaskJudgement

    public init(
        text: String, solution: String, group: String, judge: @escaping @Sendable (String) -> TaskJudgement
    ) {
        self.text = text
        self.solution = solution
        self.group = group
        self.judge = judge
    }
}

/// What an answer is worth.
public struct TaskJudgement: Sendable, Equatable {
    public let isRight: Bool
    /// What it says, in the form in which answers of several samples are compared; nil where it says nothing.
    public let vote: String?

    public init(isRight: Bool, vote: String?) {
        self.isRight = isRight
        self.vote = vote
    }
}
