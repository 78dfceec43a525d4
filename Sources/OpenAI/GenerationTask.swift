internal import Apus
public import Inference
internal import Text

/// What a request to generate text asks for, checked and in tokens: one or more prompts, each answered one or more times.
///
/// The answers to it are its *choices*, prompts first: choice `p · samples + s` is sample s of prompt p.
public struct GenerationTask: Sendable {
    /// The most prompts × samples of one request.
    public static let choiceLimit = 1024

    public let endpoint: Endpoint
    /// Tokens of each prompt.
    public let prompts: [[Int32]]
    /// How many answers each prompt gets: `n`.
    public let samples: Int
    public let sampling: SamplingParameters
    /// The most tokens of an answer; nil for as many as the context holds.
    public let maximumTokens: Int?
    public let seed: UInt64
    public let stop: [String]
    /// Whether the answer is wanted in pieces as it comes.
    public let streams: Bool
    /// Whether a last piece tells the usage.
    public let streamsUsage: Bool
    /// How it wants to be served; nothing of it changes a token, except that a time limit may end an answer.
    public let service: ServiceFields
    /// Fields of the body that are not known here and were passed over; only where defaults let them pass.
    public let ignored: [String]
    /// Texts of the prompts where the answer repeats them; nil where it does not.
    let echoed: [String]?
    /// How many likely tokens to report for each of the prompt's; nil reports nothing of the prompt.
    let promptLogprobs: Int?

    /// Whether log-probabilities of the prompt are wanted.
    public var scoresPrompt: Bool { promptLogprobs != nil }
    /// Answers in all.
    public var choices: Int { prompts.count * samples }

    /// The prompt of a choice.
    public func prompt(ofChoice choice: Int) -> [Int32] { prompts[choice / samples] }

    /// The engine's request for a choice. Each call makes one of its own, since a stop condition keeps state.
    public func request(choice: Int, model: ServedModel) -> GenerationRequest {
        let prompt = prompt(ofChoice: choice)
        var request = GenerationRequest(
            prompt: prompt, sampling: sampling, maximumTokens: maximumTokens, seed: seed,
            sampleIndex: UInt32(choice % samples), promptLogprobs: promptLogprobs,
            stop: stop.isEmpty ? nil : StopStrings(assembler(prompt, model)))
        request.user = service.user
        return request
    }

    func assembler(_ prompt: [Int32], _ model: ServedModel) -> TextAssembler {
        // A completion's text goes on from the prompt's; an answer in a conversation is a text of its own.
        TextAssembler(model.tokenizer, stop: stop, after: endpoint == .completions ? prompt : [])
    }
}

/// What a request is for, named by the path of its URL.
public enum Endpoint: String, Sendable, CaseIterable {
    case chatCompletions = "/v1/chat/completions"
    case completions = "/v1/completions"
    case embeddings = "/v1/embeddings"
}
