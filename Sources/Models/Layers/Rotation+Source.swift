internal import Checkpoints
internal import Tensors

extension ModelSource {
    /// The rotation that a header describes: base, width and scaling (none, linear, llama3, yarn, longrope).
    ///
    /// - Parameters:
    ///   - parameters: `rope_parameters` or `rope_scaling` of a config.json for this kind of layer, where it has one.
    ///   - defaultBase: where the header states none.
    func rotation(
        _ sizes: Hyperparameters, defaultBase: Double = 10_000, parameters: HuggingFaceConfig? = nil
    ) throws(CheckpointError) -> Rotation {
        isGGUF ? try ggufRotation(sizes, defaultBase) : try configRotation(sizes, defaultBase, parameters)
    }

    /// A rotation without scaling.
    func plainRotation(base: Double, width: Int) -> Rotation {
        rotation(variants: [Rotation.frequencies(base: base, width: width)])
    }

    private func rotation(variants: [[Float]], factor: Float = 1, originalContext: Int? = nil) -> Rotation {
        Rotation(
            variants: store(variants.flatMap { $0 }), half: variants[0].count, factor: factor,
            originalContext: originalContext)
    }

    // MARK: GGUF

    private func ggufRotation(_ sizes: Hyperparameters, _ defaultBase: Double) throws(CheckpointError) -> Rotation {
        let base = try double(gguf: "rope.freq_base", "") ?? defaultBase
        let width = try int(gguf: "rope.dimension_count", "") ?? sizes.headWidth
        guard width > 0, width <= sizes.headWidth, width % 2 == 0, base > 0 else {
            throw failure(gguf: "rope.dimension_count", "", "\(width) is not an even part of \(sizes.headWidth)")
        }
        var frequencies = Rotation.frequencies(base: base, width: width)
        let kind = try string(gguf: "rope.scaling.type")
        let original = try int(gguf: "rope.scaling.original_context_length", "")
        if let long = try optionalGlobalVector("rope_factors_long", width / 2) {
            let short = try globalVector("rope_factors_short", width / 2)
            let trained = original ?? sizes.context
            let scale = Double(sizes.context) / Double(trained)
            let stated = try double(gguf: "rope.scaling.attn_factor", "")
            return rotation(
                variants: [divide(frequencies, short), divide(frequencies, long)],
                factor: Float(stated ?? longFactor(scale, trained)), originalContext: trained)
        }
        if let factors = try optionalGlobalVector("rope_freqs", width / 2) {
            frequencies = divide(frequencies, factors)
        }
        let factor = Float(try double(gguf: "rope.scaling.factor", "") ?? 1)
        guard factor > 0 else { throw failure(gguf: "rope.scaling.factor", "", "\(factor) is not positive") }
        switch kind {
        case nil, "none": return rotation(variants: [frequencies])
        case "linear": return rotation(variants: [frequencies.map { $0 / factor }])
        case "yarn":
            let scaled = Rotation.yarn(
                base: base, width: width, factor: factor,
                fast: try double(gguf: "rope.scaling.yarn_beta_fast", "") ?? 32,
                slow: try double(gguf: "rope.scaling.yarn_beta_slow", "") ?? 1,
                originalContext: Double(original ?? sizes.context), truncate: true)
            let attention = try double(gguf: "rope.scaling.attn_factor", "")
            return rotation(variants: [scaled], factor: Float(attention ?? yarnFactor(Double(factor))))
        case "longrope":
            throw failure(gguf: "rope.scaling.type", "", "longrope needs the tensors rope_factors_long and _short")
        case .some(let other):
            throw failure(gguf: "rope.scaling.type", "", "'\(other)' is not one of none, linear, yarn, longrope")
        }
    }

    // MARK: config.json

