/// One step from the model's scores to a choice: it bans, weighs or removes candidates, given what came before.
///
/// A stage is a pure function of the candidates and the context. What a method remembers of its own choices stands in
/// `SamplerState`, which advances only with a token that is committed.
package protocol SamplingStage: Sendable {
    /// Whether, on every row and history, the token that greedy decoding would choose before the stage (highest score,
    /// lowest id among equals) is still a candidate with the highest score after it. Greedy decoding leaves such stages
    /// out where nothing follows them.
    var preservesArgmax: Bool { get }

    func apply(to candidates: inout Candidates, in context: StageContext)

    /// Moves the state past a token that this stage had a part in choosing: the candidate at `index`, drawn with
    /// `probability` from what the last stage left.
    func advance(_ state: inout SamplerState, index: Int, probability: Double, candidates: Candidates)
}

extension SamplingStage {
    package func advance(_ state: inout SamplerState, index: Int, probability: Double, candidates: Candidates) {}
}

/// What a stage may look at beside the candidates.
package struct StageContext {
    package let history: TokenHistory
    /// The absolute position of the token to choose.
    package let position: Int
    package let noise: AddressedNoise
    package let state: SamplerState

    package init(history: TokenHistory, position: Int, noise: AddressedNoise, state: SamplerState) {
        self.history = history
        self.position = position
        self.noise = noise
        self.state = state
    }
}

/// What sampling methods remember of the tokens chosen along one sequence. A value: a fork copies it, a rejected draft
/// leaves it behind, a preempted sequence keeps it.
public struct SamplerState: Sendable, Equatable {
    /// Mirostat's bound on the surprise of a token, in bits.
    package var mirostatMu: Double
    /// Adaptive-p's decayed sum of the probabilities of chosen tokens, and the decayed count of them.
    package var adaptiveSum: Double
    package var adaptiveWeight: Double

    /// Before the first choice: mirostat at twice its target, adaptive-p as if its target had always been met.
    init(_ parameters: SamplingParameters) {
        mirostatMu = 2 * Double(parameters.mirostatTau)
        adaptiveWeight = 1 / (1 - Double(parameters.adaptiveDecay))
        adaptiveSum = Double(parameters.adaptiveTarget ?? 0) * adaptiveWeight
    }
}

/// Makes a stage, or nil if the parameters leave it neutral.
package typealias StageMaker = @Sendable (SamplingParameters, SamplingVocabulary) -> (any SamplingStage)?

package enum SamplingStages {
    /// What shapes the distribution, in the request's order. A further stage is its file and its line here.
    package static let shaping: [(name: SamplingStageName, make: StageMaker)] = [
        (.penalties, Penalties.init(parameters:vocabulary:)),
        (.dry, DRY.init(parameters:vocabulary:)),
        (.topNSigma, TopNSigma.init(parameters:vocabulary:)),
        (.topK, TopK.init(parameters:vocabulary:)),
        (.typicalP, TypicalP.init(parameters:vocabulary:)),
        (.topP, TopP.init(parameters:vocabulary:)),
        (.minP, MinP.init(parameters:vocabulary:)),
        (.xtc, XTC.init(parameters:vocabulary:)),
        (.temperature, makeTemperature),
        (.mirostat, makeMirostat),
        (.adaptiveP, AdaptiveP.init(parameters:vocabulary:)),
    ]

    /// What only bans, biases or forces tokens; runs first, in this order.
    package static let constraints: [StageMaker] = [
        LogitBias.init(parameters:vocabulary:),
        BadWords.init(parameters:vocabulary:),
        NoRepeatNGram.init(parameters:vocabulary:),
        MinTokens.init(parameters:vocabulary:),
        IgnoreEndOfGeneration.init(parameters:vocabulary:),
        ThinkingLimit.init(parameters:vocabulary:),
    ]
}
