/// Why a token could not be chosen, or why a request's sampling parameters were refused.
public enum SamplingError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A parameter lies outside its range.
    case parameter(field: String, value: String, allowed: String)
    /// Two parameters that cannot both be in force, and what to do about it.
    case conflict(String)
    /// The row of scores for a position holds a NaN.
    case notANumber(position: Int)
    /// The row of scores for a position holds +infinity or a magnitude above 1e30.
    case overflow(position: Int, token: Int32, score: Float)
    /// No token has a score above -infinity at a position.
    case noCandidate(position: Int)

    public var description: String {
        switch self {
        case .parameter(let field, let value, let allowed):
            "\(field) is \(value), but must be \(allowed)."
        case .conflict(let sentence):
            sentence
        case .notANumber(let position):
            "The model produced NaN at position \(position), so no token can be chosen: "
                + "check the model file and its number format."
        case .overflow(let position, let token, let score):
            "The model produced the score \(score) for token \(token) at position \(position), beyond the limit of "
                + "1e30: check the model file and its number format."
        case .noCandidate(let position):
            "No token may follow at position \(position), since each one is banned: "
                + "loosen the bans, the bad words or the grammar of the request."
        }
    }
}
