/// A question with several continuations or answers, of which one is right.
public struct ChoiceQuestion: Sendable, Equatable {
    /// What comes before every choice.
    public let question: String
    /// What the answer begins with before the choices differ; empty for none.
    public let beginning: String
    /// At least two, all different.
    public let choices: [String]
    /// The index of the right one.
    public let answer: Int
    /// What it is counted under besides the whole.
    public let group: String

    public init(question: String, beginning: String = "", choices: [String], answer: Int, group: String = "") {
        precondition(choices.count >= 2 && choices.indices.contains(answer))
        self.question = question
        self.beginning = beginning
        self.choices = choices
        self.answer = answer
        self.group = group
    }
}

/// How a question stands before a model.
public enum ChoiceStyle: String, Sendable {
    /// A text that each choice goes on from.
    case continuation
    /// A question that each choice answers: a turn of a conversation where the model has a chat template, else
    /// `Question: …`, `Answer:` and the choice.
    case answer
}

/// A built-in task of multiple choice: a file beside this one and its line in ``ChoiceTasks/all``.
public protocol ChoiceTask: Sendable {
    static var name: String { get }
    /// One line about it.
    static var summary: String { get }
    /// What its groups are, such as `level`.
    static var groupedBy: String { get }
    var style: ChoiceStyle { get }

    /// The first questions, always the same ones for the same task and seed.
    func questions(_ count: Int) -> [ChoiceQuestion]
}

/// The built-in tasks of multiple choice.
public enum ChoiceTasks {
    /// With seed 0.
    public static let all: [any ChoiceTask] = [SumChoices(), StoryChoices()]

    /// The task of this name with a seed, or nil.
    public static func named(_ name: String, seed: UInt64) -> (any ChoiceTask)? {
        switch name {
        case SumChoices.name: SumChoices(seed: seed)
        case StoryChoices.name: StoryChoices(seed: seed)
        default: nil
        }
    }
}

/// The mark of the noise that questions of multiple choice come from: `CHOI`.
let choiceMark: UInt32 = 0x4348_4F49

extension ProblemNoise {
    /// Some elements in random order.
    mutating func some<Element>(_ count: Int, of elements: [Element]) -> [Element] {
        var left = elements
        return (0..<count).map { _ in left.remove(at: number(0...left.count - 1)) }
    }

    /// The right choice among wrong ones, at a random place.
    mutating func placing<Element>(_ right: Element, among wrong: [Element]) -> (choices: [Element], answer: Int) {
        let place = number(0...wrong.count)
        return (Array(wrong[..<place]) + [right] + Array(wrong[place...]), place)
    }
}
