internal import Apus
internal import ArgumentParser
internal import Foundation
internal import Inference
internal import Text

/// `--seed`: a number, or `random` for one that the answer reports.
struct SeedArgument: ExpressibleByArgument {
    let value: UInt64
    var defaultValueDescription: String { String(value) }

    init?(argument: String) {
        if argument == "random" {
            value = UInt64.random(in: 0...UInt64.max)
        } else if let number = UInt64(argument) {
            value = number
        } else {
            return nil
        }
    }
}

/// How tokens are chosen. What a flag does not set, the model's own recommendation does, where it has one.
struct SamplingOptions: ParsableArguments {
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("The most tokens to generate; by default as many as the context holds.", valueName: "n"))
    var maxTokens: Int?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("0 always takes the likeliest token; by default 0.8.", valueName: "t"))
    var temperature: Float?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Where randomness comes from: a number or `random`; the same seed gives the same text.", valueName: "s"))
    var seed: SeedArgument = SeedArgument(argument: "0")!
    @Option(parsing: .unconditional, help: ArgumentHelp("Keep the k likeliest tokens; 0 keeps all.", valueName: "k"))
    var topK: Int?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Keep the likeliest tokens that make up this probability.", valueName: "p")) var topP: Float?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Keep tokens at least this probable relative to the likeliest.", valueName: "p")) var minP:
        Float?
    @Option(parsing: .unconditional, help: ArgumentHelp("Locally typical sampling; 1 is off.", valueName: "p"))
    var typicalP: Float?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Keep scores within this many deviations of the highest; 0 is off.", valueName: "n"))
    var topNSigma: Float?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Temperature varies by this much with the distribution's entropy.", valueName: "r"))
    var dynamicTemperatureRange: Float?
    @Option(parsing: .unconditional, help: ArgumentHelp("Exponent of the dynamic temperature.", valueName: "e"))
    var dynamicTemperatureExponent: Float?
    @Option(
        parsing: .unconditional, help: ArgumentHelp("XTC: probability of leaving out the top choices.", valueName: "p"))
    var xtcProbability: Float?
    @Option(parsing: .unconditional, help: ArgumentHelp("XTC: what counts as a top choice.", valueName: "p"))
    var xtcThreshold: Float?
    @Option(parsing: .unconditional, help: ArgumentHelp("Mirostat: 1, 2, or 0 for off.", valueName: "v")) var mirostat:
        Int?
    @Option(parsing: .unconditional, help: ArgumentHelp("Mirostat: surprise to hold, in bits.", valueName: "tau"))
    var mirostatTau: Float?
    @Option(parsing: .unconditional, help: ArgumentHelp("Mirostat: learning rate.", valueName: "eta")) var mirostatEta:
        Float?
    @Option(parsing: .unconditional, help: ArgumentHelp("Adaptive-p: probability to aim at.", valueName: "p"))
    var adaptiveTarget: Float?
    @Option(parsing: .unconditional, help: ArgumentHelp("Adaptive-p: how slowly it adapts.", valueName: "d"))
    var adaptiveDecay: Float?
    @Option(
        parsing: .unconditional, help: ArgumentHelp("Divide scores of tokens already there; 1 is off.", valueName: "r"))
    var repetitionPenalty: Float?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Subtract once from scores of tokens already there.", valueName: "r")) var presencePenalty:
        Float?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Subtract from scores for each time a token is there.", valueName: "r"))
    var frequencyPenalty: Float?
    @Option(parsing: .unconditional, help: ArgumentHelp("How many last tokens the penalties look at.", valueName: "n"))
    var penaltyLastN: Int?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("DRY: strength against repeated sequences; 0 is off.", valueName: "m")) var dryMultiplier:
        Float?
    @Option(
        parsing: .unconditional, help: ArgumentHelp("DRY: growth with the length of the repetition.", valueName: "b"))
    var dryBase: Float?
    @Option(parsing: .unconditional, help: ArgumentHelp("DRY: repetitions up to this length are free.", valueName: "n"))
    var dryAllowedLength: Int?
    @Option(parsing: .unconditional, help: ArgumentHelp("DRY: how far back to look.", valueName: "n"))
    var dryPenaltyLastN: Int?
    @Option(
        parsing: .unconditionalSingleValue,
        help: ArgumentHelp("DRY: text that ends a repetition; may be given several times.", valueName: "text"))
    var drySequenceBreaker: [String] = []
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Never repeat a sequence of this many tokens; 0 is off.", valueName: "n")) var noRepeatNgram:
        Int?
    @Option(
        parsing: .unconditionalSingleValue,
        help: ArgumentHelp(
            "Add to a token's score: ID=VALUE, or ID=false to ban it; may be given several times.", valueName: "id=v"))
    var logitBias: [String] = []
    @Option(
        parsing: .unconditionalSingleValue,
        help: ArgumentHelp("A text that must not appear; may be given several times.", valueName: "text")) var badWords:
        [String] = []
    @Option(parsing: .unconditional, help: ArgumentHelp("Do not end before this many tokens.", valueName: "n"))
    var minTokens: Int?
    @Option(
        parsing: .unconditionalSingleValue,
        help: ArgumentHelp("End where this text appears; may be given several times.", valueName: "text")) var stop:
        [String] = []
    @Option(
        parsing: .unconditionalSingleValue,
        help: ArgumentHelp("End at this token id; may be given several times.", valueName: "id")) var stopToken:
        [Int32] = []
    @Flag(help: "Go on past the model's end token.") var ignoreEos = false
    @Option(parsing: .unconditional, help: ArgumentHelp("The most tokens inside a block of thought.", valueName: "n"))
    var thinkingBudget: Int?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Texts that open and close a block of thought.", valueName: "open,close"))
    var thinkingTags = "<think>,</think>"
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Order of the stages: a comma-separated list of \(SamplingStageName.allCases.map(\.rawValue).joined(separator: ", ")).",
            valueName: "names"))
    var samplers: String?

    func validate() throws {
        if let maxTokens, maxTokens < 0 { throw ValidationError("--max-tokens is \(maxTokens); it must be 0 or more.") }
        // What can be refused without the model is refused before it is loaded.
        let anyVocabulary = SamplingVocabulary(size: Int(Int32.max))
        try check(try parameters(recommended: nil), anyVocabulary)
        if thinkingBudget != nil, thinkingTagTexts.count != 2 {
            throw ValidationError("--thinking-tags is '\(thinkingTags)'; give two texts with a comma between.")
        }
    }

    /// The options for a model; words become tokens by its tokenizer.
    func options(for model: LanguageModel) throws -> GenerationOptions {
        var sampling = try parameters(recommended: model.recommended)
        sampling.drySequenceBreakers = drySequenceBreaker.map { model.tokenizer.encode($0) }.filter { !$0.isEmpty }
        // A word stands at the start of a text and after a space, which are different tokens.
        sampling.badWords = badWords.flatMap { [model.tokenizer.encode($0), model.tokenizer.encode(" " + $0)] }
            .filter { !$0.isEmpty }
        if let thinkingBudget {
            let tags = thinkingTagTexts.map { model.tokenizer.encode($0, special: true) }
            sampling.thinkingBudget = ThinkingBudget(opening: tags[0], closing: tags[1], tokens: thinkingBudget)
        }
        try check(sampling, SamplingVocabulary(size: model.shape.vocabulary))
        return GenerationOptions(maximumTokens: maxTokens, sampling: sampling, seed: seed.value, stop: stop)
    }

    private var thinkingTagTexts: [String] { thinkingTags.split(separator: ",").map(String.init) }

    /// What needs no tokenizer.
    private func parameters(recommended: RecommendedSampling?) throws -> SamplingParameters {
        var sampling = SamplingParameters()
        sampling.temperature = temperature ?? recommended?.temperature.map { Float($0) } ?? 0.8
        sampling.topK = topK ?? recommended?.topK ?? sampling.topK
        sampling.topP = topP ?? recommended?.topP.map { Float($0) } ?? sampling.topP
        sampling.minP = minP ?? recommended?.minP.map { Float($0) } ?? sampling.minP
        sampling.repetitionPenalty =
            repetitionPenalty ?? recommended?.repetitionPenalty.map { Float($0) } ?? sampling.repetitionPenalty
        set(&sampling.typicalP, typicalP)
        set(&sampling.topNSigma, topNSigma)
        set(&sampling.dynamicTemperatureRange, dynamicTemperatureRange)
        set(&sampling.dynamicTemperatureExponent, dynamicTemperatureExponent)
        set(&sampling.xtcProbability, xtcProbability)
        set(&sampling.xtcThreshold, xtcThreshold)
        set(&sampling.mirostat, mirostat)
        set(&sampling.mirostatTau, mirostatTau)
        set(&sampling.mirostatEta, mirostatEta)
        sampling.adaptiveTarget = adaptiveTarget
        set(&sampling.adaptiveDecay, adaptiveDecay)
        set(&sampling.presencePenalty, presencePenalty)
        set(&sampling.frequencyPenalty, frequencyPenalty)
        sampling.penaltyLastN = penaltyLastN
        set(&sampling.dryMultiplier, dryMultiplier)
        set(&sampling.dryBase, dryBase)
        set(&sampling.dryAllowedLength, dryAllowedLength)
        sampling.dryPenaltyLastN = dryPenaltyLastN
        set(&sampling.noRepeatNGram, noRepeatNgram)
        set(&sampling.minTokens, minTokens)
        sampling.stopTokens = stopToken
        sampling.ignoresEndOfGeneration = ignoreEos
        for entry in logitBias {
            let parts = entry.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, let id = Int32(parts[0]),
                let bias = parts[1] == "false" ? -.infinity : Float(parts[1])
            else { throw ValidationError("--logit-bias '\(entry)' is not ID=VALUE; write 42=-1.5 or 42=false.") }
            guard sampling.logitBias.updateValue(bias, forKey: id) == nil else {
                throw ValidationError("--logit-bias names token \(id) twice; give each token once.")
            }
        }
        if let samplers {
            sampling.order = []
            for name in samplers.split(separator: ",") {
                do throws(SamplingError) { sampling.order.append(try SamplingStageName(name: String(name))) } catch {
                    throw Self.usage(error)
                }
            }
        }
        return sampling
    }

    private func check(_ sampling: SamplingParameters, _ vocabulary: SamplingVocabulary) throws {
        do throws(SamplingError) { try sampling.validate(vocabulary: vocabulary) } catch { throw Self.usage(error) }
    }

    /// The same refusal in the words of the command line.
    private static func usage(_ error: SamplingError) -> ValidationError {
        guard case .parameter(let field, let value, let allowed) = error else { return ValidationError("\(error)") }
        let parts = field.split(separator: " ", maxSplits: 1)
        let name = parts[0].split(separator: ".")[0]
        let flags = [
            "order": "samplers", "noRepeatNGram": "no-repeat-ngram", "stopTokens": "stop-token",
            "drySequenceBreakers": "dry-sequence-breaker",
        ]
        let dashed = name.reduce(into: "") { text, letter in
            text += letter.isUppercase ? "-\(letter.lowercased())" : "\(letter)"
        }
        let rest = parts.count > 1 ? " \(parts[1])" : ""
        return ValidationError("--\(flags[String(name)] ?? dashed)\(rest) is \(value), but must be \(allowed).")
    }

    private func set<Value>(_ field: inout Value, _ value: Value?) { if let value { field = value } }
}
