import Evaluation
import Testing

/// The checker against its definition: right solutions, mutated ones, and the law that a right beginning can be completed.
@Suite struct SolutionCheckerTests {
    static let problems = Array(SumsGenerator(seed: 11, split: .train).problems(levels: 1...6).prefix(600))

    static func verdicts(_ plan: String..., solution: [String]) throws -> [StepVerdict] {
        let plan = try plan.map { try #require(IntegerOperation(parsing: $0)) }
        return try SolutionChecker(plan: plan).check(solution.joined(separator: "\n")).lines.map(\.verdict)
    }

    private static func numbered(_ operations: [IntegerOperation]) -> [String] {
        operations.enumerated().map { "\($0 + 1). \($1.text) = \($1.result!)" }
    }

    @Test func referenceSolutionsAreRight() {
        for problem in Self.problems {
            let verdict = SolutionChecker(problem).check(problem.solution)
            #expect(verdict.isRight && verdict.isAnswerRight, "\(problem)")
            #expect(verdict.lines.count == problem.steps.count + 1)
            #expect(verdict.lines.map(\.isAnswer) == problem.steps.map { _ in false } + [true])
            // So is the plan done without splitting anything.
            let direct = Self.numbered(problem.plan) + ["answer: \(problem.answer)"]
            #expect(SolutionChecker(problem).check(direct.joined(separator: "\n")).isRight, "\(problem)")
        }
    }

    @Test func aWrongResultIsFoundWhereItIs() {
        for (number, problem) in Self.problems.enumerated() {
            var lines = problem.stepLines
            let place = number % lines.count
            lines[place] = String(lines[place].dropLast()) + "\((Int(String(lines[place].last!))! + 1) % 10)"
            let verdict = SolutionChecker(problem).check(
                (lines + ["answer: \(problem.answer)"]).joined(separator: "\n"))
            let wanted: [StepVerdict] =
                Array(repeating: .right, count: place) + [.wrongResult]
                + Array(repeating: .afterError, count: lines.count - place)
            #expect(verdict.lines.map(\.verdict) == wanted, "\(lines)")
            #expect(verdict.isAnswerRight && !verdict.isRight)
        }
    }

    /// A true equation with another symbol or operand is no step of the plan.
    @Test func aWrongOperationIsFoundWhereItIs() {
        for (number, problem) in Self.problems.enumerated() {
            var steps = problem.steps
            let place = number % steps.count
            let step = steps[place]
            let wrong =
                number % 2 == 0
                ? IntegerOperation(step.left, step.symbol == .plus ? .minus : .plus, step.right)
                : IntegerOperation(step.left + 1000, step.symbol == .over ? .plus : step.symbol, step.right)
            steps[place] = wrong
            let verdicts = SolutionChecker(problem).check(Self.numbered(steps).joined(separator: "\n")).lines
            #expect(verdicts[..<place].allSatisfy { $0.verdict == .right })
            #expect(verdicts[place].verdict == .offPath, "\(wrong.text) in \(problem)")
            #expect(verdicts[(place + 1)...].allSatisfy { $0.verdict == .afterError })
        }
    }

    @Test func aStepLeftOutLeavesItsResultMissing() {
        for problem in Self.problems where problem.plan.count > 1 {
            // Operands that only the plan's first operation can have given.
            let missing = problem.plan[0].result!
            let others = problem.plan.dropFirst()
            guard others.first?.left == missing, !problem.question.contains("\(missing)") else { continue }
            let verdicts = SolutionChecker(problem).check(Self.numbered(Array(others)).joined(separator: "\n")).lines
            #expect(verdicts[0].verdict == .offPath, "\(problem)")
        }
    }

    /// The law: after any right beginning, what is left of the plan leads to the answer.
    @Test func aRightBeginningCanBeCompleted() {
        for (number, problem) in Self.problems.enumerated() {
            let place = number % (problem.steps.count + 1)
            let beginning = Array(problem.steps.prefix(place))
            let rest = problem.plan.filter { !beginning.contains($0) }
            let lines = Self.numbered(beginning + rest) + ["answer: \(problem.answer)"]
            #expect(SolutionChecker(problem).check(lines.joined(separator: "\n")).isRight, "\(lines)")
        }
    }

    @Test func placeValuesMayBeTakenApart() throws {
        let right: [StepVerdict] = [.right, .right, .right]
        func sum(_ lines: String...) throws -> [StepVerdict] { try Self.verdicts("347 + 286", solution: lines) }
        #expect(try sum("1. 286 + 347 = 633", "answer: 633") == [.right, .right])
        #expect(try sum("1. 347 + 200 = 547", "2. 547 + 86 = 633", "answer: 633") == right)
        #expect(try sum("1. 7 + 6 = 13", "2. 340 + 280 = 620", "3. 620 + 13 = 633") == right)
        #expect(
            try sum("1. 347 + 300 = 647", "2. 647 - 14 = 633", "answer: 633") == [.offPath, .afterError, .afterError])
        #expect(try sum("1. 547 + 86 = 633") == [.offPath])
        #expect(try sum("1. 347 + 200 = 547", "2. 547 + 200 = 747") == [.right, .offPath])

        func difference(_ lines: String...) throws -> [StepVerdict] { try Self.verdicts("347 - 286", solution: lines) }
        #expect(try difference("1. 347 - 6 = 341", "2. 341 - 280 = 61", "answer: 61") == right)
        #expect(try difference("1. 286 - 347 = -61") == [.offPath])

        func product(_ lines: String...) throws -> [StepVerdict] { try Self.verdicts("8 * 57", solution: lines) }
        #expect(try product("1. 8 * 7 = 56", "2. 50 * 8 = 400", "3. 400 + 56 = 456") == right)
        #expect(
            try product("1. 8 * 7 = 56", "2. 50 * 8 = 400", "3. 400 + 50 = 450", "4. 450 + 6 = 456")
                == right + [.right])
        #expect(try product("1. 8 * 7 = 56", "2. 8 * 7 = 56") == [.right, .offPath])
        #expect(try product("1. 8 * 5 = 40") == [.offPath])
        #expect(try product("1. 400 + 56 = 456") == [.offPath])

