internal import Foundation
internal import Inference
internal import OpenAI
internal import Storage

/// Carries out what is left of a plan: feeds the engine step by step and writes what is finished.
///
/// It steps the engine's loop itself, so that lines enter exactly when a step has room for them; or it shares an engine that
/// answers others too, whose steps it only waits for.
final class JobRunner {
    private let job: BatchJob
    private let input: InputFile
    private let output: OutputFile
    private let store: JobStore
    private let model: JobModel
    private let report: (BatchJob.Progress) -> Void
    private let digest: UInt64
    private let created: Int
    private var engine: (any JobEngine)?
    private var feeder: Feeder
    /// The last place of the plan that was read.
    private var position = 0
    private var isPlanRead = false
    private var embeddings: [EmbeddingWork] = []
    private var results: [JobStore.Result] = []
    private(set) var progress = BatchJob.Progress(stage: .running)
    private var figures: Figures
    private var lastCommit = ContinuousClock.now
    private let start = ContinuousClock.now

    /// Figures of all processes' lives.
    private struct Figures {
        var seconds: Double
        var steps: Int
        /// Answers under way, summed over steps.
        var active: Int
    }

    init(
        _ job: BatchJob, _ input: InputFile, _ output: OutputFile, _ store: JobStore, _ model: JobModel,
        _ report: @escaping (BatchJob.Progress) -> Void
    ) throws {
        self.job = job
        self.input = input
        self.output = output
        self.store = store
        self.model = model
        self.report = report
        digest = UInt64(try store.text("input_digest") ?? "") ?? 0
        created = try store.integer("created")
        feeder = Feeder(configuration: model.engine)
        figures = Figures(
            seconds: try store.real("seconds"), steps: try store.integer("steps"), active: try store.integer("active"))
        let sums = try store.sums()
        progress.requests = try store.integer("lines")
        progress.finished = sums.lines
        progress.failed = sums.failed
        progress.promptTokens = sums.prompt
        progress.prefilledTokens = sums.prefilled
        progress.generatedTokens = sums.generated
    }

    /// Returns false where `stops` ended it.
    func run(_ stops: () -> Bool) throws -> Bool {
        while !stops() {
            if !embeddings.isEmpty {
                try embedSome()
            } else if !isPlanRead, feeder.wantsMore {
                try readOn()
            }
            if feeder.hasWork { try step() }
            if isPlanRead, embeddings.isEmpty, !feeder.hasWork {
                try commit()
                return true
            }
            let isDue = ContinuousClock.now - lastCommit >= .seconds(job.commitInterval)
            if isDue && !results.isEmpty || results.count > 1024 { try commit() }
            tell()
        }
        try commit()
        return false
    }

    // MARK: Lines

    /// Reads the next lines of the plan. What needs no engine is done at once.
    private func readOn() throws {
        let entries = try store.unfinished(after: position, limit: 64)
        isPlanRead = entries.isEmpty
        for entry in entries {
            position = entry.position
            let line = try read(entry)
            switch line.content {
            case .refused(let error): record(entry.line, line.customID, error)
            case .embedding(let task):
                embeddings.append(EmbeddingWork(line: entry.line, customID: line.customID, task: task))
            case .generation(let task):
                feeder.add(LineWork(line: entry.line, customID: line.customID, task: task, model: model.served))
            }
        }
    }

    private func read(_ entry: JobStore.Entry) throws -> BatchLine {
        let bytes = try input.read(offset: entry.offset, length: entry.length)
        var line = BatchLine(
            InputFile.Line(number: entry.line, offset: entry.offset, length: entry.length, bytes: bytes),
            model: model.served, defaults: job.defaults)
        if let twin = entry.twin {
            var error = LineError("duplicate_custom_id", "line \(twin) has the same custom_id; give each line its own")
            error.customID = line.customID
            line.content = .refused(error)
        }
        return line
    }

    private struct EmbeddingWork {
        var line: Int
        var customID: String
        var task: EmbeddingTask
    }

    /// The lines that fill a pass or two.
    private func embedSome() throws {
        var (count, tokens) = (0, 0)
        while count < embeddings.count, tokens < 2 * model.engine.tokenBudget {
            tokens += embeddings[count].task.inputs.reduce(0) { $0 + $1.count }
            count += 1
        }
        try embed(Array(embeddings.prefix(count)))
        embeddings.removeFirst(count)
    }

