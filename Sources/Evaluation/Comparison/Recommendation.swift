internal import Foundation

/// Which of the compared models to take for which use.
///
/// A use asks for a distance from the base that is not exceeded, by the upper end of the interval at 95 % of the mean KL divergence; of the
/// models that keep it the one with the fewest bytes serves it, of equally large ones the nearer.
public struct Recommendation: Sendable, Equatable {
    /// What a model is for.
    public enum Use: String, Sendable, CaseIterable {
        /// Where answers must stay the base's: 0.01 nats.
        case faithful
        /// Everyday work: 0.05 nats.
        case everyday
        /// Where memory is short: 0.3 nats.
        case small

        /// The most divergence from the base, in nats.
        public var limit: Double {
            switch self {
            case .faithful: 0.01
            case .everyday: 0.05
            case .small: 0.3
            }
        }

        fileprivate var phrase: String {
            switch self {
            case .faithful: "where answers must stay the base's"
            case .everyday: "for everyday use"
            case .small: "where memory is short"
            }
        }
    }

    /// The index of the model for each use that one of them serves.
    public let choices: [Use: Int]
    /// The same in one sentence.
    public let sentence: String

    /// - Parameters:
    ///   - base: the index of the base among the models.
    ///   - models: all of them, the base too.
    public init(_ models: [ComparedFigures], base: Int = 0) {
        let others = models.indices.filter { $0 != base }
        var choices: [Use: Int] = [:]
        for use in Use.allCases {
            choices[use] =
                others.filter { models[$0].bytes < models[base].bytes && Self.bound(models[$0]) <= use.limit }
                .min { (models[$0].bytes, models[$0].kl) < (models[$1].bytes, models[$1].kl) }
        }
        self.choices = choices
        sentence = Self.sentence(models, base, others, choices)
    }

    private static func bound(_ model: ComparedFigures) -> Double {
        guard let kl = model.divergence?.kl else { return 0 }
        return kl.interval.upperBound
    }

    private static func sentence(
        _ models: [ComparedFigures], _ base: Int, _ others: [Int], _ choices: [Use: Int]
    ) -> String {
        // Uses of one model stand together, models in the order of their first use.
        var named: [Int] = []
        for use in Use.allCases {
            if let model = choices[use], !named.contains(model) { named.append(model) }
        }
        var parts = named.map { model in
            let uses = Use.allCases.filter { choices[$0] == model }.map(\.phrase)
            return "\(models[model].label) \(list(uses)) (\(figures(models[model], models[base])))"
        }
        if choices[.faithful] == nil {
            parts.insert("\(models[base].label) itself \(Use.faithful.phrase)", at: 0)
        }
        var sentence = "Take " + list(parts)
        if let fastest = fastest(models, base, others), !named.contains(fastest) {
            sentence += String(
                format: "; %@ answers fastest (%.0f tokens a second, KL %@)", models[fastest].label,
                models[fastest].decode ?? 0, number(models[fastest].kl))
        }
        let tooFar = others.filter { bound(models[$0]) > Use.small.limit }
        if !tooFar.isEmpty {
            sentence +=
                "; " + list(tooFar.map { "\(models[$0].label) (KL \(number(models[$0].kl)))" }, atMost: 6)
                + (tooFar.count == 1 ? " is" : " are") + " too far from the base for any of this"
        }
        let front = ComparedFigures.front(models)
        let beaten = others.filter { !front[$0] && !tooFar.contains($0) && !named.contains($0) }
        if !beaten.isEmpty {
            sentence +=
                "; " + list(beaten.map { models[$0].label }, atMost: 6)
                + (beaten.count == 1 ? " is no smaller than a nearer one" : " are no smaller than nearer ones")
        }
        return sentence + "."
    }

    /// The model that answers fastest among those for everyday use, where that is worth a word: a tenth above the others chosen.
    private static func fastest(_ models: [ComparedFigures], _ base: Int, _ others: [Int]) -> Int? {
        let candidates = others.filter { models[$0].decode != nil && bound(models[$0]) <= Use.everyday.limit }
        guard let best = candidates.max(by: { models[$0].decode! < models[$1].decode! }) else { return nil }
        let rest = ([base] + candidates).filter { $0 != best }.compactMap { models[$0].decode }.max() ?? 0
        return models[best].decode! > 1.1 * rest ? best : nil
    }

    private static func figures(_ model: ComparedFigures, _ base: ComparedFigures) -> String {
        guard let divergence = model.divergence else { return "" }
        var text = String(
            format: "KL %@, the same likeliest token at %.1f %%, %.0f %% of the base's bytes", number(divergence.kl.value),
            100 * divergence.top1.value, 100 * Double(model.bytes) / Double(max(base.bytes, 1)))
        if let decode = model.decode, let own = base.decode, own > 0 {
            text += String(format: ", %.1f times its speed", decode / own)
        }
        return text
    }

    /// Three significant digits.
    static func number(_ value: Double) -> String {
        value >= 0.001 || value <= 0 ? String(format: "%.3g", value) : String(format: "%.1e", value)
    }

    /// `a, b, and c`; of more than `most` those that fit, and how many there are besides.
    private static func list(_ parts: [String], atMost most: Int = .max) -> String {
        let shown = parts.count > most ? parts.prefix(most - 1) + ["\(parts.count - most + 1) others"] : parts
        guard shown.count > 1 else { return shown.joined() }
        return shown.dropLast().joined(separator: ", ") + (shown.count > 2 ? ", and " : " and ") + shown.last!
    }
}