    private func configRotation(
        _ sizes: Hyperparameters, _ defaultBase: Double, _ given: HuggingFaceConfig?
    ) throws(CheckpointError) -> Rotation {
        let config = try config
        var scaling = given
        if scaling == nil { scaling = try config.object(ifPresent: "rope_parameters") }
        if scaling == nil { scaling = try config.object(ifPresent: "rope_scaling") }
        // Recent configurations state these beside the scaling, earlier ones beside everything else.
        let (innerBase, outerBase) = (
            try scaling?.double(ifPresent: "rope_theta"), try config.double(ifPresent: "rope_theta")
        )
        let base = innerBase ?? outerBase ?? defaultBase
        let innerPart = try scaling?.double(ifPresent: "partial_rotary_factor")
        let outerPart = try config.double(ifPresent: "partial_rotary_factor")
        let partial = innerPart ?? outerPart ?? 1
        let width = Int(Double(sizes.headWidth) * partial)
        guard width > 0, width <= sizes.headWidth, width % 2 == 0, base > 0 else {
            throw failure(gguf: "", "partial_rotary_factor", "\(partial) does not rotate an even part of a head")
        }
        let frequencies = Rotation.frequencies(base: base, width: width)
        guard let scaling else { return rotation(variants: [frequencies]) }
        let (newKind, oldKind) = (try scaling.string(ifPresent: "rope_type"), try scaling.string(ifPresent: "type"))
        let kind = newKind ?? oldKind ?? "default"
        let innerOriginal = try scaling.int(ifPresent: "original_max_position_embeddings")
        let outerOriginal = try config.int(ifPresent: "original_max_position_embeddings")
        let original = innerOriginal ?? outerOriginal
        switch kind {
        case "default": return rotation(variants: [frequencies])
        case "linear":
            let factor = Float(try scaling.double("factor"))
            return rotation(variants: [frequencies.map { $0 / factor }])
        case "llama3":
            let scaled = Rotation.llama3(
                frequencies, factor: Float(try scaling.double("factor")),
                low: Float(try scaling.double("low_freq_factor")), high: Float(try scaling.double("high_freq_factor")),
                originalContext: Float(original ?? sizes.context))
            return rotation(variants: [scaled])
        case "yarn":
            let factor = try scaling.double("factor")
            let scaled = Rotation.yarn(
                base: base, width: width, factor: Float(factor), fast: try scaling.double(ifPresent: "beta_fast") ?? 32,
                slow: try scaling.double(ifPresent: "beta_slow") ?? 1,
                originalContext: Double(original ?? sizes.context),
                truncate: try scaling.bool(ifPresent: "truncate") ?? true)
            let stated = try scaling.double(ifPresent: "attention_factor")
            return rotation(variants: [scaled], factor: Float(stated ?? yarnFactor(factor)))
        case "longrope", "su":
            let trained = original ?? sizes.context
            let scale = try scaling.double(ifPresent: "factor") ?? Double(sizes.context) / Double(trained)
            let stated = try scaling.double(ifPresent: "attention_factor")
            return rotation(
                variants: [
                    divide(frequencies, try factors("short_factor", scaling, frequencies.count)),
                    divide(frequencies, try factors("long_factor", scaling, frequencies.count)),
                ],
                factor: Float(stated ?? longFactor(scale, trained)), originalContext: trained)
        default:
            throw scaling.failure(
                "rope_type", "'\(kind)' is not one of default, linear, llama3, yarn, longrope")
        }
    }

    private func factors(
        _ key: String, _ scaling: HuggingFaceConfig, _ count: Int
    ) throws(CheckpointError) -> [Float] {
        let values = try scaling.doubles(key)
        guard values.count == count, values.allSatisfy({ $0 > 0 }) else {
            throw scaling.failure(key, "\(values.count) factors; \(count) positive ones are needed")
        }
        return values.map { Float($0) }
    }

    private func divide(_ frequencies: [Float], _ factors: Vector) -> [Float] {
        zip(frequencies, factors.elements).map { $0 / $1 }
    }

    /// 1 / (factor × base^(2i/width)), in the order of operations of the reference implementation.
    private func divide(_ frequencies: [Float], _ factors: [Float]) -> [Float] {
        zip(frequencies, factors).map { 1 / ($1 * (1 / $0)) }
    }

    /// LongRoPE's factor on attention: √(1 + ln(scale) / ln(original context)).
    private func longFactor(_ scale: Double, _ original: Int) -> Double {
        scale <= 1 ? 1 : (1 + ScalarMath.log(scale) / ScalarMath.log(Double(original))).squareRoot()
    }

    /// YaRN's factor on attention, 0.1 ln(scale) + 1.
    private func yarnFactor(_ scale: Double) -> Double {
        scale <= 1 ? 1 : 0.1 * ScalarMath.log(scale) + 1
    }
}