    /// The texts of several lines together; where one has no vector, each line by itself.
    private func embed(_ lines: [EmbeddingWork]) throws {
        guard !lines.isEmpty else { return }
        let engine = try presentEngine()
        for pooling in EmbeddingPooling.allCases {
            let group = lines.filter { $0.task.pooling == pooling }
            do throws(EmbeddingError) {
                let requests = group.flatMap { work in
                    work.task.inputs.map {
                        var request = EmbeddingRequest(tokens: $0, pooling: pooling)
                        request.user = work.task.service.user
                        return request
                    }
                }
                var embeddings = try engine.embeddings(requests, pooling: pooling)[...]
                for work in group {
                    record(work, Array(embeddings.prefix(work.task.inputs.count)))
                    embeddings = embeddings.dropFirst(work.task.inputs.count)
                }
            } catch {
                guard group.count > 1 else {
                    record(group[0].line, group[0].customID, LineError(refusal(error), group[0].customID))
                    continue
                }
                for work in group { try embed([work]) }
            }
        }
    }

    private func record(_ work: EmbeddingWork, _ embeddings: [Embedding]) {
        let body = work.task.response(embeddings.map(\.vector), model: model.served.name)
        let statistics = embeddings.map(\.statistics)
        record(
            work.line, BatchRecord.answer(work.customID, id(work.line, work.customID), body), failed: false,
            prompt: statistics.reduce(0) { $0 + $1.promptTokens },
            prefilled: statistics.reduce(0) { $0 + $1.promptTokens - $1.cachedTokens })
    }

    private func refusal(_ error: EmbeddingError) -> APIError {
        if case .notFinite = error { return APIError("\(error)", status: 500, type: "server_error") }
        if case .engine(_, let failure) = error { return APIError(failure) }
        return APIError("\(error)", parameter: "input", code: "context_length_exceeded")
    }

    private func id(_ line: Int, _ customID: String) -> String { BatchRecord.id(line, customID, job: digest) }

    // MARK: Steps

    private func presentEngine() throws -> any JobEngine {
        let engine: any JobEngine
        if let present = self.engine {
            engine = present
        } else if let shared = model.shared {
            engine = SharedEngine(shared, user: job.user)
        } else {
            engine = OwnEngine(try EngineLoop(model: model.network, configuration: model.engine))
        }
        self.engine = engine
        return engine
    }

    private func step() throws {
        let engine = try presentEngine()
        feeder.feed(engine, end: model.served.endOfGeneration)
        figures.active += feeder.activeCount
        figures.steps += 1
        engine.step()
        for line in feeder.collect(engine) { finish(line) }
        let statistics = engine.statistics
        progress.rows = statistics.rows
        (progress.pages, progress.freePages) = (statistics.pages, statistics.freePages)
        progress.running = feeder.activeCount
    }

    private func finish(_ work: LineWork) {
        if let error = work.error {
            record(work.line, work.customID, LineError(error, work.customID))
            return
        }
        let header = ResponseHeader(
            id: id(work.line, work.customID), created: created, model: model.served.name, tellsCachedTokens: false)
        let statistics = work.choices.map(\.statistics)
        record(
            work.line, BatchRecord.answer(work.customID, header.id, work.task.response(work.choices, header)),
            failed: false, prompt: work.task.prompts.reduce(0) { $0 + $1.count },
            generated: statistics.reduce(0) { $0 + $1.generatedTokens },
            prefilled: statistics.reduce(0) { $0 + $1.promptTokens - $1.cachedTokens })
    }

    // MARK: Results

    private func record(_ line: Int, _ customID: String, _ error: LineError) {
        record(line, BatchRecord.refusal(line, customID, id(line, customID), error), failed: true)
    }

    private func record(
        _ line: Int, _ bytes: [UInt8], failed: Bool, prompt: Int = 0, generated: Int = 0, prefilled: Int = 0
    ) {
        let offset = output.append(bytes)
        results.append(
            JobStore.Result(
                line: line, offset: offset, length: bytes.count, failed: failed, prompt: prompt, generated: generated,
                prefilled: prefilled))
        progress.finished += 1
        progress.finishedNow += 1
        progress.failed += failed ? 1 : 0
        progress.promptTokens += prompt
        progress.generatedTokens += generated
        progress.prefilledTokens += prefilled
    }

    /// Makes the results durable, then says so in the progress.
    private func commit() throws {
        try output.commit()
        try store.record(
            results,
            [
                "seconds": String(figures.seconds + elapsed), "steps": String(figures.steps),
                "active": String(figures.active),
            ])
        results.removeAll(keepingCapacity: true)
        lastCommit = .now
    }

    private var elapsed: Double { (ContinuousClock.now - start) / .seconds(1) }

    private func tell() {
        progress.seconds = elapsed
        report(progress)
    }
}
