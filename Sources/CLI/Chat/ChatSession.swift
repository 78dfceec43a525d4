internal import Apus
internal import Checkpoints
internal import Conversation
internal import Foundation
internal import Inference

/// A conversation with a model, its settings and its commands. What is shown where is up to the caller.
final class ChatSession {
    let model: LanguageModel
    private(set) var transcript: Transcript
    private var settings: ChatSettings
    /// What the last answer cost.
    private var statistics: GenerationStatistics?

    /// A conversation that waits for its answer. It becomes the session's when there is one.
    struct Question {
        let transcript: Transcript
        let sample: UInt32
        fileprivate let isNew: Bool
    }

    /// What a command leads to.
    enum Effect {
        case say(String)
        case answer(Question)
        case leave
    }

    /// How an answer ended.
    enum Outcome {
        case complete
        /// The limit of tokens, or the end of the context.
        case full(atContext: Bool)
        case stopped
        /// Stopped before a word was said: the conversation is what it was.
        case dropped
    }

    init(model: LanguageModel, transcript: Transcript, settings: ChatSettings) {
        self.model = model
        self.transcript = transcript
        self.settings = settings
    }

    /// The most tokens the conversation may have.
    var context: Int { min(model.engine.configuration.context ?? model.shape.context, model.shape.context) }

    func question(_ text: String) -> Question {
        var longer = transcript
        longer.turns.append(Transcript.Turn(role: "user", content: text))
        return Question(transcript: longer, sample: 0, isNew: true)
    }

    /// Answers, piece by piece. Cancelling the task ends the answer where it is.
    ///
    /// - Throws: where the model refuses; then the conversation is what it was.
    func answer(_ question: Question, show: (String) -> Void) async throws -> Outcome {
        var options = settings.options
        options.sampleIndex = question.sample
        let stream: AsyncThrowingStream<TextEvent, any Error>
        do {
            stream = try model.chat(question.transcript.messages, options: options)
        } catch EngineError.contextOverflow(let prompt, _) {
            throw overflow(prompt, question)
        }
        var answer = Transcript.Turn(role: "assistant", content: "", sample: question.sample)
        var outcome: Outcome?
        for try await event in stream {
            let text: String
            switch event {
            case .text(let piece): text = piece.text
            case .finished(let result):
                text = result.rest
                statistics = result.statistics
                let length = result.statistics.promptTokens + result.statistics.generatedTokens
                outcome = result.reason == .length ? .full(atContext: length >= context) : .complete
            }
            answer.content += text
            show(text)
            if Task.isCancelled { break }
        }
        if outcome == nil {
            if answer.content.isEmpty { return .dropped }
            answer.isStopped = true
        }
        transcript = question.transcript
        transcript.turns.append(answer)
        return outcome ?? .stopped
    }

    private func overflow(_ prompt: Int, _ question: Question) -> ChatError {
        let larger =
            context < model.shape.context ? ", or start with a larger --context (up to \(model.shape.context))" : ""
        return ChatError(
            "The conversation would take \(prompt) tokens, \(prompt - context + 1) more than a context of \(context) leaves "
                + "room for; \(question.isNew ? "your message was not added" : "nothing was changed"). /undo drops the last "
                + "exchange, /reset begins anew\(larger).")
    }

    /// What there is to say about the end of an answer.
    func note(_ outcome: Outcome) -> String? {
        switch outcome {
        case .complete: nil
        case .full(atContext: true):
            "[The context of \(context) tokens is full: the answer ends here. /undo drops the exchange, /reset begins anew.]"
        case .full(atContext: false): "[The answer ends at max-tokens.]"
        case .stopped: "[stopped]"
        case .dropped: "[Stopped before the answer began: the conversation is as it was.]"
        }
    }

    // MARK: Commands

