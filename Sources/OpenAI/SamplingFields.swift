internal import Apus
internal import Inference
internal import Text

/// The fields of a body that say how tokens are chosen: those of the OpenAI API, and those that other servers have added
/// to it, under the names they use.
enum SamplingFields {
    /// Texts that end an answer, at most.
    static let stopLimit = 64

    /// Reads all of them.
    static func read(
        _ fields: inout RequestFields, _ model: ServedModel, _ defaults: RequestDefaults
    ) throws(APIError) -> SamplingParameters {
        var sampling = SamplingParameters()
        let recommended = model.recommended
        sampling.temperature =
            try fields.number("temperature") ?? defaults.temperature ?? recommended.temperature.map { Float($0) } ?? 1
        set(&sampling.topP, try fields.number("top_p") ?? recommended.topP.map { Float($0) })
        set(&sampling.minP, try fields.number("min_p") ?? recommended.minP.map { Float($0) })
        // Elsewhere -1 stands for off.
        set(&sampling.topK, try fields.integer("top_k").map { $0 == -1 ? 0 : $0 } ?? recommended.topK)
        let repetition = try fields.number("repetition_penalty")
        let repeated = try fields.number("repeat_penalty")
        if repetition != nil, repeated != nil, repetition != repeated {
            throw .invalid("repeat_penalty", "repeat_penalty and repetition_penalty name one thing; give one of them")
        }
        set(&sampling.repetitionPenalty, repetition ?? repeated ?? recommended.repetitionPenalty.map { Float($0) })
        set(&sampling.presencePenalty, try fields.number("presence_penalty"))
        set(&sampling.frequencyPenalty, try fields.number("frequency_penalty"))
        sampling.penaltyLastN = try fields.integer("repeat_last_n").flatMap { $0 == -1 ? nil : $0 }
        set(&sampling.typicalP, try fields.number("typical_p"))
        set(&sampling.topNSigma, try fields.number("top_n_sigma"))
        set(&sampling.dynamicTemperatureRange, try fields.number("dynatemp_range"))
        set(&sampling.dynamicTemperatureExponent, try fields.number("dynatemp_exponent"))
        set(&sampling.xtcProbability, try fields.number("xtc_probability"))
        set(&sampling.xtcThreshold, try fields.number("xtc_threshold"))
        set(&sampling.mirostat, try fields.integer("mirostat"))
        set(&sampling.mirostatTau, try fields.number("mirostat_tau"))
        set(&sampling.mirostatEta, try fields.number("mirostat_eta"))
        sampling.adaptiveTarget = try fields.number("adaptive_target")
        set(&sampling.adaptiveDecay, try fields.number("adaptive_decay"))
        set(&sampling.dryMultiplier, try fields.number("dry_multiplier"))
        set(&sampling.dryBase, try fields.number("dry_base"))
        set(&sampling.dryAllowedLength, try fields.integer("dry_allowed_length"))
        sampling.dryPenaltyLastN = try fields.integer("dry_penalty_last_n").flatMap { $0 == -1 ? nil : $0 }
        sampling.drySequenceBreakers =
            (try fields.texts("dry_sequence_breakers", atMost: stopLimit) ?? []).map { model.tokenizer.encode($0) }
            .filter { !$0.isEmpty }
        set(&sampling.noRepeatNGram, try fields.integer("no_repeat_ngram_size"))
        set(&sampling.minTokens, try fields.integer("min_tokens"))
        sampling.stopTokens = try fields.tokens("stop_token_ids") ?? []
        sampling.ignoresEndOfGeneration = try fields.flag("ignore_eos") ?? false
        // A word stands at the start of a text and after a space, which are different tokens.
        sampling.badWords = (try fields.texts("bad_words", atMost: stopLimit) ?? [])
            .flatMap { [model.tokenizer.encode($0), model.tokenizer.encode(" " + $0)] }.filter { !$0.isEmpty }
        sampling.logitBias = try logitBias(&fields)
        try readOrder(&fields, &sampling)
        return sampling
    }

    private static func logitBias(_ fields: inout RequestFields) throws(APIError) -> [Int32: Float] {
        guard let value = fields.value("logit_bias") else { return [:] }
        guard let members = value.objectValue else {
            throw .invalid("logit_bias", "logit_bias must be an object of token ids and numbers")
        }
        var biases: [Int32: Float] = [:]
        for member in members {
            guard let id = Int32(member.key) else {
                throw .invalid("logit_bias", "logit_bias names '\(member.key)', which is no token id")
            }
            if member.value.boolValue == false {
                biases[id] = -.infinity
            } else if let number = member.value.doubleValue, number.magnitude <= 1e6 {
                biases[id] = Float(number)
            } else {
                throw .invalid(
                    "logit_bias", "logit_bias of token \(id) must be a number from -1000000 to 1000000, or false to ban it")
            }
        }
        return biases
    }

    private static func readOrder(
        _ fields: inout RequestFields, _ sampling: inout SamplingParameters
    ) throws(APIError) {
        guard let names = try fields.texts("samplers", atMost: SamplingStageName.allCases.count) else { return }
        sampling.order = []
        for name in names {
            do throws(SamplingError) { sampling.order.append(try SamplingStageName(name: name)) } catch {
                throw APIError(.sampling(error))
            }
        }
    }

    private static func set<Value>(_ field: inout Value, _ value: Value?) { if let value { field = value } }

    /// A sampling parameter's name in a body.
    static func apiName(_ field: String) -> String {
        let parts = field.split(separator: " ", maxSplits: 1)
        let name = String(parts[0])
        let names = [
            "dynamicTemperatureRange": "dynatemp_range", "dynamicTemperatureExponent": "dynatemp_exponent",
            "penaltyLastN": "repeat_last_n", "noRepeatNGram": "no_repeat_ngram_size", "stopTokens": "stop_token_ids",
            "ignoresEndOfGeneration": "ignore_eos", "order": "samplers", "logprobs": "top_logprobs",
        ]
        let snake = name.reduce(into: "") { text, letter in
            text += letter.isUppercase ? "_\(letter.lowercased())" : "\(letter)"
        }
        return (names[name] ?? snake) + (parts.count > 1 ? " \(parts[1])" : "")
    }
}
