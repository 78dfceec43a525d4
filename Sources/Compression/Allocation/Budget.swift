internal import Foundation

/// What `--budget` asks for.
public enum Budget: Sendable, Equatable {
    /// The tensors' bytes as a part of what they are now, above 0.
    case part(Double)
    /// The tensors' bytes.
    case bytes(Int)
    /// Bits of all tensors for each of the model's parameters.
    case bitsPerWeight(Double)
    /// Seconds that the products of a step with one row take.
    case seconds(Double)

    /// Reads `60%`, `900MB`, `1.5GiB`, `123456B`, `4.25bpw` or `12ms`.
    ///
    /// - Throws: ``AllocationError/unreadableBudget(_:)``
    public init(parsing text: String) throws(AllocationError) {
        let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let unit = text.dropFirst(number.count).trimmingCharacters(in: .whitespaces).lowercased()
        guard let value = Double(number), value > 0, value.isFinite else { throw .unreadableBudget(text) }
        let sizes: [String: Double] = [
            "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "kib": 1024, "mib": 1_048_576, "gib": 1_073_741_824,
            "k": 1e3, "m": 1e6, "g": 1e9,
        ]
        switch unit {
        case "%": self = .part(value / 100)
        case "bpw": self = .bitsPerWeight(value)
        case "ms": self = .seconds(value / 1e3)
        case "us", "µs": self = .seconds(value / 1e6)
        default:
            guard let size = sizes[unit], value * size < 1e18 else { throw .unreadableBudget(text) }
            self = .bytes(Int(value * size))
        }
    }

    /// The most bytes that the tensors may take, or nil for a budget of time.
    ///
    /// - Parameters:
    ///   - bytes: of all tensors now.
    ///   - parameters: of the model.
    public func maximumBytes(bytes: Int, parameters: Int) -> Int? {
        switch self {
        case .part(let part): Int(part * Double(bytes))
        case .bytes(let most): most
        case .bitsPerWeight(let bits): Int(bits * Double(parameters) / 8)
        case .seconds: nil
        }
    }

    /// The most seconds of a step's products, or nil for a budget of bytes.
    public var maximumSeconds: Double? { if case .seconds(let seconds) = self { seconds } else { nil } }
}
