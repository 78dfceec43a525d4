extension SamplingParameters {
    /// Refuses a parameter outside its range, a token id outside the vocabulary, and combinations that contradict each
    /// other. The error's description is one sentence that names the field, its value and what is allowed.
    public func validate(vocabulary: SamplingVocabulary) throws(SamplingError) {
        try validateShape()
        try validateRepetition()
        try validateConstraints(vocabulary)
        try validateOrder()
        if let logprobs {
            try require("logprobs", logprobs, 0...vocabulary.size)
        }
    }

    private func validateShape() throws(SamplingError) {
        if temperature != 0 {
            try require(
                "temperature", temperature, temperature >= 1e-6 && temperature <= 1e6, "0, or from 0.000001 to 1000000")
        }
        try require("dynamicTemperatureRange", dynamicTemperatureRange, 0...1e6)
        try require("dynamicTemperatureExponent", dynamicTemperatureExponent, 0...100)
        try require("topK", topK, topK >= 0, "at least 0 (0 is off)")
        try require("topP", topP, topP > 0 && topP <= 1, "above 0 and at most 1 (1 is off)")
        try require("minP", minP, 0...1)
        try require("typicalP", typicalP, typicalP > 0 && typicalP <= 1, "above 0 and at most 1 (1 is off)")
        try require("topNSigma", topNSigma, 0...1000)
        try require("xtcProbability", xtcProbability, 0...1)
        try require("xtcThreshold", xtcThreshold, 0...1)
        try require("mirostat", mirostat, 0...2)
        try require("mirostatTau", mirostatTau, mirostatTau > 0 && mirostatTau <= 100, "above 0 and at most 100")
        try require("mirostatEta", mirostatEta, mirostatEta > 0 && mirostatEta <= 1, "above 0 and at most 1")
        if let adaptiveTarget { try require("adaptiveTarget", adaptiveTarget, 0...1) }
        try require("adaptiveDecay", adaptiveDecay, 0...0.99)
        if mirostat != 0 && adaptiveTarget != nil {
            throw .conflict("mirostat and adaptiveTarget both steer the probability of tokens: set only one of them.")
        }
        if isGreedy && (mirostat != 0 || adaptiveTarget != nil) {
            throw .conflict(
                "\(mirostat != 0 ? "mirostat" : "adaptiveTarget") has no effect at temperature 0: "
                    + "raise the temperature or leave it off.")
        }
    }

    private func validateRepetition() throws(SamplingError) {
        try require("repetitionPenalty", repetitionPenalty, 0.01...100)
        try require("presencePenalty", presencePenalty, -10000...10000)
        try require("frequencyPenalty", frequencyPenalty, -10000...10000)
        if let penaltyLastN { try require("penaltyLastN", penaltyLastN, penaltyLastN >= 0, "at least 0") }
        try require("dryMultiplier", dryMultiplier, 0...10000)
        try require("dryBase", dryBase, 1...100)
        try require("dryAllowedLength", dryAllowedLength, dryAllowedLength >= 1, "at least 1")
        if let dryPenaltyLastN { try require("dryPenaltyLastN", dryPenaltyLastN, dryPenaltyLastN >= 0, "at least 0") }
        try require("noRepeatNGram", noRepeatNGram, noRepeatNGram >= 0, "at least 0 (0 is off)")
    }

    private func validateConstraints(_ vocabulary: SamplingVocabulary) throws(SamplingError) {
        for (id, bias) in logitBias.sorted(by: { $0.key < $1.key }) {
            try require("logitBias", tokens: CollectionOfOne(id), vocabulary)
            try require(
                "logitBias of token \(id)", bias, abs(bias) <= 1e6 || bias == -.infinity,
                "from -1000000 to 1000000, or -infinity")
        }
        try require("badWords", sequences: badWords, vocabulary)
        try require("drySequenceBreakers", sequences: drySequenceBreakers, vocabulary)
        try require("minTokens", minTokens, minTokens >= 0, "at least 0")
        try require("stopTokens", tokens: stopTokens, vocabulary)
        if let budget = thinkingBudget {
            try require("thinkingBudget.tokens", budget.tokens, budget.tokens >= 0, "at least 0")
            try require("thinkingBudget.opening", sequences: [budget.opening], vocabulary)
            try require("thinkingBudget.closing", sequences: [budget.closing], vocabulary)
            if budget.opening == budget.closing {
                throw .conflict(
                    "thinkingBudget opens and closes with the same tokens: give it two different sequences.")
            }
        }
    }

    private func validateOrder() throws(SamplingError) {
        for (place, stage) in order.enumerated() {
            if order[..<place].contains(stage) {
                throw .parameter(
                    field: "order", value: "a list with \(stage.rawValue) twice", allowed: "free of repeats")
            }
            let steers = stage == .mirostat || stage == .adaptiveP
            if steers, order[place...].contains(where: { $0 != .mirostat && $0 != .adaptiveP }) {
                throw .parameter(
                    field: "order", value: "a list with a stage after \(stage.rawValue)",
                    allowed: "a list that ends with mirostat or adaptive_p if it has them")
            }
        }
        let inForce: [(SamplingStageName, String, Bool)] = [
            (.penalties, "repetitionPenalty, presencePenalty or frequencyPenalty", hasPenalties),
            (.dry, "dryMultiplier", dryMultiplier != 0),
            (.topNSigma, "topNSigma", topNSigma != 0),
            (.topK, "topK", topK != 0),
            (.typicalP, "typicalP", typicalP != 1),
            (.topP, "topP", topP != 1),
            (.minP, "minP", minP != 0),
            (.xtc, "xtcProbability", xtcProbability != 0),
            (.temperature, "temperature", temperature != 1 || dynamicTemperatureRange != 0),
            (.mirostat, "mirostat", mirostat != 0),
            (.adaptiveP, "adaptiveTarget", adaptiveTarget != nil),
        ]
        for (stage, field, isSet) in inForce where isSet && !order.contains(stage) {
            throw .conflict(
                "\(field) is set, but the order has no \(stage.rawValue): add it or leave the parameter off.")
        }
    }

    /// Whether the choice is the highest score rather than a draw.
    package var isGreedy: Bool { temperature == 0 && dynamicTemperatureRange == 0 }

    package var hasPenalties: Bool { repetitionPenalty != 1 || presencePenalty != 0 || frequencyPenalty != 0 }
}

