internal import ArgumentParser
internal import Evaluation

struct EvalSums: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: SumsTask.name,
        abstract: "Arithmetic: \(SumsTask.summary).",
        discussion: """
            Levels: 1, one operation on numbers to 20; 2, one or two to 60; 3, two to 100; 4, three to 100; 5, three or four
            to 300; 6, four or five to 600. Without --level the harder half, 4-6, is asked. Problems are generated from
            --seed; a sixteenth of all questions, told by a hash, is kept for asking and never learnt from. The last line
            "answer: N" of an answer counts.

            With --samples, pass@k is how often one of k samples is right (estimated without bias), majority@k how often
            the answer that most of the first k samples give is right. accuracy is the share of all samples.
            """)

    @OptionGroup var task: TaskOptions
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("A level from 1 to 6, a range such as 4-6, or a list that takes turns.", valueName: "levels")
    )
    var level: LevelsArgument = LevelsArgument(argument: "4-6")!

    func run() async throws {
        try await task.measure(
            SumsTask(levels: level.levels, seed: task.seed), groupedBy: "level")
    }
}

/// `--level`: `4`, `4-6` or `1,1,2`.
struct LevelsArgument: ExpressibleByArgument {
    let levels: [Int]
    private let text: String
    var defaultValueDescription: String { text }

    init?(argument: String) {
        text = argument
        var levels: [Int] = []
        for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1], first <= last,
                SumsGenerator.levels.contains(first), SumsGenerator.levels.contains(last)
            else { return nil }
            levels += first...last
        }
        self.levels = levels
    }
}
