internal import Apus
internal import ArgumentParser
internal import Foundation
internal import Inference
internal import Text

/// `--seed`: a number, or `random` for one that the answer reports.
struct SeedArgument: ExpressibleByArgument {
    let value: UInt64

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
    @Option(help: ArgumentHelp("The most tokens to generate; by default as many as the context holds.", valueName: "n"))
    var maxTokens: Int?
    @Option(help: ArgumentHelp("0 always takes the likeliest token; by default 0.8.", valueName: "t"))
    var temperature: Float?
    @Option(help: ArgumentHelp("Where randomness comes from: a number or `random`; the same seed gives the same text.", valueName: "s"))
    var seed: SeedArgument = SeedArgument(argument: "0")!
    @Option(help: ArgumentHelp("Keep the k likeliest tokens; 0 keeps all.", valueName: "k")) var topK: Int?
    @Option(help: ArgumentHelp("Keep the likeliest tokens that make up this probability.", valueName: "p")) var topP: Float?
    @Option(help: ArgumentHelp("Keep tokens at least this probable relative to the likeliest.", valueName: "p")) var minP: Float?
    @Option(help: ArgumentHelp("Locally typical sampling; 1 is off.", valueName: "p")) var typicalP: Float?
    @Option(help: ArgumentHelp("Keep scores within this many deviations of the highest; 0 is off.", valueName: "n"))
    var topNSigma: Float?
    @Option(help: ArgumentHelp("Temperature varies by this much with the distribution's entropy.", valueName: "r"))
    var dynamicTemperatureRange: Float?
    @Option(help: ArgumentHelp("Exponent of the dynamic temperature.", valueName: "e")) var dynamicTemperatureExponent: Float?
    @Option(help: ArgumentHelp("XTC: probability of leaving out the top choices.", valueName: "p")) var xtcProbability: Float?
    @Option(help: ArgumentHelp("XTC: what counts as a top choice.", valueName: "p")) var xtcThreshold: Float?
    @Option(help: ArgumentHelp("Mirostat: 1, 2, or 0 for off.", valueName: "v")) var mirostat: Int?
    @Option(help: ArgumentHelp("Mirostat: surprise to hold, in bits.", valueName: "tau")) var mirostatTau: Float?
    @Option(help: ArgumentHelp("Mirostat: learning rate.", valueName: "eta")) var mirostatEta: Float?
    @Option(help: ArgumentHelp("Adaptive-p: probability to aim at.", valueName: "p")) var adaptiveTarget: Float?
    @Option(help: ArgumentHelp("Adaptive-p: how slowly it adapts.", valueName: "d")) var adaptiveDecay: Float?
    @Option(help: ArgumentHelp("Divide scores of tokens already there; 1 is off.", valueName: "r")) var repetitionPenalty: Float?
    @Option(help: ArgumentHelp("Subtract once from scores of tokens already there.", valueName: "r")) var presencePenalty: Float?
    @Option(help: ArgumentHelp("Subtract from scores for each time a token is there.", valueName: "r")) var frequencyPenalty: Float?
    @Option(help: ArgumentHelp("How many last tokens the penalties look at.", valueName: "n")) var penaltyLastN: Int?
    @Option(help: ArgumentHelp("DRY: strength against repeated sequences; 0 is off.", valueName: "m")) var dryMultiplier: Float?
    @Option(help: ArgumentHelp("DRY: growth with the length of the repetition.", valueName: "b")) var dryBase: Float?
    @Option(help: ArgumentHelp("DRY: repetitions up to this length are free.", valueName: "n")) var dryAllowedLength: Int?
    @Option(help: ArgumentHelp("DRY: how far back to look.", valueName: "n")) var dryPenaltyLastN: Int?
    @Option(help: ArgumentHelp("DRY: text that ends a repetition; may be given several times.", valueName: "text"))
    var drySequenceBreaker: [String] = []
    @Option(help: ArgumentHelp("Never repeat a sequence of this many tokens; 0 is off.", valueName: "n")) var noRepeatNgram: Int?
    @Option(help: ArgumentHelp("Add to a token's score: ID=VALUE, or ID=false to ban it; may be given several times.", valueName: "id=v"))
    var logitBias: [String] = []
    @Option(help: ArgumentHelp("A text that must not appear; may be given several times.", valueName: "text")) var badWords: [String] = []
    @Option(help: ArgumentHelp("Do not end before this many tokens.", valueName: "n")) var minTokens: Int?
    @Option(help: ArgumentHelp("End where this text appears; may be given several times.", valueName: "text")) var stop: [String] = []
    @Option(help: ArgumentHelp("End at this token id; may be given several times.", valueName: "id")) var stopToken: [Int32] = []
    @Flag(help: "Go on past the model's end token.") var ignoreEos = false
    @Option(help: ArgumentHelp("The most tokens inside a block of thought.", valueName: "n")) var thinkingBudget: Int?
    @Option(help: ArgumentHelp("Texts that open and close a block of thought.", valueName: "open,close"))
    var thinkingTags = "<think>,</think>"
    @Option(help: ArgumentHelp(
        "Order of the stages: a comma-separated list of \(SamplingStageName.allCases.map(\.rawValue).joined(separator: ", ")).",
        valueName: "names"))
    var samplers: String?

