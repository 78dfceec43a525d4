/// A question whose answer takes a few operations on whole numbers, with its plan and its solution.
public struct SumsProblem: Sendable, Equatable {
    /// 1...6, from one small operation to five with numbers of several hundred.
    public let level: Int
    public let question: String
    /// What is to be computed, in an order that works: operands are numbers of the question or earlier results. The last
    /// result is the answer.
    public let plan: [IntegerOperation]
    public let answer: Int

    /// - Parameter plan: at least one operation, each with a result.
    init(level: Int, question: String, plan: [IntegerOperation]) {
        self.level = level
        self.question = question
        self.plan = plan
        answer = plan[plan.count - 1].result!
    }

    /// The reference solution's operations: the plan with what is not known by heart split by place values.
    public var steps: [IntegerOperation] { plan.flatMap(SmallSteps.of) }

    /// The reference solution's lines before the answer: `1. 12 + 30 = 42`.
    public var stepLines: [String] {
        steps.enumerated().map { "\($0 + 1). \($1.text) = \($1.result!)" }
    }

    /// The reference solution: numbered steps, then `answer: N`.
    public var solution: String { stepLines.joined(separator: "\n") + "\nanswer: \(answer)" }

    /// Which half of all questions this one belongs to: a function of the question's text alone.
    public var split: SumsSplit { SumsSplit(question: question) }
}

/// Questions to learn from and questions to measure with. No question is in both, whatever the seeds: a question is a
/// test question exactly if its hash is a multiple of 16.
public enum SumsSplit: String, Sendable, CaseIterable {
    case train, test

    /// The hash is FNV-1a of 64 bits over the question's UTF-8 bytes, scrambled by the last step of SplitMix64, since
    /// FNV's low bits are weak.
    public init(question: String) { self = Self.hash(question) % 16 == 0 ? .test : .train }

    static func hash(_ question: String) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in question.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        hash = (hash ^ hash >> 30) &* 0xBF58_476D_1CE4_E5B9
        hash = (hash ^ hash >> 27) &* 0x94D0_49BB_1331_11EB
        return hash ^ hash >> 31
    }
}
