/// A benchmark that cannot run, in one sentence.
public enum BenchmarkError: Error, Sendable, Equatable, CustomStringConvertible {
    case noMemory(bytes: Int, purpose: String)

    public var description: String {
        switch self {
        case .noMemory(let bytes, let purpose):
            "\(purpose) needs \(bytes / 1_000_000) MB that the system does not give; free some memory and try again"
        }
    }
}
