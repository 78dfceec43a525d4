internal import Apus
public import Inference
public import Text

/// Puts one choice of a task together from what the engine reports about it.
public struct ChoiceAssembler {
    public let choice: Int
    private let task: GenerationTask
    private let model: ServedModel
    private var assembler: TextAssembler
    /// The text so far, without the prompt's.
    public private(set) var text = ""
    /// The tokens so far; only where log-probabilities are wanted.
    private var tokens: [SampledToken] = []
    private var promptTokens: [PromptToken] = []
    /// Tokens that were told of in a piece, and the characters of those of a completion.
    private var toldTokens = 0
    private var toldOffset = 0
    private var hasBegun = false
    /// Set once nothing follows.
    public private(set) var finishReason: FinishReason?
    public private(set) var statistics = GenerationStatistics()

    /// - Parameter choice: which of the task's choices.
    public init(_ task: GenerationTask, choice: Int, model: ServedModel) {
        self.task = task
        self.choice = choice
        self.model = model
        assembler = task.assembler(task.prompt(ofChoice: choice), model)
    }

    public var isFinished: Bool { finishReason != nil }
    /// The stop text that ended the answer; nil where something else did, or nothing has yet.
    public var stopText: String? { assembler.matched }

    /// Takes the next event and returns the text that became certain with it, often empty.
    public mutating func take(_ event: GenerationEvent) -> String {
        var piece = ""
        switch event {
        case .prompt(let tokens): promptTokens = tokens
        case .token(let token):
            if task.sampling.logprobs != nil { tokens.append(token) }
            piece = assembler.push(token.id)
        case .finished(let reason, let statistics):
            piece = assembler.finish()
            finishReason = reason
            self.statistics = statistics
        }
        text += piece
        return piece
    }

    /// The choice as a response's `choices` holds it.
    public var object: JSONValue {
        let reason: JSONValue = .optional(finishReason?.rawValue)
        switch task.endpoint {
        case .chatCompletions:
            return .members([
                "index": .integer(choice),
                "message": .members(["role": .string("assistant"), "content": .string(text), "refusal": .null]),
                "logprobs": chatLogprobs, "finish_reason": reason,
            ])
        case .completions, .embeddings:
            let echo = task.echoed.map { $0[choice / task.samples] } ?? ""
            return .members([
                "index": .integer(choice), "text": .string(echo + text), "logprobs": completionLogprobs,
                "finish_reason": reason,
            ])
        }
    }

    // MARK: Pieces

    /// What is before the first token of a streamed answer: the role in a conversation, the prompt where a completion repeats it.
    /// Empty where there is nothing to say.
    public mutating func opening() -> [JSONValue] {
        switch task.endpoint {
        case .chatCompletions:
            return [
                .members([
                    "index": .integer(choice),
                    "delta": .members(["role": .string("assistant"), "content": .string(""), "refusal": .null]),
                    "logprobs": .null, "finish_reason": .null,
                ])
            ]
        case .completions, .embeddings: return []
        }
    }

    /// The choice in a piece of a streamed answer: text that became certain, with the log-probabilities of the tokens since
    /// the last piece. nil where there is nothing to tell.
    ///
    /// - Parameter text: what ``take(_:)`` returned.
    public mutating func piece(_ text: String) -> JSONValue? {
        guard !text.isEmpty || isFinished || toldTokens < tokens.count || (!hasBegun && echo != nil) else { return nil }
        defer {
            toldTokens = tokens.count
            hasBegun = true
        }
        let reason: JSONValue = .optional(finishReason?.rawValue)
        switch task.endpoint {
        case .chatCompletions:
            let delta: JSONValue = isFinished && text.isEmpty ? .object([]) : .members(["content": .string(text)])
            return .members([
                "index": .integer(choice), "delta": delta,
                "logprobs": toldTokens < tokens.count ? chatLogprobs(tokens[toldTokens...]) : .null,
                "finish_reason": reason,
            ])
        case .completions, .embeddings:
            let repeated = hasBegun ? "" : echo ?? ""
            let (logprobs, offset) = completionLogprobs(
                hasBegun ? [] : promptTokens, tokens[toldTokens...], offset: toldOffset)
            toldOffset = offset
            return .members([
                "index": .integer(choice), "text": .string(repeated + text), "logprobs": logprobs,
                "finish_reason": reason,
            ])
        }
    }