    func validate() throws {
        if let maxTokens, maxTokens < 0 { throw ValidationError("--max-tokens is \(maxTokens); it must be 0 or more.") }
        if let samplers {
            for name in samplers.split(separator: ",") {
                do { _ = try SamplingStageName(name: String(name)) } catch { throw ValidationError("--samplers: \(error).") }
            }
        }
    }

    /// The options for a model; words become tokens by its tokenizer.
    func options(for model: LanguageModel) throws -> GenerationOptions {
        var sampling = SamplingParameters()
        let recommended = model.recommended
        sampling.temperature = temperature ?? recommended.temperature.map { Float($0) } ?? 0.8
        sampling.topK = topK ?? recommended.topK ?? sampling.topK
        sampling.topP = topP ?? recommended.topP.map { Float($0) } ?? sampling.topP
        sampling.minP = minP ?? recommended.minP.map { Float($0) } ?? sampling.minP
        sampling.repetitionPenalty =
            repetitionPenalty ?? recommended.repetitionPenalty.map { Float($0) } ?? sampling.repetitionPenalty
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
        sampling.drySequenceBreakers = drySequenceBreaker.map { model.tokenizer.encode($0) }.filter { !$0.isEmpty }
        // A word stands at the start of a text and after a space, which are different tokens.
        sampling.badWords = badWords.flatMap { [model.tokenizer.encode($0), model.tokenizer.encode(" " + $0)] }
            .filter { !$0.isEmpty }
        sampling.stopTokens = stopToken
        sampling.ignoresEndOfGeneration = ignoreEos
        for entry in logitBias {
            let parts = entry.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, let id = Int32(parts[0]), let bias = parts[1] == "false" ? -.infinity : Float(parts[1])
            else { throw ValidationError("--logit-bias '\(entry)' is not ID=VALUE; write 42=-1.5 or 42=false.") }
            sampling.logitBias[id] = bias
        }
        if let samplers {
            sampling.order = try samplers.split(separator: ",").map { try SamplingStageName(name: String($0)) }
        }
        if let thinkingBudget {
            let tags = thinkingTags.split(separator: ",").map { model.tokenizer.encode(String($0), special: true) }
            guard tags.count == 2 else { throw ValidationError("--thinking-tags needs two texts with a comma between.") }
            sampling.thinkingBudget = ThinkingBudget(opening: tags[0], closing: tags[1], tokens: thinkingBudget)
        }
        return GenerationOptions(maximumTokens: maxTokens, sampling: sampling, seed: seed.value, stop: stop)
    }

    private func set<Value>(_ field: inout Value, _ value: Value?) { if let value { field = value } }
}
