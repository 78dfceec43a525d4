internal import ArgumentParser
internal import Foundation

@main
enum Main {
    static func main() async {
        Console.guardStandardFiles()
        var name: String?
        do {
            var command = try ApusCommand.parseAsRoot()
            name = type(of: command).configuration.commandName ?? "\(type(of: command))".lowercased()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            leave(after: error, of: name)
        }
    }

    /// Exit codes: 0 done, 1 failed, 2 called wrongly.
    private static func leave(after error: any Error, of command: String?) -> Never {
        if let code = error as? ExitCode { exit(code.rawValue) }
        switch ApusCommand.exitCode(for: error) {
        case .success:
            Console.write(ApusCommand.fullMessage(for: error) + "\n")
            exit(0)
        case .validationFailure:
            Console.error("apus: \(usageSentence(error, of: command))")
            exit(2)
        default:
            Console.error("apus: \(Console.sentence(error))")
            exit(1)
        }
    }

    /// What is wrong with the call, and where its help is.
    ///
    /// - Parameter command: the subcommand, where the call got as far as naming one that could be read.
    private static func usageSentence(_ error: any Error, of command: String?) -> String {
        let sentence = ApusCommand.message(for: error).split(separator: "\n").joined(separator: " ")
        var help = "'apus --help'"
        if let command, command != "apus" {
            help = "'apus \(command) --help'"
        } else if let line = ApusCommand.fullMessage(for: error).split(separator: "\n").last,
            let start = line.firstIndex(of: "'"), let end = line.lastIndex(of: "'"), start < end
        {
            help = String(line[start...end])
        }
        let isEnded = sentence.last.map { ".?!".contains($0) } ?? true
        return sentence + (isEnded ? "" : ".") + " See \(help)."
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
            Run.self, Chat.self, Batch.self, Serve.self, Inspect.self, Models.self, Tokenize.self, Template.self,
            Perplexity.self, Eval.self, Quantize.self, Compare.self, Bench.self,
        ])
}
