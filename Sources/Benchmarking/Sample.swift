/// Repeated measurements of one thing: the median says what to expect, the extremes how far to trust it.
public struct Sample: Sendable, Equatable {
    /// In the order in which they were taken, at least one.
    public let values: [Double]

    /// - Parameter values: at least one.
    public init(_ values: [Double]) {
        precondition(!values.isEmpty)
        self.values = values
    }

    /// The middle one, or the mean of the middle two.
    public var median: Double {
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
    public var lowest: Double { values.min()! }
    public var highest: Double { values.max()! }

    /// (highest − lowest) / median, 0 where the median is 0.
    public var spread: Double { median == 0 ? 0 : (highest - lowest) / median }

    /// Each value times a factor.
    public func scaled(_ factor: Double) -> Sample { Sample(values.map { $0 * factor }) }

    /// Both samples' values.
    public func joined(with other: Sample) -> Sample { Sample(values + other.values) }
}
