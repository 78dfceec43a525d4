internal import ArgumentParser
internal import Foundation

@main
enum Main {
    static func main() async {
        do {
            var command = try ApusCommand.parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            leave(after: error)
        }
    }

    /// Exit codes: 0 done, 1 failed, 2 called wrongly.
    private static func leave(after error: any Error) -> Never {
        if let code = error as? ExitCode { exit(code.rawValue) }
        switch ApusCommand.exitCode(for: error) {
        case .success:
            Console.write(ApusCommand.fullMessage(for: error) + "\n")
            exit(0)
        case .validationFailure:
            Console.error("apus: \(usageSentence(error))")
            exit(2)
        default:
            Console.error("apus: \(Console.sentence(error))")
            exit(1)
        }
    }

    /// What is wrong with the call, and where its help is.
    private static func usageSentence(_ error: any Error) -> String {
        let sentence = ApusCommand.message(for: error).split(separator: "\n").joined(separator: " ")
        let lines = ApusCommand.fullMessage(for: error).split(separator: "\n")
        guard let help = lines.last, let start = help.firstIndex(of: "'"), let end = help.lastIndex(of: "'"), start < end
        else { return sentence }
        return (sentence.hasSuffix(".") ? sentence : sentence + ".") + " See \(help[start...end])."
    }
}

struct ApusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apus",
        abstract: "Runs language models on this machine, reproducible to the bit.",
        discussion: """
            A MODEL is a GGUF file, a Hugging Face folder (config.json, safetensors, tokenizer), or builtin:NAME.
            The same model, prompt, parameters and seed give the same tokens, whatever the threads, kernels or batch.

            Exit codes: 0 done, 1 failed, 2 called wrongly. Errors go to standard error, results to standard output.
            """,
        version: "0.1.0",
        subcommands: [
            Run.self, Chat.self, Inspect.self, Models.self, Tokenize.self, Template.self, Perplexity.self,
        ])
}
