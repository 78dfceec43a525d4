internal import Apus

/// What a comparison found out about one model.
public struct ComparedFigures: Sendable {
    /// A short name, different from the others'.
    public var label: String
    /// Bytes of all of its tensors.
    public var bytes: Int
    /// Distance from the base; nil for the base itself.
    public var divergence: Divergence?
    /// Tokens a second of one answer; nil where it was not measured.
    public var decode: Double?

    public init(label: String, bytes: Int, divergence: Divergence?, decode: Double? = nil) {
        self.label = label
        self.bytes = bytes
        self.divergence = divergence
        self.decode = decode
    }

    /// Mean KL divergence from the base, 0 for the base.
    public var kl: Double { divergence?.kl.value ?? 0 }

    /// Whether each model is on the Pareto front: no other has fewer bytes and no more divergence, or as many bytes and less.
    public static func front(_ models: [ComparedFigures]) -> [Bool] {
        models.map { model in
            !models.contains { other in
                (other.bytes < model.bytes && other.kl <= model.kl)
                    || (other.bytes <= model.bytes && other.kl < model.kl)
            }
        }
    }

    /// Short names for models: the last part of each path without its extension, or as many parts as it takes to tell them apart.
    public static func labels(_ names: [String]) -> [String] {
        func parts(_ name: String) -> [Substring] {
            var path = name[...]
            if path.hasSuffix(".gguf") { path = path.dropLast(5) }
            if path.hasPrefix(BuiltInModels.scheme) { path = path.dropFirst(BuiltInModels.scheme.count) }
            return path.split(separator: "/")
        }
        return names.map { name in
            let own = parts(name)
            for count in 1...max(1, own.count) {
                let tail = own.suffix(count)
                if names.count(where: { parts($0).suffix(count).elementsEqual(tail) }) == 1 {
                    return tail.joined(separator: "/")
                }
            }
            return name
        }
    }
}
