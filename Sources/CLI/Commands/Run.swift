internal import Apus
internal import ArgumentParser
internal import Foundation
internal import Inference

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Continues a text.",
        discussion: """
            apus run "Once upon a time"                   the built-in model
            apus run model.gguf "The capital of France"   another model
            echo "Dear Sir" | apus run folder/ --max-tokens 50 --temperature 0
            apus run model.gguf --chat "What is a page table?"

            A single argument is a model if it is an existing path or begins with builtin:, else the prompt.
            Without a prompt, standard input is the prompt, less a newline at its end. A prompt that begins with a dash
            goes after --. The prompt is printed before its continuation, except with --chat or --json.
            """)

    @Argument(help: ArgumentHelp("A model, a prompt, or both in this order.", valueName: "model> <prompt"))
    var words: [String] = []
    @OptionGroup(title: "Sampling") var sampling: SamplingOptions
    @OptionGroup(title: "Machine") var engine: EngineOptions
    @OptionGroup(title: "Cache") var cache: CacheOptions
    @Flag(help: "Give the prompt to the model's chat template as one user turn.") var chat = false
    @Option(help: ArgumentHelp("With --chat: a system turn before it.", valueName: "text")) var system: String?
    @Flag(
        help:
            "Print one JSON object: text, prompt_ids, ids, logprobs (natural, of the model's own distribution), finish_reason (stop or length), seed, timings."
    ) var json = false

    func validate() throws {
        if words.count > 2 {
            throw ValidationError(
                "There are \(words.count) arguments; give a model and a prompt, the prompt in quotes.")
        }
        if system != nil && !chat { throw ValidationError("--system needs --chat.") }
    }

    private func modelAndPrompt() throws -> (model: String, prompt: String) {
        var model: String?
        var prompt: String?
        switch words.count {
        case 2: (model, prompt) = (words[0], words[1])
        case 1 where words[0].hasPrefix(BuiltInModels.scheme) || FileManager.default.fileExists(atPath: words[0]):
            model = words[0]
        case 1: prompt = words[0]
        default: break
        }
        if prompt == nil {
            guard !Console.inputIsTerminal else {
                throw ValidationError("There is no prompt; give one in quotes, or pipe a text in.")
            }
            let text = try Console.text(try Console.readInput(), of: "standard input")
            prompt = text.utf8.last == UInt8(ascii: "\n") ? String(text.unicodeScalars.dropLast()) : text
        }
        return (model ?? BuiltInModels.standard, prompt!)
    }

    func run() async throws {
        let (name, prompt) = try modelAndPrompt()
        let started = ContinuousClock.now
        let model = try cache.load(name, engine.configuration())
        let loaded = ContinuousClock.now
        engine.noteContext(model.shape)
        var options = try sampling.options(for: model)
        if json { options.sampling.logprobs = 0 }
        let tokens = try chat ? model.tokens(of: messages(prompt)) : model.tokens(of: prompt)
        let stream = try model.generate(tokens: tokens, options: options, continuesText: !chat)
        if !chat && !json { Console.write(prompt) }
        let (seed, prints) = (options.seed, !json)
        let task = Task { try await Self.collect(stream, tokens, seed, prints: prints) }
        let interrupted = Interrupt()
        let handler = InterruptHandler {
            interrupted.set()
            task.cancel()
        }
        defer { withExtendedLifetime(handler) {} }
        var (answer, firstToken) = try await task.value
        if !json { Console.write("\n") }
        if interrupted.isSet { throw ExitCode(130) }
        let ended = ContinuousClock.now
        answer.timings.load_seconds = seconds(loaded - started)
        answer.timings.prompt_seconds = seconds((firstToken ?? ended) - loaded)
        answer.timings.generation_seconds = seconds(ended - (firstToken ?? ended))
        if json { Console.write(try Console.json(answer) + "\n") }
    }

    /// Reads an answer to its end, or to where the task is cancelled.
    private static func collect(
        _ stream: AsyncThrowingStream<TextEvent, any Error>, _ prompt: [Int32], _ seed: UInt64, prints: Bool
    ) async throws -> (Answer, ContinuousClock.Instant?) {
        var answer = Answer(text: "", prompt_ids: prompt, ids: [], logprobs: [], finish_reason: "", seed: seed)
        var firstToken: ContinuousClock.Instant?
        for try await event in stream {
            let text: String
            switch event {
            case .text(let piece):
                firstToken = firstToken ?? .now
                text = piece.text
                answer.ids.append(piece.token.id)
                if let logprob = piece.token.logprob { answer.logprobs.append(logprob) }
            case .finished(let result):
                text = result.rest
                answer.finish_reason = result.reason.rawValue
                answer.timings.cached_tokens = result.statistics.cachedTokens
            }
            answer.text += text
            if prints { Console.write(text) }
            if Task.isCancelled { break }
        }
        return (answer, firstToken)
    }

    private func messages(_ prompt: String) -> [ChatMessage] {
        (system.map { [ChatMessage(role: "system", content: $0)] } ?? []) + [ChatMessage(role: "user", content: prompt)]
    }

    private func seconds(_ duration: Duration) -> Double {
        Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
    }
}

/// What `--json` prints.
private struct Answer: Encodable, Sendable {
    var text: String
    var prompt_ids: [Int32]
    var ids: [Int32]
    var logprobs: [Float]
    var finish_reason: String
    var seed: UInt64
    var timings = Timings()

    struct Timings: Encodable, Sendable {
        var load_seconds = 0.0
        /// From the model being loaded to the first token.
        var prompt_seconds = 0.0
        /// From the first token to the last.
        var generation_seconds = 0.0
        var cached_tokens = 0
    }
}

/// Whether Ctrl-C was pressed.
final class Interrupt: @unchecked Sendable {
    private let lock = NSLock()
    private var value = false

    func set() { lock.withLock { value = true } }
    var isSet: Bool { lock.withLock { value } }
}
