internal import ArgumentParser

/// `apus eval`: alone it lists the tasks.
struct Eval: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures a model on tasks.",
        discussion: """
            apus eval sums --model builtin:sums -n 500
            apus eval sums --model builtin:sums --samples 16 --temperature 0.8 --json
            apus eval choices questions.jsonl --model model.gguf
            """,
        groupedSubcommands: [
            CommandGroup(name: "Tasks", subcommands: [EvalSums.self, EvalChoices.self, EvalSteps.self]),
            CommandGroup(name: "Material of the tasks", subcommands: [EvalProblems.self, EvalLabel.self]),
        ])
}
