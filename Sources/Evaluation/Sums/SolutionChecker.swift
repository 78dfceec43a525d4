/// Checks solutions of a problem whose plan is known: the answer, and every step.
///
/// A solution is lines: steps `k. a op b = c`, numbered from 1, then `answer: N`. Empty lines do not count.
///
/// **The answer** is the number of the last line that reads `answer: N`. It is right where it is the plan's last result.
///
/// **A step** is right where all steps before it are and
/// 1. it reads `k. a op b = c` with k the next number, in whole numbers;
/// 2. its equation is true;
/// 3. its operation belongs to the plan: it is one of the plan's operations, or a part of one taken apart by place values (see
///    below), with the operands of sums and products in either order, and has not been done as often as the plan has it;
/// 4. it does not come too early: what the plan's operation takes from earlier ones has been computed, and each of the step's own
///    operands is one of that operation's, a part of one by place values, or an earlier step's result.
///
/// So a step's verdict tells whether the solution so far is the beginning of a right one: what is left of the plan can
/// always be done from there. This is what a process reward model has to predict, and what makes it of use to a search.
/// The converse is decided only as far as the plan goes: a way that reorders the plan's algebra (adding 5 and taking away 3 as adding
/// 2) is called off the path though it leads to the answer.
///
/// **Parts by place values.** 305 is 300 and 5. For x + y the parts of both may be added in any order and grouping; for x - y
/// the parts of y may be taken away in any order and grouping; for x * y either factor may be taken apart, and the partial products
/// added as any sum; for x / y the dividend may be taken apart into the multiples of y that belong to the parts of the quotient, and
/// the partial quotients added. Every step of a sum joins parts of different terms. Sums of more than eight parts are taken by their
/// terms alone.
public struct SolutionChecker: Sendable {
    public let plan: [IntegerOperation]
    /// The plan's last result.
    public let answer: Int
    private let operations: [PlannedOperation]

    public init(_ problem: SumsProblem) { self = try! SolutionChecker(plan: problem.plan) }

    /// - Parameter plan: the operations that lead to the answer, in an order that works.
    /// - Throws: ``PlanError`` where there is none or one has no whole result.
    public init(plan: [IntegerOperation]) throws(PlanError) {
        guard !plan.isEmpty else { throw .empty }
        var results: [Int] = []
        var operations: [PlannedOperation] = []
        for operation in plan {
            guard let result = operation.result else { throw .noResult(operation) }
            operations.append(PlannedOperation(operation, result, earlier: results))
            results.append(result)
        }
        self.plan = plan
        self.operations = operations
        answer = results[results.count - 1]
    }

    /// What a solution's lines are worth.
    ///
    /// - Complexity: lines × operations of the plan, each up to some thousand additions.
    public func check(_ solution: String) -> SolutionVerdict {
        var lines: [SolutionVerdict.Line] = []
        var computed: Set<Int> = []
        var timesDone: [IntegerOperation: Int] = [:]
        var isRightSoFar = true
        var number = 0
        var lastAnswer: Int?
        for text in Self.lines(of: solution) {
            var verdict: StepVerdict
            var isAnswer = false
            if let stated = Self.statedAnswer(text) {
                (lastAnswer, isAnswer) = (stated, true)
                verdict = stated == answer ? .right : .wrongResult
            } else {
                number += 1
                verdict = judge(text, number, computed, timesDone)
                if verdict == .right, let step = Self.step(text) {
                    timesDone[step.operation.normalized, default: 0] += 1
                    computed.insert(step.result)
                }
            }
            if !isRightSoFar { verdict = .afterError }
            isRightSoFar = isRightSoFar && verdict == .right
            lines.append(SolutionVerdict.Line(text: String(text), isAnswer: isAnswer, verdict: verdict))
        }
        return SolutionVerdict(lines: lines, statedAnswer: lastAnswer, answer: answer)
    }

