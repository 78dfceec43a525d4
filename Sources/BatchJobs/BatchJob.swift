public import Apus
internal import Foundation
public import Inference
internal import Models
public import OpenAI
internal import Storage

/// A file of requests, answered into a file of results: planned as a whole, safe against being killed at any moment.
///
/// The answers do not depend on the plan, on what runs together, or on how often the job was interrupted.
public struct BatchJob: Sendable {
    /// Which part of a job a process does.
    public struct Shard: Sendable, Equatable, CustomStringConvertible {
        /// From 1.
        public var index: Int
        public var count: Int

        public init(index: Int, count: Int) {
            precondition(count >= 1 && (1...count).contains(index))
            self.index = index
            self.count = count
        }

        public var description: String { "\(index)/\(count)" }
    }

    public var input: String
    public var output: String
    /// A GGUF file, a folder or a built-in model.
    public var model: String
    /// Whether an existing output is continued.
    public var resumes = false
    /// Whether prefixes are shared and the order planned; where not, lines run in order and each prompt is computed whole.
    public var sharesPrefixes = true
    /// Whether the output is put in order of the input at the end.
    public var isOrdered = false
    public var shard = Shard(index: 1, count: 1)
    /// What lines get that say nothing themselves.
    public var defaults = RequestDefaults()
    public var engine = EngineConfiguration()
    /// Whose requests all lines are to an engine that is fair between users; nil for whoever each line's `user` names.
    public var user: String?
    /// Seconds since 1970 that responses give as the time they were created; nil for the time at which the job is
    /// planned.
    public var created: Int?
    /// Seconds between two commits; 0 commits after each step with results.
    public var commitInterval = 1.0

    public init(input: String, output: String, model: String) {
        self.input = input
        self.output = output
        self.model = model
    }

    /// How far a job is.
    public struct Progress: Sendable {
        public enum Stage: Sendable { case planning, running, ordering }
        public var stage = Stage.planning
        /// Bytes of the input, and how many of them are read; while planning.
        public var bytes = 0
        public var bytesRead = 0
        /// Lines of the job, those with a result, and how many of these failed.
        public var requests = 0
        public var finished = 0
        public var failed = 0
        /// Lines finished by this process.
        public var finishedNow = 0
        public var promptTokens = 0
        /// Prompt tokens that were not found in the cache.
        public var prefilledTokens = 0
        public var generatedTokens = 0
        /// Tokens that went through the network in this process.
        public var rows = 0
        /// Seconds of this process since its plan stood.
        public var seconds = 0.0
        public var running = 0
        public var pages = 0
        public var freePages = 0

        public init() {}

        init(stage: Stage = .planning, bytes: Int = 0) {
            self.stage = stage
            self.bytes = bytes
        }
    }

    /// What a finished job did, in all of its processes' lives.
    public struct Report: Sendable, Equatable {
        /// Lines of the job, or of its shard.
        public var requests = 0
        /// Lines whose record tells an error.
        public var failed = 0
        /// Tokens of all prompts that were answered, each counted once.
        public var promptTokens = 0
        /// Prompt tokens that were computed rather than found in the cache.
        public var prefilledTokens = 0
        public var generatedTokens = 0
        public var seconds = 0.0
        /// Answers under way in a step, on average.
        public var meanBatch = 0.0
    }

    /// How a run of the job ended.
    public enum Outcome: Sendable, Equatable {
        case finished(Report)
        /// It was asked to stop; what is finished is kept.
        case interrupted(finished: Int, requests: Int)
    }

    /// Runs the job to its end, or to where `stops` says so. Blocks.
    ///
    /// - Parameters:
    ///   - stops: asked between steps.
    ///   - announce: is told where memory will go before it is taken.
    ///   - report: called between steps.
    /// - Throws: ``JobError``, `StorageError`, `CheckpointError`, `EngineError`: nothing that a line does wrong.
    public func run(
        stops: @escaping () -> Bool, announce: (MemoryPlan) -> Void = { _ in }, report: @escaping (Progress) -> Void
    ) throws -> Outcome {
        try run(stops: stops, report: report) { try JobModel(model, engine, sharesPrefixes: sharesPrefixes, announce) }
    }

    /// Runs the job, as ``run(stops:announce:report:)`` does, on a model that answers others too: its lines are the ones for which
    /// nobody waits. `model` only tells what a job was begun with.
    public func run(
        on language: LanguageModel, stops: @escaping () -> Bool, report: @escaping (Progress) -> Void
    ) throws -> Outcome {
        try run(stops: stops, report: report) { JobModel(language, name: model, engine) }
    }

    private func run(
        stops: @escaping () -> Bool, report: @escaping (Progress) -> Void, load: () throws -> JobModel
    ) throws -> Outcome {
        let file = try InputFile(input)
        let isThere = access(output, F_OK) == 0
        if isThere, !resumes { throw OutputFile.exists(output) }
        if isThere, realpath(input) == realpath(output) {
            throw JobError(file: output, reason: "this is the input; name another file for the output")
        }
        if isThere, !JobStore.exists(output: output) {
            throw JobError(
                file: output,
                reason: "\(JobStore.path(of: output)) is missing, without which its job cannot be continued; "
                    + "name another output")
        }
        // Progress without its output is of a job that somebody has thrown away.
        if !isThere { JobStore.remove(output: output) }
        let loaded = try load()
        let out = try OutputFile(output, isNew: !isThere)
        let store = try JobStore(output: output)
        do {
            var progress = Progress(bytes: file.size)
            if try store.phase() == .planning {
                try plan(file, store, loaded) { read in
                    progress.bytesRead = read
                    report(progress)
                    return !stops()
                }
            } else {
                try checkSettings(file, store, loaded)
            }
            return try carryOut(file, out, store, loaded, stops: stops, report: report)
        } catch is JobInterrupted {
            return .interrupted(finished: 0, requests: 0)
        }
    }