private func require(_ field: String, _ value: Float, _ allowed: ClosedRange<Float>) throws(SamplingError) {
    try require(field, value, value >= allowed.lowerBound && value <= allowed.upperBound, describe(allowed))
}

private func require(_ field: String, _ value: Int, _ allowed: ClosedRange<Int>) throws(SamplingError) {
    try require(field, value, allowed.contains(value), describe(allowed))
}

private func describe<Bound>(_ range: ClosedRange<Bound>) -> String {
    "from \(range.lowerBound) to \(range.upperBound)"
}

private func require(
    _ field: String, _ value: some CustomStringConvertible, _ holds: Bool, _ allowed: String
) throws(SamplingError) {
    if !holds { throw .parameter(field: field, value: value.description, allowed: allowed) }
}

private func require(
    _ field: String, tokens: some Collection<Int32>, _ vocabulary: SamplingVocabulary
) throws(SamplingError) {
    for id in tokens where id < 0 || Int(id) >= vocabulary.size {
        throw .parameter(
            field: field, value: "token \(id)", allowed: "token ids from 0 to \(vocabulary.size - 1)")
    }
}

private func require(
    _ field: String, sequences: [[Int32]], _ vocabulary: SamplingVocabulary
) throws(SamplingError) {
    for sequence in sequences {
        try require(field, "an empty token sequence", !sequence.isEmpty, "at least one token long")
        try require(field, tokens: sequence, vocabulary)
    }
}
