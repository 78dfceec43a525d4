internal import Benchmarking
internal import Foundation
internal import Tensors

/// `apus bench --kernels`.
struct BenchKernels {
    var measurement: MeasurementOptions
    var machine: BenchMachineOptions
    var json: Bool

    func run() throws {
        let (table, threads) = (try machine.kernels(), machine.threadCount)
        let limits = try LimitMeter(kernels: table, threads: threads).measure(threads: threads)
        let ladder = KernelLadder(kernels: table, threads: threads, limits: limits)
        let chosen = try measurement.formats()
        var reports: [KernelReport] = []
        func note(_ report: KernelReport) {
            reports.append(report)
            if !json { Console.write(Self.line(report)) }
        }
        if !json {
            Console.write(limits.line)
            Console.write("products 2048×8192; attention of 32 heads on 8, 64 wide; the rest 2048 wide, gates 8192\n")
            Console.write(
                "kernel         format    rows  slots         µs       GOP/s     GB/s  of peak  of read  × portable\n")
        }
        ladder.products(
            formats: chosen.isEmpty ? ElementType.allCases : chosen,
            rows: measurement.batch?.values ?? [1, 2, 4, 8, 16, 64, 512], report: note)
        if chosen.isEmpty {
            ladder.attention(types: CacheType.allCases, report: note)
            ladder.rows(counts: [1, 64, 512], report: note)
        }
        guard json else { return }
        let report = Report(
            table: table.name, threads: threads, limits: LimitsReport(limits), kernels: reports.map(Entry.init))
        Console.write(try Console.json(report) + "\n")
    }

    private static func line(_ report: KernelReport) -> String {
        func pad(_ text: String, _ width: Int) -> String { text.padding(toLength: width, withPad: " ", startingAt: 0) }
        var line = pad(report.kernel, 15) + pad(report.format, 9)
        line += String(format: "%5d%7@ ", report.rows, (report.slots > 0 ? "\(report.slots)" : "") as NSString)
        line += report.seconds.scaled(1e6).text("%9.1f") + String(format: "%9.1f", report.rate)
        if let share = report.share {
            line += String(format: "%9.1f%8.0f%%%8.0f%%", report.readRate, 100 * share.peak, 100 * share.read)
        } else {
            line += "                           "
        }
        return line + String(format: "%10.1f\n", report.timesReference)
    }

    private struct Report: Encodable {
        var table: String
        var threads: Int
        var limits: LimitsReport
        var kernels: [Entry]
    }

    private struct Entry: Encodable {
        var kernel: String
        var format: String
        var rows: Int
        var slots: Int
        var seconds: Double
        var spread: Double
        var gops: Double
        var gbps: Double
        var share_of_peak: Double?
        var share_of_read: Double?
        var times_reference: Double

        init(_ report: KernelReport) {
            kernel = report.kernel
            format = report.format
            rows = report.rows
            slots = report.slots
            seconds = report.seconds.median
            spread = report.seconds.spread
            gops = report.rate
            gbps = report.readRate
            share_of_peak = report.share?.peak
            share_of_read = report.share?.read
            times_reference = report.timesReference
        }
    }
}
