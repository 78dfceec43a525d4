/// Why a model cannot be compressed: one sentence that says what is wrong and what to do.
public struct CompressionError: Error, Sendable, Equatable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }
}
