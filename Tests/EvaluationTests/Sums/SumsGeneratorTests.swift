import Evaluation
import Foundation
import Testing

/// The generator against its own promises and an evaluator of expressions that is written here.
@Suite struct SumsGeneratorTests {
    static let sample: [SumsProblem] = SumsSplit.allCases.flatMap { split in
        SumsGenerator.levels.flatMap { level in
            Array(SumsGenerator(seed: 3, split: split).problems(levels: [level]).prefix(150))
        }
    }

    /// Operations, terms, factors, results by level, as the documentation has them.
    static let limits: [Int: (operations: ClosedRange<Int>, term: Int, factor: Int, result: Int)] = [
        1: (1...1, 20, 9, 81), 2: (1...2, 60, 20, 200), 3: (2...2, 100, 50, 500), 4: (3...3, 100, 60, 700),
        5: (3...4, 300, 99, 999), 6: (4...5, 600, 99, 1999),
    ]

    @Test func levelsKeepTheirLimits() throws {
        for problem in Self.sample {
            let limits = try #require(Self.limits[problem.level])
            #expect(limits.operations.contains(problem.plan.count), "\(problem)")
            for operation in problem.plan {
                let result = try #require(operation.result)
                #expect((1...limits.result).contains(result), "\(problem)")
                switch operation.symbol {
                case .times:
                    #expect((2...9).contains(min(operation.left, operation.right)), "\(problem)")
                    #expect(max(operation.left, operation.right) <= 99, "\(problem)")
                case .over: #expect((2...9).contains(operation.right) && result <= 99, "\(problem)")
                case .plus, .minus: break
                }
            }
            // Every level has problems of its full length.
        }
        for (level, limits) in Self.limits {
            let lengths = Set(Self.sample.filter { $0.level == level }.map(\.plan.count))
            #expect(lengths == Set(limits.operations))
        }
    }

    /// All numbers of the question are used, and none that it does not state: words count as what they mean.
    @Test func questionsStateTheirNumbers() {
        let words = ["doubles": 2, "twice": 2, "half": 2]
        for problem in Self.sample {
            let stated = Set(
                problem.question.split(whereSeparator: { !$0.isNumber && !$0.isLetter })
                    .compactMap { Int($0) ?? words[String($0)] })
            let operands = Set(problem.plan.flatMap { [$0.left, $0.right] })
            #expect(stated.isSubset(of: operands), "\(problem)")
            var results: Set<Int> = []
            for operation in problem.plan {
                for operand in [operation.left, operation.right] where !results.contains(operand) {
                    #expect(stated.contains(operand), "\(operand) of \(problem)")
                }
                results.insert(operation.result!)
            }
        }
    }

    @Test func stepsAreTrueAndEndInTheAnswer() throws {
        for problem in Self.sample {
            #expect(problem.steps.last?.result == problem.answer)
            for (index, line) in problem.stepLines.enumerated() {
                let parts = line.split(separator: " ").map(String.init)
                #expect(parts.count == 6 && parts[0] == "\(index + 1)." && parts[4] == "=", "\(line)")
                let (left, right, result) = (Int(parts[1]), Int(parts[3]), Int(parts[5]))
                let evaluated = try Expression("\(parts[1]) \(parts[2]) \(parts[3])").value()
                #expect(evaluated == result && left != nil && right != nil, "\(line)")
            }
            #expect(problem.solution == problem.stepLines.joined(separator: "\n") + "\nanswer: \(problem.answer)")
            #expect(problem.steps.count == Set(problem.stepLines.map { $0.drop { $0 != " " } }).count)
        }
    }

    @Test func expressionsHaveTheirValue() throws {
        var count = 0
        for problem in Self.sample where !problem.question.contains(" has ") {
            let text = problem.question.filter { "0123456789+-*/() ".contains($0) }
            guard text.contains(where: { "+-*/".contains($0) }) else { continue }
            count += 1
            #expect(try Expression(text).value() == problem.answer, "\(problem)")
        }
        #expect(count > 300)
    }

