/// Why a server cannot begin, in one sentence.
public struct ServerError: Error, Sendable, Equatable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }
}
