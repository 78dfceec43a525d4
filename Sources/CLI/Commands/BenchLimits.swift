internal import Benchmarking
internal import Foundation

/// `apus bench --limits`.
struct BenchLimits {
    var machine: BenchMachineOptions
    var json: Bool

    func run() throws {
        let most = machine.threadCount
        let meter = try LimitMeter(kernels: machine.kernels(), threads: most)
        var rows: [Limits] = []
        for count in 1...most { rows.append(meter.measure(threads: count)) }
        if json {
            let report = Report(
                kernels: rows[0].kernels, limits: LimitsReport(rows.last!), by_threads: rows.map(LimitsReport.init))
            return Console.write(try Console.json(report) + "\n")
        }
        Console.write("\(rows[0].kernels); a multiply-add counts two; ± half the range over the median\n")
        Console.write("threads     read GB/s   small pages   fma GFLOP/s   int8 GOP/s\n")
        for row in rows {
            let cells = [row.read, row.readSmallPages, row.fma, row.dot].map { $0.text("%8.1f") }
            Console.write(String(format: "%7d  ", row.threads) + cells.joined(separator: "  ") + "\n")
        }
    }

    private struct Report: Encodable {
        var kernels: String
        var limits: LimitsReport
        var by_threads: [LimitsReport]
    }
}

/// Limits as `--json` prints them: medians, and ranges over medians.
struct LimitsReport: Encodable {
    var threads: Int
    var read_gbps: Double
    var read_small_pages_gbps: Double
    var fma_gflops: Double
    var int8_gops: Double
    var read_spread: Double
    var fma_spread: Double
    var int8_spread: Double
    var read_streams: Int
    var read_ahead: Int

    init(_ limits: Limits) {
        threads = limits.threads
        read_gbps = limits.read.median
        read_small_pages_gbps = limits.readSmallPages.median
        fma_gflops = limits.fma.median
        int8_gops = limits.dot.median
        read_spread = limits.read.spread
        fma_spread = limits.fma.spread
        int8_spread = limits.dot.spread
        read_streams = limits.readPattern.streams
        read_ahead = limits.readPattern.ahead
    }
}

extension Sample {
    /// The median in a format, and half the range over it.
    func text(_ format: String) -> String { String(format: format + " ±%2.0f%%", median, 50 * spread) }
}

extension Limits {
    var line: String {
        String(
            format: "limits (%@, %d threads): read %@ GB/s, fma %@ GFLOP/s, int8 %@ GOP/s\n", kernels, threads,
            read.text("%.1f"), fma.text("%.0f"), dot.text("%.0f"))
    }
}
