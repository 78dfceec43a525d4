internal import Apus
internal import Benchmarking
internal import Checkpoints
internal import Foundation
internal import Inference
internal import Tensors

/// `apus bench MODEL` and `apus bench --shape NAME`.
struct BenchModel {
    var model: String?
    var random: RandomModelOptions
    var measurement: MeasurementOptions
    var machine: BenchMachineOptions
    var json: Bool

    func run() throws {
        let (name, checkpoint) = try open()
        var configuration = EngineConfiguration()
        configuration.threads = machine.threadCount
        configuration.kernels = try machine.kernels()
        configuration.cacheType = machine.cacheType.type
        let bench = try ModelBenchmark(checkpoint, configuration: configuration)
        var limits = bench.limits()
        var report = Report(name, bench, LimitsReport(limits), kernelsOnly: measurement.kernelsOnly)
        if !json { writeHead(name, bench, limits) }
        let profiler =
            measurement.kernelsOnly || measurement.profile
            ? try StepProfiler(
                checkpoint, work: bench.work, shape: bench.shape, kernels: try machine.kernels(),
                threads: machine.threadCount, cacheType: machine.cacheType.type) : nil
        for tokens in measurement.prompts {
            let result =
                measurement.kernelsOnly
                ? bench.products(profiler!, prompt: tokens, limits: &limits)
                : try bench.prefill(tokens: tokens, repeats: measurement.repeats, limits: &limits)
            report.prefill.append(Prefill(result))
            if !json { write(result) }
            if measurement.profile {
                // A long prompt goes through in steps of 512 rows; the last of them is what is taken apart.
                let rows = min(tokens, 512)
                let step = result.lastStep
                note(profiler!.profile(rows: rows, sequences: 1, context: tokens, step: step), "prefill", &report)
            }
        }
        for batch in measurement.generate > 0 ? measurement.batches : [] {
            let result =
                measurement.kernelsOnly
                ? bench.products(profiler!, batch: batch, limits: &limits)
                : try bench.decode(
                    batch: batch, context: measurement.context, steps: measurement.generate, limits: &limits)
            report.decode.append(Decode(result))
            if !json { write(result) }
            if measurement.profile {
                let step = Double(batch) / result.rate.median
                let context = measurement.context + measurement.generate / 2
                note(profiler!.profile(rows: batch, sequences: batch, context: context, step: step), "decode", &report)
            }
        }
        report.limits_end = LimitsReport(limits)
        if json { Console.write(try Console.json(report) + "\n") } else { Console.write(limits.line) }
    }

    private func open() throws -> (name: String, checkpoint: Checkpoint) {
        guard let shape = random.shape else { return (model!, try ModelFiles(model!).checkpoint) }
        let model = RandomModel(
            size: try ModelSize.named(shape), format: try measurement.formats().first ?? .q8_0)
        let file = RandomModelFile(model, keptIn: random.keep)
        for exception in model.exceptions {
            Console.note(
                "rows of \(exception.inputs) are not whole blocks of \(model.format.name); they are \(exception.format.name)"
            )
        }
        if !file.exists {
            let fate = file.isKept ? "kept" : "a scratch file"
            Console.note("random weights take \(Console.bytes(model.fileBytes)) in \(file.path), \(fate)")
        }
        let meter = ProgressMeter(total: model.weightBytes, unit: "bytes")
        let checkpoint = try file.open { meter.report($0) }
        meter.end()
        return (model.fileName, checkpoint)
    }

    private func writeHead(_ name: String, _ bench: ModelBenchmark, _ limits: Limits) {
        Console.write(
            String(
                format: "%@: %@, %.0f M parameters, a step reads %.0f MB of weights%@\n", name, bench.shape.architecture,
                Double(bench.shape.parameters) / 1e6, Double(bench.work.weightBytes) / 1e6,
                measurement.kernelsOnly ? "; matrix products alone" : ""))
        Console.write(limits.line)
    }

    private func write(_ result: ModelBenchmark.Prefill) {
        Console.write(
            String(
                format: "prefill %5d tokens            %@ tokens/s   %3.0f%% of peak\n", result.tokens,
                result.rate.text("%8.1f"), 100 * result.share.peak))
    }

    private func write(_ result: ModelBenchmark.Decode) {
        Console.write(
            String(
                format: "decode  %5d sequences at %5d %@ tokens/s   %3.0f%% of read (%.0f MB a step), %3.0f%% of peak\n",
                result.batch, result.context, result.rate.text("%8.1f"), 100 * result.share.read,
                result.bytesOfStep / 1e6, 100 * result.share.peak))
    }

    private func note(_ profile: StepProfile, _ kind: String, _ report: inout Report) {
        report.profile.append(Profile(kind, profile))
        guard !json else { return }
        let parts = profile.parts.map { ($0.name, $0.count, $0.seconds) } + [("rest", 1, profile.rest)]
        for (name, count, seconds) in parts {
            Console.write(
                String(
                    format: "    %@ × %4d %10.1f µs %5.1f%%\n", name.padding(toLength: 30, withPad: " ", startingAt: 0),
                    count, seconds * 1e6, 100 * seconds / profile.step))
        }
    }
}

// MARK: What `--json` prints

private struct Report: Encodable {
    var model: String
    var architecture: String
    var parameters: Int
    var table: String
    var threads: Int
    var cache_type: String
    var kernels_only: Bool
    var weight_bytes: Int
    /// Before the first figure, and after the last.
    var limits: LimitsReport
    var limits_end: LimitsReport
    var prefill: [Prefill] = []
    var decode: [Decode] = []
    var profile: [Profile] = []

    init(_ name: String, _ bench: ModelBenchmark, _ limits: LimitsReport, kernelsOnly: Bool) {
        model = name
        architecture = bench.shape.architecture
        parameters = bench.shape.parameters
        table = bench.configuration.kernels?.name ?? ""
        threads = bench.threads
        cache_type = bench.configuration.cacheType.rawValue
        kernels_only = kernelsOnly
        weight_bytes = bench.work.weightBytes
        self.limits = limits
        limits_end = limits
    }
}

private struct Prefill: Encodable {
    var tokens: Int
    var tokens_per_s: Double
    var spread: Double
    var share_of_peak: Double
    var share_of_read: Double
    var samples: [Double]

    init(_ result: ModelBenchmark.Prefill) {
        tokens = result.tokens
        tokens_per_s = result.rate.median
        spread = result.rate.spread
        share_of_peak = result.share.peak
        share_of_read = result.share.read
        samples = result.rate.values
    }
}

private struct Decode: Encodable {
    var batch: Int
    var context: Int
    var tokens_per_s: Double
    var spread: Double
    var share_of_read: Double
    var share_of_peak: Double
    var bytes_per_step: Double
    var samples: [Double]

    init(_ result: ModelBenchmark.Decode) {
        batch = result.batch
        context = result.context
        tokens_per_s = result.rate.median
        spread = result.rate.spread
        share_of_read = result.share.read
        share_of_peak = result.share.peak
        bytes_per_step = result.bytesOfStep
        samples = result.rate.values
    }
}

private struct Profile: Encodable {
    struct Part: Encodable {
        var name: String
        var count: Int
        var seconds: Double
    }
    var kind: String
    var rows: Int
    var context: Int
    var step_seconds: Double
    var rest_seconds: Double
    var parts: [Part]

    init(_ kind: String, _ profile: StepProfile) {
        self.kind = kind
        rows = profile.rows
        context = profile.context
        step_seconds = profile.step
        rest_seconds = profile.rest
        parts = profile.parts.map { Part(name: $0.name, count: $0.count, seconds: $0.seconds) }
    }
}
