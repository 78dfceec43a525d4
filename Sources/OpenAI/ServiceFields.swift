public import Inference
internal import Text

/// The fields of a body that say how a request wants to be served.
public struct ServiceFields: Sendable, Equatable {
    /// From `service_tier`: `flex` is for whoever does not wait, the others for whoever does.
    public let priority: Priority
    /// From `user`: whose request it is.
    public let user: String?
    /// From `timeout`: seconds after which the answer ends with what there is.
    public let timeout: Double?
    /// From `cache_salt`: only requests with the same one share what the cache keeps of prompts.
    public let cacheSalt: String?

    /// The class of service as a response tells it.
    public var tier: String { priority == .interactive ? "default" : "flex" }

    init(_ fields: inout RequestFields) throws(APIError) {
        let tier = try fields.text("service_tier") ?? "auto"
        switch tier {
        case "auto", "default", "standard", "standard_only", "priority", "scale": priority = .interactive
        case "flex", "batch": priority = .batch
        default:
            throw .invalid("service_tier", "service_tier is '\(tier)'; it must be auto, default, priority or flex")
        }
        user = try fields.text("user")
        cacheSalt = try fields.text("cache_salt")
        if let seconds = try fields.number("timeout") {
            guard seconds > 0, seconds <= 86_400 else {
                throw .invalid("timeout", "timeout is \(seconds); it must be more than 0 and at most 86400 seconds")
            }
            timeout = Double(seconds)
        } else {
            timeout = nil
        }
    }
}
