/// Why a model file could not be read: what is wrong, where, and what to do about it.
public struct CheckpointError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The file at fault, as the user named it or as an index named it.
    public let file: String
    /// The tensor at fault, where there is one.
    public let tensor: String?
    /// The header field, metadata key or JSON key at fault, where there is one.
    public let field: String?
    /// What is wrong, with the numbers found and allowed, and the way out where there is one.
    public let reason: String

    public init(file: String, tensor: String? = nil, field: String? = nil, reason: String) {
        self.file = file
        self.tensor = tensor
        self.field = field
        self.reason = reason
    }

    public var description: String {
        var place = file
        if let tensor { place += ", tensor \(tensor)" }
        if let field { place += ", \(field)" }
        return "\(place): \(reason)"
    }
}