    @Test func splitsAndSequencesDoNotOverlap() {
        var questions: [SumsSplit: Set<String>] = [:]
        for seed in 0..<4 as Range<UInt64> {
            for split in SumsSplit.allCases {
                // Small numbers and few words: the level where questions come again soonest.
                let problems = Array(SumsGenerator(seed: seed, split: split).problems(levels: [1]).prefix(400))
                #expect(Set(problems.map(\.question)).count == 400)
                #expect(problems.allSatisfy { $0.split == split && SumsSplit(question: $0.question) == split })
                questions[split, default: []].formUnion(problems.map(\.question))
            }
        }
        #expect(questions[.train]!.isDisjoint(with: questions[.test]!))
    }

    @Test func aSixteenthIsForTests() {
        let texts = (0..<16000).map { "What is \($0) + 7?" }
        let share = texts.count { SumsSplit(question: $0) == .test }
        // Five standard deviations of a fair draw.
        #expect(abs(share - 1000) < 155)
    }

    @Test func levelsTakeTurns() {
        let generator = SumsGenerator(seed: 1, split: .test)
        let problems = Array(generator.problems(levels: [4, 4, 6, 1]).prefix(12))
        #expect(problems.map(\.level) == [4, 4, 6, 1, 4, 4, 6, 1, 4, 4, 6, 1])
        // What a level gives does not depend on the others.
        let alone = Array(generator.problems(levels: [6]).prefix(3))
        #expect(problems.filter { $0.level == 6 } == alone)
        #expect(SumsGenerator(seed: 2, split: .test).problem(level: 6, index: 0) != alone[0])
    }

    /// Problems are what they were: models have learnt from them, and figures are compared.
    @Test func problemsStayWhatTheyAre() throws {
        struct Golden: Decodable {
            var seed: UInt64
            var split: String
            var level: Int
            var index: Int
            var question: String
            var solution: String
        }
        let url = try #require(Bundle.module.url(forResource: "sums", withExtension: "json", subdirectory: "Goldens"))
        let goldens = try JSONDecoder().decode([Golden].self, from: Data(contentsOf: url))
        #expect(Set(goldens.map(\.level)) == Set(SumsGenerator.levels))
        for golden in goldens {
            let generator = SumsGenerator(seed: golden.seed, split: try #require(SumsSplit(rawValue: golden.split)))
            let problem = generator.problem(level: golden.level, index: golden.index)
            #expect(problem.question == golden.question)
            #expect(problem.solution == golden.solution)
        }
    }
}

/// Whole-number expressions by the usual order of operations.
private struct Expression {
    private var tokens: [Substring]

    init(_ text: String) {
        var spaced = ""
        for character in text { spaced += "()".contains(character) ? " \(character) " : "\(character)" }
        tokens = spaced.split(separator: " ")
    }

    struct Malformed: Error {}

    func value() throws -> Int {
        var copy = self
        let value = try copy.sum()
        guard copy.tokens.isEmpty else { throw Malformed() }
        return value
    }

    private mutating func sum() throws -> Int {
        var value = try product()
        while let symbol = tokens.first, symbol == "+" || symbol == "-" {
            tokens.removeFirst()
            value = symbol == "+" ? value + (try product()) : value - (try product())
        }
        return value
    }

    private mutating func product() throws -> Int {
        var value = try factor()
        while let symbol = tokens.first, symbol == "*" || symbol == "/" {
            tokens.removeFirst()
            let other = try factor()
            if symbol == "/" {
                guard value % other == 0 else { throw Malformed() }
                value /= other
            } else {
                value *= other
            }
        }
        return value
    }

    private mutating func factor() throws -> Int {
        guard let first = tokens.first else { throw Malformed() }
        tokens.removeFirst()
        if first == "(" {
            let value = try sum()
            guard tokens.first == ")" else { throw Malformed() }
            tokens.removeFirst()
            return value
        }
        guard let value = Int(first) else { throw Malformed() }
        return value
    }
}
