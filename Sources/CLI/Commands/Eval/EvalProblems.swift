internal import ArgumentParser
internal import Evaluation

/// `apus eval problems`: what the arithmetic task asks, to learn from or to look at.
struct EvalProblems: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "problems",
        abstract: "Writes arithmetic problems with their solutions, as many as wanted, one JSON object a line.",
        discussion: """
            Each line has question, steps, answer, level and plan (the operations before they are split into steps).
            Questions to learn from and test questions are told apart by a hash of the question, so that none is in both.
            The same seed, split and levels give the same problems; a question is written once.

            apus eval problems -n 3 --level 5
            """)

    @Option(
        name: [.customShort("n"), .customLong("count")], parsing: .unconditional,
        help: ArgumentHelp("How many.", valueName: "n"))
    var count: Int = 10
    @Option(parsing: .unconditional, help: ArgumentHelp("Where the problems come from.", valueName: "s"))
    var seed: UInt64 = 0
    @Option(help: ArgumentHelp("train or test.", valueName: "split")) var split: SplitArgument = .test
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "A level from 1 to 6, or a list such as 1,1,2,3 whose levels take turns; by default all six.",
            valueName: "levels"))
    var level: LevelsArgument = LevelsArgument(argument: "1,2,3,4,5,6")!

    func validate() throws {
        if count < 0 { throw ValidationError("--count is \(count); it must be 0 or more.") }
    }

    func run() throws {
        let generator = SumsGenerator(seed: seed, split: split.split)
        var lines: [UInt8] = []
        for problem in generator.problems(levels: level.levels).prefix(count) {
            lines += Array(try Console.json(Line(problem)).utf8)
            lines.append(UInt8(ascii: "\n"))
            if lines.count > 1 << 16 {
                Console.write(lines)
                lines.removeAll(keepingCapacity: true)
            }
        }
        Console.write(lines)
    }

    private struct Line: Encodable {
        var question: String
        var steps: [String]
        var answer: Int
        var level: Int
        var plan: [String]

        init(_ problem: SumsProblem) {
            question = problem.question
            steps = problem.stepLines
            answer = problem.answer
            level = problem.level
            plan = problem.plan.map(\.text)
        }
    }
}

enum SplitArgument: String, ExpressibleByArgument, CaseIterable {
    case train, test

    var split: SumsSplit { self == .train ? .train : .test }
}
