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
    /// What the weights and the arithmetic are known by; nil leaves it out.
    public var fingerprint: String?
    /// The class of service that the answer had; nil leaves it out.
    public var serviceTier: String?

    public init(
        id: String, created: Int, model: String, tellsCachedTokens: Bool = true, fingerprint: String? = nil,
        serviceTier: String? = nil
    ) {
        self.id = id
        self.created = created
        self.model = model
        self.tellsCachedTokens = tellsCachedTokens
        self.fingerprint = fingerprint
        self.serviceTier = serviceTier
    }

    /// The members that are there only where they are known.
    var optionalMembers: [JSONValue.Member] {
        [("system_fingerprint", fingerprint), ("service_tier", serviceTier)].compactMap { name, value in
            value.map { JSONValue.Member(key: name, value: .string($0)) }
        }
    }
}

extension GenerationTask {
    /// The body of the response, once all choices are finished.
    ///
    /// `seed` is no field of the API: it tells what to give to get the same answer again.
    public func response(_ choices: [ChoiceAssembler], _ header: ResponseHeader) -> JSONValue {
        let usage = usage(choices.map(\.statistics), header)
        return .object(
            members(header, isPiece: false) + [
                JSONValue.Member(key: "choices", value: .array(choices.map(\.object))),
                JSONValue.Member(key: "usage", value: usage),
                JSONValue.Member(key: "seed", value: .integer(Int(truncatingIfNeeded: seed))),
            ] + header.optionalMembers)
    }

    /// A piece of a streamed response.
    ///
    /// - Parameter usage: of the whole answer, in the piece after the last; null in the others where a usage is wanted.
    public func piece(_ choices: [JSONValue], _ header: ResponseHeader, usage: JSONValue? = nil) -> JSONValue {
        var all = members(header, isPiece: true) + [JSONValue.Member(key: "choices", value: .array(choices))]
        if streamsUsage { all.append(JSONValue.Member(key: "usage", value: usage ?? .null)) }
        return .object(all + header.optionalMembers)
    }

    private func members(_ header: ResponseHeader, isPiece: Bool) -> [JSONValue.Member] {
        let isChat = endpoint == .chatCompletions
        let object = isChat ? (isPiece ? "chat.completion.chunk" : "chat.completion") : "text_completion"
        return [
            JSONValue.Member(key: "id", value: .string((isChat ? "chatcmpl-" : "cmpl-") + header.id)),
            JSONValue.Member(key: "object", value: .string(object)),
            JSONValue.Member(key: "created", value: .integer(header.created)),
            JSONValue.Member(key: "model", value: .string(header.model)),
        ]
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
