public import Inference
public import Text

/// What a response says besides its choices.
public struct ResponseHeader: Sendable {
    /// Without its prefix: `chatcmpl-` or `cmpl-` comes before it.
    public var id: String
    /// Seconds since 1970.
    public var created: Int
    /// The model that answered.
    public var model: String
    /// Whether the usage tells how much of the prompt was found in the cache. That depends on what else ran, so whoever
    /// wants the same bytes for the same request leaves it out.
    public var tellsCachedTokens: Bool

    public init(id: String, created: Int, model: String, tellsCachedTokens: Bool = true) {
        self.id = id
        self.created = created
        self.model = model
        self.tellsCachedTokens = tellsCachedTokens
    }
}

extension GenerationTask {
    /// The body of the response, once all choices are finished.
    ///
    /// `seed` is no field of the API: it tells what to give to get the same answer again.
    public func response(_ choices: [ChoiceAssembler], _ header: ResponseHeader) -> JSONValue {
        let isChat = endpoint == .chatCompletions
        return .members([
            "id": .string((isChat ? "chatcmpl-" : "cmpl-") + header.id),
            "object": .string(isChat ? "chat.completion" : "text_completion"), "created": .integer(header.created),
            "model": .string(header.model), "choices": .array(choices.map(\.object)),
            "usage": usage(choices.map(\.statistics), header), "seed": .integer(Int(truncatingIfNeeded: seed)),
        ])
    }

    /// Tokens in and out. A prompt counts once, however many samples it has.
    public func usage(_ statistics: [GenerationStatistics], _ header: ResponseHeader) -> JSONValue {
        let prompt = prompts.reduce(0) { $0 + $1.count }
        let generated = statistics.reduce(0) { $0 + $1.generatedTokens }
        var members: [JSONValue.Member] = [
            JSONValue.Member(key: "prompt_tokens", value: .integer(prompt)),
            JSONValue.Member(key: "completion_tokens", value: .integer(generated)),
            JSONValue.Member(key: "total_tokens", value: .integer(prompt + generated)),
        ]
        if header.tellsCachedTokens {
            // Of the first sample of each prompt: the others find what it has left.
            let cached = stride(from: 0, to: statistics.count, by: samples).reduce(0) { $0 + statistics[$1].cachedTokens }
            members.append(
                JSONValue.Member(key: "prompt_tokens_details", value: .members(["cached_tokens": .integer(cached)])))
        }
        return .object(members)
    }
}
