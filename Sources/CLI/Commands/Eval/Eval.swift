internal import ArgumentParser

struct Eval: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures a model on tasks.",
        subcommands: [EvalProblems.self])
}