    /// The number of the last line that reads `answer: N`, in any case, perhaps with a full stop; nil where there is none.
    public static func answer(in solution: String) -> Int? {
        lines(of: solution).reversed().lazy.compactMap { statedAnswer($0) }.first
    }

    /// Lines that hold more than white space. Bytes are split, since a carriage return and a newline are one `Character`.
    private static func lines(of solution: String) -> [Substring] {
        solution.utf8.split(separator: UInt8(ascii: "\n")).map { Substring($0) }
            .filter { line in !line.allSatisfy(\.isWhitespace) }
    }

    private static func statedAnswer(_ line: Substring) -> Int? {
        var bytes = IntegerText.skipSpaces(Array(line.utf8)[...])
        let label = Array("answer:".utf8)
        guard bytes.prefix(label.count).map({ $0 | 0x20 }) == label.map({ $0 | 0x20 }) else { return nil }
        bytes = bytes.dropFirst(label.count)
        guard let (number, rest) = IntegerText.read(bytes), IntegerText.isEnd(rest, mayHaveStop: true) else {
            return nil
        }
        return number
    }

    /// Reads `k. a op b = c`.
    static func step(_ line: Substring) -> (number: Int, operation: IntegerOperation, result: Int)? {
        guard let (number, afterNumber) = IntegerText.read(Array(line.utf8)[...]),
            afterNumber.first == UInt8(ascii: "."),
            let (operation, afterOperation) = IntegerOperation.read(afterNumber.dropFirst()),
            afterOperation.first == UInt8(ascii: "="),
            let (result, rest) = IntegerText.read(afterOperation.dropFirst()), IntegerText.isEnd(rest)
        else { return nil }
        return (number, operation, result)
    }

    /// A step's verdict where all before it are right.
    private func judge(
        _ line: Substring, _ number: Int, _ computed: Set<Int>, _ timesDone: [IntegerOperation: Int]
    ) -> StepVerdict {
        guard let step = Self.step(line), step.number == number else { return .unreadable }
        guard step.operation.result == step.result else { return .wrongResult }
        let allowing = operations.count { $0.allows(step.operation, computed) }
        return timesDone[step.operation.normalized, default: 0] < allowing ? .right : .offPath
    }
}

/// What became of a line of a solution.
public enum StepVerdict: String, Sendable, Equatable, CaseIterable {
    /// It and all lines before it are right.
    case right
    /// Its equation is not true; of an answer, that it is not the problem's.
    case wrongResult = "wrong-result"
    /// Its equation is true and it does not belong to the plan, or comes too early or once too often.
    case offPath = "off-path"
    /// It is no step, or has not the next number.
    case unreadable
    /// A line before it is not right.
    case afterError = "after-error"
}

/// What a solution is worth.
public struct SolutionVerdict: Sendable, Equatable {
    public struct Line: Sendable, Equatable {
        public let text: String
        /// Whether it reads `answer: N`.
        public let isAnswer: Bool
        public let verdict: StepVerdict
    }

    /// Every line that is not empty, in order.
    public let lines: [Line]
    /// The number of the last answer line; nil where there is none.
    public let statedAnswer: Int?
    /// The problem's answer.
    public let answer: Int

    /// Whether the answer is right, whatever the steps are.
    public var isAnswerRight: Bool { statedAnswer == answer }
    /// Whether the answer and every line before it are right.
    public var isRight: Bool { isAnswerRight && lines.allSatisfy { $0.verdict == .right } }
}

/// A plan that cannot be checked against.
public enum PlanError: Error, Sendable, Equatable, CustomStringConvertible {
    case empty
    case noResult(IntegerOperation)

    public var description: String {
        switch self {
        case .empty: "the plan has no operations; give at least one, such as \"12 + 30\""
        case .noResult(let operation):
            "the plan's operation '\(operation.text)' has no whole result; give operations on whole numbers that have one"
        }
    }
}