    private var echo: String? { task.echoed.map { $0[choice / task.samples] } }

    // MARK: Log-probabilities

    private var chatLogprobs: JSONValue { chatLogprobs(tokens[...]) }

    /// The tokens with their log-probabilities, as a conversation tells them; empty where they were not asked for.
    public var logprobContent: [JSONValue] { chatLogprobs["content"]?.arrayValue ?? [] }

    private func chatLogprobs(_ tokens: ArraySlice<SampledToken>) -> JSONValue {
        guard task.sampling.logprobs != nil else { return .null }
        let content = tokens.map { token -> JSONValue in
            guard case .object(let members) = described(token.id, token.logprob) else { return .null }
            let top = JSONValue.array(token.topLogprobs.map { described($0.id, $0.logprob) })
            return .object(members + [JSONValue.Member(key: "top_logprobs", value: top)])
        }
        return .members(["content": .array(content), "refusal": .null])
    }

    private func described(_ id: Int32, _ logprob: Float?) -> JSONValue {
        let bytes = model.tokenizer.bytes(of: id) ?? []
        return .members([
            "token": .string(String(decoding: bytes, as: UTF8.self)), "logprob": logprob.map(JSONValue.float) ?? .null,
            "bytes": .array(bytes.map { .integer(Int($0)) }),
        ])
    }

    private var completionLogprobs: JSONValue { completionLogprobs(promptTokens, tokens[...], offset: 0).object }

    /// - Parameter start: characters before the first token.
    /// - Returns: also the characters up to the end of the last one.
    private func completionLogprobs(
        _ promptTokens: [PromptToken], _ tokens: ArraySlice<SampledToken>, offset start: Int
    ) -> (object: JSONValue, end: Int) {
        guard task.sampling.logprobs != nil else { return (.null, start) }
        let entries =
            promptTokens.map { ($0.id, $0.logprob, $0.topLogprobs) }
            + tokens.map { ($0.id, $0.logprob, $0.topLogprobs) }
        var offset = start
        var offsets: [JSONValue] = []
        var names: [JSONValue] = []
        var logprobs: [JSONValue] = []
        var tops: [JSONValue] = []
        for (id, logprob, top) in entries {
            let name = spelling(id)
            names.append(.string(name))
            offsets.append(.integer(offset))
            // Counted as the clients count, in Unicode scalars; special tokens are no part of the text.
            if !model.tokenizer.isSpecial(id) { offset += name.unicodeScalars.count }
            logprobs.append(logprob.map(JSONValue.float) ?? .null)
            tops.append(logprob == nil ? .null : topObject(top))
        }
        let object = JSONValue.members([
            "tokens": .array(names), "token_logprobs": .array(logprobs),
            "top_logprobs": task.sampling.logprobs == 0 ? .null : .array(tops), "text_offset": .array(offsets),
        ])
        return (object, offset)
    }

    /// Likely tokens by their text. Of two with one text, as broken characters have it, the likelier stays.
    private func topObject(_ top: [TokenLogprob]) -> JSONValue {
        var members: [JSONValue.Member] = []
        for entry in top {
            let name = spelling(entry.id)
            guard !members.contains(where: { $0.key.utf8.elementsEqual(name.utf8) }) else { continue }
            members.append(JSONValue.Member(key: name, value: .float(entry.logprob)))
        }
        return .object(members)
    }

    private func spelling(_ id: Int32) -> String {
        String(decoding: model.tokenizer.bytes(of: id) ?? [], as: UTF8.self)
    }
}
