package import Apus
package import Inference

/// How answers are made, under the names that `/set` and saved conversations use.
package struct ChatSettings: Sendable {
    package private(set) var options: GenerationOptions
    private let vocabulary: SamplingVocabulary

    /// - Throws: ``SamplingError`` where the options do not suit the vocabulary.
    package init(_ options: GenerationOptions, vocabulary: SamplingVocabulary) throws(SamplingError) {
        try options.sampling.validate(vocabulary: vocabulary)
        self.options = options
        self.vocabulary = vocabulary
    }

    /// The value of one setting as a user writes it, and as JSON.
    package struct Listing: Sendable, Equatable {
        package let name: String
        package let value: String
        package let json: String
    }

    /// Names of all settings, in the order of ``listings``.
    package static var names: [String] { settingFields.map(\.name) }

    package var listings: [Listing] {
        settingFields.map { field in
            let value = field.kind.text(of: options)
            return Listing(name: field.name, value: value ?? "off", json: field.kind.json(value))
        }
    }

    /// Changes one setting. After an error nothing has changed.
    package mutating func set(_ name: String, to value: String) throws(ChatError) {
        try set([(name, value)])
    }

    /// Changes several settings together, or none: the values are judged when all are in place.
    package mutating func set(_ changes: [(name: String, value: String)]) throws(ChatError) {
        var changed = options
        for (name, value) in changes {
            guard let field = settingFields.first(where: { $0.name == name }) else {
                let near = nearestNames(to: name, among: Self.names)
                let hint = near.isEmpty ? "/set lists them." : "did you mean \(near.joined(separator: " or "))?"
                throw ChatError("There is no setting '\(name)'; \(hint)")
            }
            try field.kind.set(&changed, value, name)
        }
        do throws(SamplingError) { try changed.sampling.validate(vocabulary: vocabulary) } catch {
            throw ChatError(error.description)
        }
        options = changed
    }
}

private typealias Path<Value> = WritableKeyPath<SamplingParameters, Value> & Sendable

private enum Kind: Sendable {
    case maximumTokens, seed, order
    case float(Path<Float>)
    case optionalFloat(Path<Float?>)
    case integer(Path<Int>)
    case optionalInteger(Path<Int?>)
    case flag(Path<Bool>)

    /// The value as text; nil where it is off.
    func text(of options: GenerationOptions) -> String? {
        switch self {
        case .maximumTokens: options.maximumTokens.map(String.init)
        case .seed: String(options.seed)
        case .order: options.sampling.order.map(\.rawValue).joined(separator: ",")
        case .float(let path): options.sampling[keyPath: path].description
        case .optionalFloat(let path): options.sampling[keyPath: path]?.description
        case .integer(let path): String(options.sampling[keyPath: path])
        case .optionalInteger(let path): options.sampling[keyPath: path].map(String.init)
        case .flag(let path): String(options.sampling[keyPath: path])
        }
    }

    /// JSON for a value that ``text(of:)`` gave.
    func json(_ value: String?) -> String {
        guard let value else { return "null" }
        switch self {
        case .order: return "\"\(value)\""
        // Many readers of JSON keep numbers as doubles, exact up to 2^53.
        case .seed: return UInt64(value)! > 1 << 53 ? "\"\(value)\"" : value
        default: return value
        }
    }

    func set(_ options: inout GenerationOptions, _ value: String, _ name: String) throws(ChatError) {
        func number<Value: LosslessStringConvertible>(_: Value.Type, _ what: String) throws(ChatError) -> Value {
            guard let number = Value(value) else { throw ChatError("\(name) takes \(what), not '\(value)'.") }
            return number
        }
        let isOff = value == "off"
        switch self {
        case .maximumTokens:
            let limit = isOff ? nil : try number(Int.self, "a whole number, or off")
            if let limit, limit < 0 { throw ChatError("max-tokens is \(limit), but must be at least 0.") }
            options.maximumTokens = limit
        case .seed:
            options.seed =
                value == "random"
                ? UInt64.random(in: 0...UInt64.max) : try number(UInt64.self, "a whole number from 0, or random")
        case .order:
            var order: [SamplingStageName] = []
            for part in value.split(whereSeparator: { $0 == "," || $0 == " " }) {
                do throws(SamplingError) { order.append(try SamplingStageName(name: String(part))) } catch {
                    throw ChatError(error.description)
                }
            }
            options.sampling.order = order
        case .float(let path): options.sampling[keyPath: path] = try number(Float.self, "a number")
        case .optionalFloat(let path):
            options.sampling[keyPath: path] = isOff ? nil : try number(Float.self, "a number, or off")
        case .integer(let path): options.sampling[keyPath: path] = try number(Int.self, "a whole number")
        case .optionalInteger(let path):
            options.sampling[keyPath: path] = isOff ? nil : try number(Int.self, "a whole number, or off")
        case .flag(let path):
            options.sampling[keyPath: path] =
                value == "on" ? true : isOff ? false : try number(Bool.self, "true or false")
        }
    }
}

/// Names are those of the command line's flags. Token lists (biases, bad words, breakers) and stop texts are given there
/// alone.
private let settingFields: [(name: String, kind: Kind)] = [
    ("temperature", .float(\.temperature)), ("seed", .seed), ("max-tokens", .maximumTokens),
    ("top-k", .integer(\.topK)), ("top-p", .float(\.topP)), ("min-p", .float(\.minP)),
    ("typical-p", .float(\.typicalP)),
    ("top-n-sigma", .float(\.topNSigma)), ("dynamic-temperature-range", .float(\.dynamicTemperatureRange)),
    ("dynamic-temperature-exponent", .float(\.dynamicTemperatureExponent)),
    ("xtc-probability", .float(\.xtcProbability)), ("xtc-threshold", .float(\.xtcThreshold)),
    ("mirostat", .integer(\.mirostat)), ("mirostat-tau", .float(\.mirostatTau)),
    ("mirostat-eta", .float(\.mirostatEta)),
    ("adaptive-target", .optionalFloat(\.adaptiveTarget)), ("adaptive-decay", .float(\.adaptiveDecay)),
    ("repetition-penalty", .float(\.repetitionPenalty)), ("presence-penalty", .float(\.presencePenalty)),
    ("frequency-penalty", .float(\.frequencyPenalty)), ("penalty-last-n", .optionalInteger(\.penaltyLastN)),
    ("dry-multiplier", .float(\.dryMultiplier)), ("dry-base", .float(\.dryBase)),
    ("dry-allowed-length", .integer(\.dryAllowedLength)), ("dry-penalty-last-n", .optionalInteger(\.dryPenaltyLastN)),
    ("no-repeat-ngram", .integer(\.noRepeatNGram)), ("min-tokens", .integer(\.minTokens)),
    ("ignore-eos", .flag(\.ignoresEndOfGeneration)), ("samplers", .order),
]
