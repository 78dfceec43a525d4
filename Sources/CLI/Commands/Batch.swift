internal import Apus
internal import ArgumentParser
internal import BatchJobs
internal import Foundation
internal import Inference
internal import OpenAI

struct Batch: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Answers a file of requests.",
        discussion: """
            apus batch requests.jsonl -o answers.jsonl --model model.gguf
            apus batch requests.jsonl -o answers.jsonl --model model.gguf --resume    goes on after anything that stopped it

            Each line of the input is a request: in the OpenAI batch format (custom_id, method, url, body) for
            /v1/chat/completions, /v1/completions or /v1/embeddings; or a body by itself, such as {"prompt": "…",
            "max_tokens": 50}, with or without a custom_id. The model in a body plays no part. A line without a seed gets one of
            its own from --seed and its custom_id; the answer tells it.

            Each line of the input gets one line of the output: {"id", "custom_id", "response", "error"}, as they are
            finished, or with --ordered in order of the input. A line that cannot be answered gets a record that says why,
            and ends nothing.

            The job is planned as a whole, so that prompts that begin alike are computed together, whatever their order in the
            file. Its progress lies beside the output, in OUT.apus-progress; when the job is finished it may be deleted.
            A line's answer depends on neither the plan nor on how often the job was stopped.
            """)

    @Argument(help: "A file with one request on each line.") var input: String
    @Option(name: [.customShort("o"), .long], help: ArgumentHelp("Where the answers go.", valueName: "file"))
    var output: String
    @Option(help: "A GGUF file, a folder or a built-in model.") var model = BuiltInModels.standard
    @Flag(help: "Continue the job of an existing output; begin it where there is none.") var resume = false
    @Flag(help: "Put the output in order of the input at the end.") var ordered = false
    @Flag(help: "Run in order of the input and compute every prompt whole, for comparison.") var noSharing = false
    @Option(
        help: ArgumentHelp(
            "Do part i of n, from 1/n to n/n: each a process with an output of its own. Their outputs in a row are the whole.",
            valueName: "i/n"))
    var shard: ShardArgument = ShardArgument(argument: "1/1")!
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Where randomness comes from for lines without a seed.", valueName: "s")) var seed: UInt64 = 0
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("The most tokens for lines that set no limit; by default 16 for completions.", valueName: "n"))
    var maxTokens: Int?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "The temperature for lines that set none; by default the model's recommendation, else 1.", valueName: "t"))
    var temperature: Float?
    @OptionGroup(title: "Machine") var engine: EngineOptions
    @OptionGroup(title: "Cache") var cache: CacheOptions
    @OptionGroup(title: "Schedule") var schedule: ScheduleOptions
    @Flag(
        help:
            "Print one JSON object at the end: requests, failed, prompt_tokens, prefilled_tokens, generated_tokens, seconds, mean_batch."
    ) var json = false

    func validate() throws {
        if input == output { throw ValidationError("The input and the output are the same file; name two.") }
        if noSharing, cache.prefixStore != nil || (cache.swapBytes?.bytes ?? 0) > 0 {
            throw ValidationError(
                "--no-sharing computes every prompt whole; leave out --prefix-store and --swap-bytes, or --no-sharing.")
        }
        if let maxTokens, maxTokens < 0 { throw ValidationError("--max-tokens is \(maxTokens); it must be 0 or more.") }
        if let temperature {
            var sampling = SamplingParameters()
            sampling.temperature = temperature
            do throws(SamplingError) {
                try sampling.validate(vocabulary: SamplingVocabulary(size: Int(Int32.max)))
            } catch {
                throw ValidationError("--\(error)")
            }
        }
    }

    /// The most answers at once, where steps cost so much by themselves and memory is so plentiful that so many pay.
    private static let mostAnswers = 256

    private func job() throws -> BatchJob {
        var job = BatchJob(input: input, output: output, model: model)
        job.resumes = resume
        job.isOrdered = ordered
        job.sharesPrefixes = !noSharing
        job.shard = shard.shard
        job.defaults.seed = seed
        job.defaults.maximumTokens = maxTokens
        job.defaults.temperature = temperature
        job.engine = try engine.configuration(sequences: Self.mostAnswers)
        cache.apply(to: &job.engine)
        schedule.apply(to: &job.engine)
        // Prompts share whole pages: the smallest ones lose the fewest tokens where a prefix ends.
        job.engine.pageSize = 16
        // The convention of reproducible builds: the same time in each run.
        job.created = ProcessInfo.processInfo.environment["SOURCE_DATE_EPOCH"].flatMap { Int($0) }
        return job
    }

    func run() throws {
        let job = try job()
        let signals = StopSignals()
        let meter = BatchMeter()
        let outcome = try job.run(
            stops: { signals.received != nil },
            announce: { plan in
                if Console.errorIsTerminal { Console.note("\(plan)") }
            }, report: { meter.report($0) })
        meter.end()
        switch outcome {
        case .finished(let report):
            if json {
                Console.write(try Console.json(Summary(report)) + "\n")
            } else {
                Console.write(Self.summary(report, output))
            }
        case .interrupted(let finished, let requests):
            let done = requests == 0 ? "before its plan stood" : "after \(finished) of \(requests) requests"
            Console.error("apus: stopped \(done); the same command with --resume continues the job")
            throw ExitCode(128 + (signals.received ?? SIGINT))
        }
    }

    private static func summary(_ report: BatchJob.Report, _ output: String) -> String {
        let failed = report.failed == 0 ? "" : ", \(report.failed) of them with an error"
        let saved = 100 * (1 - Double(report.prefilledTokens) / Double(max(report.promptTokens, 1)))
        let rate = Double(report.promptTokens + report.generatedTokens) / max(report.seconds, 1e-9)
        return "\(report.requests) requests\(failed), in \(output)\n"
            + String(
                format: "%d prompt tokens, %d computed (%.0f %% saved), %d generated\n", report.promptTokens,
                report.prefilledTokens, max(saved, 0), report.generatedTokens)
            + String(
                format: "%.1f s, %.0f tokens/s in and out, %.1f answers at once\n", report.seconds, rate,
                report.meanBatch)
    }

    /// What `--json` prints.
    private struct Summary: Encodable {
        var requests: Int
        var failed: Int
        var prompt_tokens: Int
        var prefilled_tokens: Int
        var generated_tokens: Int
        var seconds: Double
        var mean_batch: Double

        init(_ report: BatchJob.Report) {
            requests = report.requests
            failed = report.failed
            prompt_tokens = report.promptTokens
            prefilled_tokens = report.prefilledTokens
            generated_tokens = report.generatedTokens
            seconds = report.seconds
            mean_batch = report.meanBatch
        }
    }
}

/// `--shard`: which part of how many.
struct ShardArgument: ExpressibleByArgument {
    let shard: BatchJob.Shard
    var defaultValueDescription: String { "\(shard)" }

    init?(argument: String) {
        let parts = argument.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let index = Int(parts[0]), let count = Int(parts[1]), count >= 1,
            (1...count).contains(index)
        else { return nil }
        shard = BatchJob.Shard(index: index, count: count)
    }
}
