/// Why a measurement is impossible.
public enum EvaluationError: Error, Sendable, Equatable, CustomStringConvertible {
    case textTooShort(tokens: Int)
    case impossibleWindow(window: Int, stride: Int)
    case windowTooLong(window: Int, context: Int)
    /// The probability of the token at this position of the text is 0 or not a number.
    case notANumber(position: Int)
    case nothingToMeasure(questions: Int, samples: Int)
    /// Several samples at temperature 0.
    case sameSamples(Int)
    /// The model's files do not say how it scores steps.
    case noStepReward(model: String)
    /// Two models whose scores cannot be compared, for they are of other numbers of tokens.
    case differentVocabulary(model: String, tokens: Int, base: String, baseTokens: Int)
    /// Two models that cut the text into different tokens, the first difference at this token.
    case differentTokens(model: String, base: String, place: Int)
    /// A token of the text that the model has no score for.
    case tokenWithoutScore(model: String, token: Int32, scores: Int)
    /// Two models do not fit into memory together.
    case noMemoryForTwo(model: String, base: String, needed: Int, available: Int)
    case noModels
    case impossibleTemperature(Float)
    /// Something in a file of questions.
    case question(file: String, line: Int, reason: String)
    case noSuchChoices(name: String)
    /// A question with one of its choices is longer than the context.
    case choiceTooLong(question: Int, tokens: Int, context: Int)
    /// No token comes before the choices, or a choice has none of its own.
    case noTokenBeforeChoices(question: Int)
    case scoresAreNoNumbers(question: Int)

    public var description: String {
        switch self {
        case .textTooShort(let tokens):
            "the text has \(tokens == 1 ? "1 token" : "\(tokens) tokens"); at least two are needed to score one"
        case .impossibleWindow(let window, let stride):
            "a window of \(window) tokens with a stride of \(stride) is impossible; take 2 or more and a stride from 1 to "
                + "the window"
        case .windowTooLong(let window, let context):
            "a window of \(window) tokens does not fit a context of \(context); take a shorter one"
        case .notANumber(let position):
            "the model gives the token at position \(position) no finite log-probability; check the model file and its "
                + "number format"
        case .nothingToMeasure(let questions, let samples):
            "\(questions) questions with \(samples) samples each are nothing to measure; take at least 1 of both"
        case .sameSamples(let samples):
            "\(samples) samples at temperature 0 are all the same; give a temperature above 0, such as 0.8"
        case .differentVocabulary(let model, let tokens, let base, let baseTokens):
            "\(model) scores \(tokens) tokens and \(base) \(baseTokens); only models with one vocabulary can be compared "
                + "token by token"
        case .differentTokens(let model, let base, let place):
            "\(model) cuts the text into other tokens than \(base), from token \(place) on; only models with one tokenizer "
                + "can be compared token by token"
        case .tokenWithoutScore(let model, let token, let scores):
            "the text has token \(token) and \(model) scores only \(scores); its tokenizer and weights do not belong together"
        case .noMemoryForTwo(let model, let base, let needed, let available):
            "\(model) and \(base) need \(needed) bytes of memory together and \(available) are available; free some, or "
                + "take a shorter --context"
        case .noModels: "there is nothing to compare; name the base and at least one other model"
        case .impossibleTemperature(let temperature):
            "a temperature of \(temperature) is not allowed here; give numbers from 0.01 to 100"
        case .question(let file, let line, let reason): "\(file), line \(line): \(reason)"
        case .noSuchChoices(let name):
            "\(name) is neither a file nor one of the built-in tasks: "
                + ChoiceTasks.all.map { type(of: $0).name }.joined(separator: ", ")
        case .choiceTooLong(let question, let tokens, let context):
            "question \(question) has \(tokens) tokens with its longest choice, more than the context of \(context); "
                + "leave it out or shorten it"
        case .noTokenBeforeChoices(let question):
            "question \(question) and its choices are not tokens after tokens; give it a text, and choices that differ from it"
        case .scoresAreNoNumbers(let question):
            "the model gives a choice of question \(question) no finite log-probability; check the model file and its number "
                + "format"
        case .noStepReward(let model):
            "\(model) is no process reward model: its config.json has no \(StepReward.key); use one such as builtin:sums-prm"
        }
    }
}