    private func plan(
        _ file: InputFile, _ store: JobStore, _ loaded: JobModel, proceed: @escaping (Int) -> Bool
    ) throws {
        let planner = Planner(
            input: file, store: store, model: loaded.served, defaults: defaults,
            context: min(engine.context ?? .max, loaded.network.shape.context), sharesPrefixes: sharesPrefixes,
            shard: shard, threads: engine.threads ?? EngineConfiguration.availableCores, proceed: proceed)
        let time = created ?? Int(Date().timeIntervalSince1970)
        try planner.plan(
            facts: [("created", String(time))] + settings(loaded).map { ("setting " + $0.name, $0.value) })
    }

    private func carryOut(
        _ file: InputFile, _ out: OutputFile, _ store: JobStore, _ loaded: JobModel, stops: @escaping () -> Bool,
        report: @escaping (Progress) -> Void
    ) throws -> Outcome {
        let order = OutputOrder(out, store)
        let out = try order.complete()
        if try store.forget(beyond: out.size) > 0 { try store.setPhase(.running) }
        let end = try store.sums().end
        // Bytes that the progress does not speak of: a torn line, or lines that it has not come to know.
        if out.size != end { try out.truncate(to: end) }
        if try store.phase() == .running {
            let runner = try JobRunner(self, file, out, store, loaded, report)
            guard try runner.run(stops) else {
                return .interrupted(finished: runner.progress.finished, requests: runner.progress.requests)
            }
            if isOrdered { try OutputOrder(out, store).sort() }
            try store.setPhase(.done)
        }
        let sums = try store.sums()
        let steps = try store.integer("steps")
        return .finished(
            Report(
                requests: try store.integer("lines"), failed: sums.failed, promptTokens: sums.prompt,
                prefilledTokens: sums.prefilled, generatedTokens: sums.generated, seconds: try store.real("seconds"),
                meanBatch: steps == 0 ? 0 : Double(try store.integer("active")) / Double(steps)))
    }

    // MARK: What a job must be continued with

    /// What the answers and the plan depend on.
    private func settings(_ loaded: JobModel) -> [(name: String, value: String)] {
        let shape = loaded.network.shape
        return [
            ("model", "\(shape.architecture), \(shape.parameters) parameters, \(shape.weightBytes) bytes"),
            ("--shard", "\(shard)"), ("--seed", "\(defaults.seed)"),
            ("--max-tokens", defaults.maximumTokens.map { "\($0)" } ?? "none"),
            ("--temperature", defaults.temperature.map { "\($0)" } ?? "none"), ("--cache-type", "\(engine.cacheType)"),
            ("--context", "\(min(engine.context ?? .max, shape.context))"),
        ]
    }

    private func checkSettings(_ file: InputFile, _ store: JobStore, _ loaded: JobModel) throws {
        for (name, value) in settings(loaded) {
            guard let begun = try store.text("setting " + name), begun != value else { continue }
            throw JobError(
                file: output, reason: "the job was begun with another \(name) (\(begun); now \(value)); "
                    + "continue it as it was begun, or begin another")
        }
        guard try store.integer("input_size") == file.size, try store.text("input_digest") == String(file.digest()) else {
            throw JobError(
                file: input, reason: "it has changed since the job was begun; continue with the input as it was, "
                    + "or begin another job")
        }
    }

    private func realpath(_ path: String) -> String { URL(fileURLWithPath: path).resolvingSymlinksInPath().path }
}

/// A model as a job needs it: no engine runs until there is a line to answer.
struct JobModel {
    let network: any Model
    let served: ServedModel
    /// How its engine uses the machine, with what was planned filled in.
    let engine: EngineConfiguration
    /// An engine that answers others too; nil where the job makes its own.
    let shared: Engine?

    init(_ language: LanguageModel, name: String, _ configuration: EngineConfiguration) {
        network = language.engine.model
        engine = configuration
        shared = language.engine
        let plain = ServedModel(language)
        served = ServedModel(
            name: name, tokenizer: plain.tokenizer, template: plain.template, endOfGeneration: plain.endOfGeneration,
            recommended: plain.recommended, vocabulary: plain.vocabulary)
    }

    init(
        _ name: String, _ configuration: EngineConfiguration, sharesPrefixes: Bool, _ announce: (MemoryPlan) -> Void
    ) throws {
        let files = try ModelFiles(name)
        var engine = configuration
        engine.sharesPrefixes = sharesPrefixes
        let plan = try engine.memoryPlan(try files.shape())
        announce(plan)
        engine.cacheBytes = plan.cache
        if engine.prefixStore?.model == "" { engine.prefixStore!.model = files.identity }
        self.engine = engine
        let tokenizer = try files.tokenizer()
        shared = nil
        network = try files.network(
            threads: engine.threads, panelFile: engine.keepsPanels ? files.panelFile : nil)
        served = ServedModel(
            name: name.split(separator: "/").last.map { String($0) } ?? name, tokenizer: tokenizer,
            template: try files.template(tokenizer).map { try .init($0) },
            endOfGeneration: try files.endOfGeneration(tokenizer), recommended: try files.recommendedSampling(),
            vocabulary: network.shape.vocabulary)
    }
}
