/// One way to store a tensor, or a group of tensors that are stored alike.
public struct AllocationOption: Sendable, Equatable {
    /// What the caller calls it: `Q4_K`, `INT4_G64`.
    public let label: String
    /// Bytes on disk and in memory.
    public let bytes: Int
    /// What it costs in quality: the expected rise of the loss or of the divergence in nats. Losses of tensors add up.
    public let loss: Double
    /// Seconds that a step spends on it; 0 where no time is budgeted.
    public let seconds: Double

    public init(label: String, bytes: Int, loss: Double, seconds: Double = 0) {
        self.label = label
        self.bytes = bytes
        self.loss = loss
        self.seconds = seconds
    }
}

/// A tensor with the ways to store it, of which one is to be taken.
public struct AllocationItem: Sendable, Equatable {
    public let name: String
    public let options: [AllocationOption]

    public init(name: String, options: [AllocationOption]) {
        self.name = name
        self.options = options
    }
}

/// A choice for every item.
public struct Allocation: Sendable, Equatable {
    /// By item: the index of its option.
    public let choices: [Int]
    public let bytes: Int
    public let seconds: Double
    public let loss: Double
    /// No choice within the budget has a loss below this.
    public let lowerBound: Double

    /// How far the loss may be above the least possible, as a part of it; 0 where it is proven to be the least.
    public var gap: Double { loss > lowerBound ? (loss - lowerBound) / max(abs(loss), .leastNormalMagnitude) : 0 }
}

/// Why nothing can be allocated.
public enum AllocationError: Error, Sendable, Equatable, CustomStringConvertible {
    case noItems
    case noOptions(item: String)
    /// A loss or a time that is no finite number of at least 0, or bytes below 0.
    case impossibleOption(item: String, option: String)
    case bytesTooFew(least: Int, budget: Int)
    case timeTooShort(least: Double, budget: Double)
    /// Each budget can be kept, and no choice keeps both.
    case budgetsTooTight(bytes: Int, seconds: Double)
    case unreadableBudget(String)

    public var description: String {
        switch self {
        case .noItems: "there is no tensor to choose a format for"
        case .noOptions(let item): "\(item) has no format to choose; allow one that its rows fit"
        case .impossibleOption(let item, let option):
            "\(item) in \(option) has an error, a time or a size that is no number of at least 0; check the weights for NaN"
        case .bytesTooFew(let least, let budget):
            "a budget of \(budget) bytes is too small: the smallest formats allowed need \(least); raise it, or allow fewer bits"
        case .timeTooShort(let least, let budget):
            "a budget of \(milliseconds(budget)) ms is too short: the fastest formats allowed take \(milliseconds(least)) ms; "
                + "raise it"
        case .budgetsTooTight(let bytes, let seconds):
            "no choice of formats keeps both \(bytes) bytes and \(milliseconds(seconds)) ms; raise one of them"
        case .unreadableBudget(let text):
            "'\(text)' is no budget; write a part of the size (60%), a size (900MB, 1.5GiB), bits a weight (4.25bpw) or a time "
                + "of a step (12ms)"
        }
    }

    private func milliseconds(_ seconds: Double) -> Double { (seconds * 1e6).rounded() / 1e3 }
}