        func quotient(_ lines: String...) throws -> [StepVerdict] { try Self.verdicts("282 / 6", solution: lines) }
        #expect(try quotient("1. 240 / 6 = 40", "2. 42 / 6 = 7", "3. 40 + 7 = 47") == right)
        #expect(try quotient("1. 180 / 6 = 30") == [.offPath])
        #expect(try quotient("1. 282 / 6 = 47", "answer: 48") == [.right, .wrongResult])
    }

    @Test func independentOperationsMayChangePlaces() throws {
        let plan = ["12 * 3", "40 + 5", "36 + 45"]
        let order = ["1. 40 + 5 = 45", "2. 12 * 3 = 36", "3. 36 + 45 = 81", "answer: 81"]
        let checker = try SolutionChecker(plan: plan.map { IntegerOperation(parsing: $0)! })
        #expect(checker.check(order.joined(separator: "\n")).isRight)
        #expect(checker.check("1. 36 + 45 = 81\nanswer: 81").lines.map(\.verdict) == [.offPath, .afterError])
        // Twice in the plan, so twice in a solution; not three times.
        let twice = try SolutionChecker(
            plan: [IntegerOperation(3, .plus, 4), IntegerOperation(4, .plus, 3), IntegerOperation(7, .times, 7)])
        let lines = ["1. 3 + 4 = 7", "2. 3 + 4 = 7", "3. 3 + 4 = 7"]
        #expect(twice.check(lines.joined(separator: "\n")).lines.map(\.verdict) == [.right, .right, .offPath])
    }

    @Test func linesAreReadExactly() throws {
        func one(_ line: String) throws -> StepVerdict { try Self.verdicts("12 + 30", solution: [line])[0] }
        for line in ["1. 12 + 30 = 42", " 1.12+30=42 ", "1. 30 + 12 = 42\r", "Answer: 42.", "answer:42"] {
            #expect(try one(line) == .right, "\(line)")
        }
        for line in [
            "2. 12 + 30 = 42", "12 + 30 = 42", "1. 12 + 30", "1. 12 + 30 = 42 + 0", "answer: 42 apples",
            "1. 12 + 30 = 42.",
        ] {
            #expect(try one(line) == .unreadable, "\(line)")
        }
        #expect(SolutionChecker.answer(in: "answer: 1\nanswer: -2\n\nThat is it.\n") == -2)
        #expect(SolutionChecker.answer(in: "1. 2 + 3 = 5\r\nANSWER: 5\r\n") == 5)
        #expect(SolutionChecker.answer(in: "the answer: 5") == nil)
        #expect(SolutionChecker.answer(in: "answer: 99999999999999999999") == nil)
        #expect(SolutionChecker.answer(in: "") == nil)
    }

    @Test func impossiblePlansAreRefused() {
        #expect(throws: PlanError.empty) { try SolutionChecker(plan: []) }
        for operation in [
            IntegerOperation(7, .over, 2), IntegerOperation(7, .over, 0), IntegerOperation(.max, .plus, 1),
            IntegerOperation(.min, .over, -1), IntegerOperation(.min, .minus, 1), IntegerOperation(.max, .times, 2),
        ] {
            #expect(throws: PlanError.noResult(operation)) { try SolutionChecker(plan: [operation]) }
        }
    }

    /// Whatever a model writes, and whatever numbers a plan has, nothing traps.
    @Test func anyTextIsChecked() throws {
        var generator = FixedGenerator(state: 5)
        let symbols = Array("0123456789+-*/=. \nanswer:\r\u{e9}".utf8)
        let huge = [
            IntegerOperation(.max - 1, .plus, 1), IntegerOperation(.min + 1, .minus, 1),
            IntegerOperation(999_999_999, .times, 999_999_999), IntegerOperation(-30, .over, 6),
        ]
        for (number, problem) in Self.problems.enumerated() {
            var bytes = Array(problem.solution.utf8)
            for _ in 0..<1 + number % 9 {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                switch number % 3 {
                case 0: bytes[place] = symbols.randomElement(using: &generator)!
                case 1: bytes.insert(contentsOf: "99999999999999999", at: place)
                default: bytes.remove(at: place)
                }
            }
            let text = String(decoding: bytes, as: UTF8.self)
            for checker in [SolutionChecker(problem), try SolutionChecker(plan: [huge[number % huge.count]])] {
                let verdict = checker.check(text)
                let afterError = verdict.lines.drop { $0.verdict == .right }.dropFirst()
                #expect(afterError.allSatisfy { $0.verdict == .afterError })
                #expect(verdict.statedAnswer == SolutionChecker.answer(in: text))
            }
        }
        for operation in huge {
            let text = "1. \(operation.text) = \(operation.result!)\nanswer: \(operation.result!)"
            #expect(try SolutionChecker(plan: [operation]).check(text).isRight)
        }
    }
}

extension [UInt8] {
    fileprivate mutating func insert(contentsOf text: String, at place: Int) {
        insert(contentsOf: Array(text.utf8), at: place)
    }
}

/// Fixed numbers: SplitMix64.
struct FixedGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
        return word ^ word >> 31
    }
}
