public import Tensors

/// What the machine can do at most, so that a kernel's speed is a share of something.
public struct Limits: Sendable {
    public var threads: Int
    /// The kernel table whose instructions the two peaks use.
    public var kernels: String
    /// GB (10⁹ bytes) a second that a streaming read of memory reaches: the best pattern of those tried.
    public var read: Sample
    /// The same where the memory has small pages, as a mapped file has.
    public var readSmallPages: Sample
    /// GFLOP/s of fused multiply-adds on registers; a multiply-add is two.
    public var fma: Sample
    /// GOP/s of byte dot products on registers; a multiply-add is two.
    public var dot: Sample
    /// How the best read went: parts side by side for a thread, and bytes from a read to its prefetch.
    public var readPattern: ReadPattern

    public struct ReadPattern: Sendable, Equatable {
        public var streams: Int
        public var ahead: Int
    }
}

/// Measures ``Limits``. Keeps its memory, so that measuring again (the other bracket of a run) takes a moment only.
public final class LimitMeter {
    private let kernels: KernelTable
    private let huge: ReadBuffer
    private let small: ReadBuffer

    static let patterns: [Limits.ReadPattern] = [1, 2, 4, 8, 16].flatMap { streams in
        [0, 1024, 4096].map { Limits.ReadPattern(streams: streams, ahead: $0) }
    }

    /// Touches memory to read: up to 512 MB twice, or four times the last cache where that is more.
    ///
    /// - Throws: ``BenchmarkError`` where the system refuses it.
    public convenience init(kernels: KernelTable, threads: Int) throws(BenchmarkError) {
        try self.init(kernels: kernels, threads: threads, bytes: ReadBuffer.suitableBytes())
    }

    /// - Parameter bytes: to read, a multiple of 2 MiB.
    init(kernels: KernelTable, threads: Int, bytes: Int) throws(BenchmarkError) {
        self.kernels = kernels
        guard let huge = ReadBuffer(bytes: bytes, hugePages: true, threads: threads),
            let small = ReadBuffer(bytes: bytes, hugePages: false, threads: threads)
        else { throw .noMemory(bytes: 2 * bytes, purpose: "measuring the read bandwidth") }
        self.huge = huge
        self.small = small
    }

    /// - Parameters:
    ///   - threads: how many work at once, at least 1.
    ///   - repeats: measurements of each kind, at least 1.
    ///   - pattern: how to read; nil tries all patterns and keeps the best.
    public func measure(threads: Int, repeats: Int = 7, pattern: Limits.ReadPattern? = nil) -> Limits {
        let loops = PeakLoops.of(kernels)
        let pattern = pattern ?? bestPattern(loops, threads)
        return Limits(
            threads: threads, kernels: loops.name, read: read(loops, huge.base, huge.bytes, threads, repeats, pattern),
            readSmallPages: read(loops, small.base, small.bytes, threads, repeats, pattern),
            fma: loops.fmaRates(threads: threads, repeats: repeats),
            dot: loops.dotRates(threads: threads, repeats: repeats), readPattern: pattern)
    }

    /// Tries each pattern on a quarter of the memory, three times; the best median wins.
    private func bestPattern(_ loops: PeakLoops, _ threads: Int) -> Limits.ReadPattern {
        var best = (pattern: Self.patterns[0], rate: 0.0)
        for pattern in Self.patterns {
            let rate = read(loops, huge.base, huge.bytes / 4, threads, 3, pattern).median
            if rate > best.rate { best = (pattern, rate) }
        }
        return best.pattern
    }

    private func read(
        _ loops: PeakLoops, _ base: UnsafeMutablePointer<UInt8>, _ bytes: Int, _ threads: Int, _ repeats: Int,
        _ pattern: Limits.ReadPattern
    ) -> Sample {
        // Each thread's part must split into its streams.
        let whole = bytes / (threads * 4096) * (threads * 4096)
        return Sample(
            (0..<repeats).map { _ in
                Double(whole)
                    / loops.read(base, bytes: whole, threads: threads, streams: pattern.streams, ahead: pattern.ahead)
                    / 1e9
            })
    }
}