    func perform(_ command: ChatCommand) throws -> Effect {
        switch command {
        case .help: return .say(ChatCommand.overview)
        case .quit: return .leave
        case .system(""):
            transcript.system = nil
            return .say("The system message is gone, from the beginning of the conversation.")
        case .system(let text?):
            transcript.system = text
            return .say("The system message is set; it counts from the beginning of the conversation.")
        case .system(nil): return .say(transcript.system ?? "There is no system message; /system TEXT sets one.")
        case .reset:
            transcript.turns = []
            statistics = nil
            return .say("The conversation begins anew.")
        case .history: return .say(transcript.isEmpty ? "Nothing has been said." : transcript.text)
        case .undo:
            let dropped = transcript.undo()
            guard let message = dropped.first else { throw ChatError("There is nothing to undo.") }
            return .say(
                "Dropped your message '\(excerpt(message.content))'\(dropped.count > 1 ? " and its answer" : "").")
        case .regenerate:
            guard let next = transcript.beforeNextSample() else {
                throw ChatError("There is no message to answer; say something first.")
            }
            if next.sample > 0 && settings.options.sampling.isGreedy {
                throw ChatError(
                    "At temperature 0 every sample is the same answer; /set temperature 0.8 lets them differ.")
            }
            return .answer(Question(transcript: next.transcript, sample: next.sample, isNew: false))
        case .tokens: return .say(try tokens())
        case .set(nil, _):
            return .say(
                settings.listings.map { "  \($0.name)\(String(repeating: " ", count: 30 - $0.name.count))\($0.value)" }
                    .joined(separator: "\n"))
        case .set(let name?, nil):
            if let listing = settings.listings.first(where: { $0.name == name }) {
                return .say("\(name) is \(listing.value).")
            }
            try settings.set(name, to: "")
            throw ChatError("/set needs a value: /set \(name) VALUE.")
        case .set(let name?, let value?):
            try settings.set(name, to: value)
            return .say("\(name) is \(settings.listings.first { $0.name == name }!.value).")
        case .save(let path, let replaces): return .say(try save(path, replaces))
        case .load(let path): return .say(try load(path))
        }
    }

    private func excerpt(_ text: String) -> String { text.count > 40 ? String(text.prefix(40)) + "…" : text }

    private func tokens() throws -> String {
        guard !transcript.isEmpty else { return "0 of \(context) tokens." }
        let count = try model.tokens(of: transcript.messages).count
        var text = "\(count) of \(context) tokens."
        if let statistics {
            text +=
                " The last answer read \(statistics.promptTokens), \(statistics.cachedTokens) of them from the cache, and "
                + "wrote \(statistics.generatedTokens)."
        }
        return text
    }

    private func save(_ name: String, _ replaces: Bool) throws -> String {
        let path = NSString(string: name).expandingTildeInPath
        if !replaces && FileManager.default.fileExists(atPath: path) {
            throw ChatError("\(name) is there already; /save! \(name) replaces it, or choose another name.")
        }
        let file = try AtomicFile(path: path)
        try ConversationFile.bytes(model: model.name, transcript, settings).withUnsafeBytes { try file.append($0) }
        try file.commit()
        return "Saved to \(name)."
    }

    private func load(_ name: String) throws -> String {
        let path = NSString(string: name).expandingTildeInPath
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw ChatError("There is no file \(name).")
        }
        let limit = 64 << 20
        guard !isFolder.boolValue, let handle = FileHandle(forReadingAtPath: path),
            let data = try handle.read(upToCount: limit + 1)
        else {
            throw ChatError(
                "\(name) cannot be read: \(isFolder.boolValue ? "it is a folder" : "it is empty or not yours to read")."
            )
        }
        guard data.count <= limit else {
            throw ChatError("\(name) is larger than \(Console.bytes(limit)); no conversation is.")
        }
        let file = try ConversationFile(parsing: [UInt8](data), file: name)
        var changed = settings
        do throws(ChatError) { try changed.set(file.settings.map { ($0.name, $0.value) }) } catch {
            throw ChatError("\(name), settings: \(error)")
        }
        (transcript, settings, statistics) = (file.transcript, changed, nil)
        var text = "Loaded \(transcript.turns.count) messages from \(name)."
        if let saved = file.model, saved != model.name {
            text += " They were held with \(saved); \(model.name) goes on with them."
        }
        if transcript.turns.last?.role == "user" {
            text += " The last one has no answer yet; /regenerate gives it one."
        }
        return text
    }
}
