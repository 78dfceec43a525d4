internal import ArgumentParser
internal import Evaluation
internal import Foundation

/// `apus eval label`: what each step of a solution is worth.
struct EvalLabel: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "label",
        abstract: "Checks solutions of arithmetic problems step by step.",
        discussion: """
            Reads one JSON object a line with "plan", a list of operations such as "12 + 30" whose last result is the answer
            (apus eval problems writes it), and "solution", a text of numbered steps and a line "answer: N".
            Writes one line for each: labels, true or false for every line of the solution that is not empty; verdicts, the same in
            words (right, wrong-result, off-path, unreadable, after-error); answer, the number it names or null;
            answer_right; right, which is all of it.

            A step is right if all before it are, its equation is true, and its operation belongs to the plan, perhaps taken
            apart by place values, on numbers that are there: the solution so far is the beginning of a right one.
            """)

    @Argument(help: "A file of lines, or - for standard input.") var file = "-"

    func run() throws {
        let name = file == "-" ? "standard input" : file
        var output: [UInt8] = []
        for (place, line) in try Console.read(file).split(separator: UInt8(ascii: "\n")).enumerated() {
            let verdict = try Self.verdict(Data(line), "\(name), object \(place + 1)")
            output += Array((try Console.json(Line(verdict)) + "\n").utf8)
            if output.count > 1 << 16 {
                Console.write(output)
                output.removeAll(keepingCapacity: true)
            }
        }
        Console.write(output)
    }

    private static func verdict(_ line: Data, _ place: String) throws -> SolutionVerdict {
        guard let problem = try? JSONDecoder().decode(Problem.self, from: line) else {
            throw InputError(
                file: place,
                reason:
                    "this is no object with \"plan\", a list of texts, and \"solution\", a text; see apus eval problems"
            )
        }
        let plan = try problem.plan.map { text in
            guard let operation = IntegerOperation(parsing: text) else {
                throw InputError(
                    file: place, reason: "'\(text)' in the plan is no operation on whole numbers such as 12 + 30")
            }
            return operation
        }
        do throws(PlanError) { return try SolutionChecker(plan: plan).check(problem.solution) } catch {
            throw InputError(file: place, reason: "\(error)")
        }
    }

    private struct Problem: Decodable {
        var plan: [String]
        var solution: String
    }

    private struct Line: Encodable {
        var labels: [Bool]
        var verdicts: [String]
        var answer: Int?
        var answer_right: Bool
        var right: Bool

        init(_ verdict: SolutionVerdict) {
            labels = verdict.lines.map { $0.verdict == .right }
            verdicts = verdict.lines.map(\.verdict.rawValue)
            answer = verdict.statedAnswer
            answer_right = verdict.isAnswerRight
            right = verdict.isRight
        }

        // A missing answer is null, so that every line has the same keys.
        func encode(to encoder: any Encoder) throws {
            var keyed = encoder.container(keyedBy: CodingKeys.self)
            try keyed.encode(labels, forKey: .labels)
            try keyed.encode(verdicts, forKey: .verdicts)
            try keyed.encode(answer, forKey: .answer)
            try keyed.encode(answer_right, forKey: .answer_right)
            try keyed.encode(right, forKey: .right)
        }

        enum CodingKeys: String, CodingKey { case labels, verdicts, answer, answer_right, right }
    }
}
