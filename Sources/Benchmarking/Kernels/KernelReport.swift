/// How fast one kernel is.
public struct KernelReport: Sendable {
    /// `product`, `attention`, `rms_norm`.
    public var kernel: String
    /// A product's weights, or how attention keeps keys and values; empty for the rest.
    public var format: String
    /// Rows of activations.
    public var rows: Int
    /// Slots that each row of attention sees; 0 for the rest.
    public var slots: Int
    /// Seconds of one call.
    public var seconds: Sample
    /// Operations of a call, a multiply-add counted as two; for the kernels that go over elements, the elements.
    public var operations: Double
    /// Bytes that a call must read from memory, where it works on more than the caches hold; else 0.
    public var bytes: Double
    /// Of what the machine allows; nil for the kernels over elements, which have no such limit: their rows are in a cache.
    public var share: LimitShare?
    /// How many times as fast as the reference table it is, on the same threads.
    public var timesReference: Double

    /// Thousand million operations (or elements) a second.
    public var rate: Double { operations / seconds.median / 1e9 }
    /// GB a second.
    public var readRate: Double { bytes / seconds.median / 1e9 }
}
