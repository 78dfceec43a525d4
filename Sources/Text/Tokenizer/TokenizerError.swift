/// Why a tokenizer could not be made from its description: which part is at fault, what is wrong with it, and what to
/// do about it.
public struct TokenizerError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The part at fault, as the description names it: `model.merges`, `pre_tokenizer`, `tokenizer.ggml.pre`.
    public let part: String
    /// What is wrong, with the names, numbers and limits found, and the way out where there is one.
    public let reason: String

    public init(part: String, reason: String) {
        self.part = part
        self.reason = reason
    }

    public var description: String { "\(part): \(reason)" }
}
