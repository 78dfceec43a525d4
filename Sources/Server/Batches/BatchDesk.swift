internal import BatchJobs
internal import Foundation
internal import Inference
internal import Logging
internal import OpenAI
internal import ServiceLifecycle
internal import Synchronization

/// Runs the server's batches, one after another, oldest first. What a restart has interrupted goes on where it was.
///
/// A batch's lines are answered by the model's own engine beside all other requests, as the ones for which nobody waits.
final class BatchDesk: ServiceLifecycle.Service {
    private let service: Service
    private let state: ServerState
    private let stops = Mutex<[String: StopFlag]>([:])
    /// How far the one that runs is.
    private let running = Mutex<(id: String, progress: LatestProgress)?>(nil)
    private let (wakes, wake) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))

    init(_ service: Service, _ state: ServerState) {
        self.service = service
        self.state = state
    }

    /// Asks a job's thread to stop.
    private final class StopFlag: Sendable {
        private let value = Atomic(false)
        func set() { value.store(true, ordering: .releasing) }
        var isSet: Bool { value.load(ordering: .acquiring) }
    }

    /// How far a job said it was.
    private final class LatestProgress: Sendable {
        private let latest = Mutex(BatchJob.Progress())

        var value: BatchJob.Progress {
            get { latest.withLock { $0 } }
            set { latest.withLock { $0 = newValue } }
        }
    }

    /// There is a new batch.
    func wakeUp() { wake.yield() }

    /// A batch as it is at this moment.
    func present(_ batch: StoredBatch) -> StoredBatch {
        guard let now = running.withLock({ $0?.id == batch.id ? $0?.progress.value : nil }), now.stage == .running else {
            return batch
        }
        var batch = batch
        batch.completed = now.finished - now.failed
        batch.failed = now.failed
        return batch
    }

    /// Ends a batch; what is answered by then is kept.
    func cancel(_ id: String, owner: String) async throws -> StoredBatch {
        var batch = try await state.batch(id, owner: owner)
        guard !batch.status.hasEnded else {
            throw APIError(
                "the batch has already ended (\(batch.status.rawValue))", status: 409, code: "batch_ended")
        }
        batch.enter(.cancelling)
        try await state.put(batch)
        stops.withLock { $0[id]?.set() }
        wakeUp()
        return batch
    }

    func run() async throws {
        wakeUp()
        await withTaskCancellationOrGracefulShutdownHandler {
            for await _ in wakes {
                while !service.gate.isDraining, let batch = try? await state.unfinishedBatches().first {
                    await carryOut(batch)
                }
                if service.gate.isDraining { break }
            }
        } onCancelOrGracefulShutdown: {
            self.service.gate.drain()
            self.stops.withLock { for flag in $0.values { flag.set() } }
            self.wake.finish()
        }
    }

    // MARK: One batch

    private func folder(_ batch: StoredBatch) -> String { state.folder + "/batches/" + batch.id }

    private func carryOut(_ given: StoredBatch) async {
        var batch = given
        let flag = StopFlag()
        stops.withLock { $0[batch.id] = flag }
        defer { stops.withLock { _ = $0.removeValue(forKey: batch.id) } }
        do {
            if batch.status == .validating { try await validate(&batch) }
            if batch.status == .inProgress { try await answer(&batch, flag) }
            // Whoever cancels does so in the database.
            if let status = try? await state.batch(batch.id, owner: nil).status, status == .cancelling {
                batch.status = .cancelling
            }
            if batch.status == .finalizing || batch.status == .cancelling { try await finish(&batch) }
        } catch is CancellationError {
            return
        } catch {
            service.log.error("batch \(batch.id) failed: \(error)")
            batch.fail("server_error", String(describing: error))
            try? await state.put(batch)
        }
    }

    /// Looks at every line: whether it is a request to the batch's endpoint, and which model it names.
    private func validate(_ batch: inout StoredBatch) async throws {
        let path = state.path(ofFile: batch.input)
        let survey = try await Blocking.run { [endpoint = batch.endpoint] in
            try BatchSurvey(path: path, endpoint: endpoint)
        }
        for mistake in survey.mistakes.prefix(20) { batch.fail(mistake.code, mistake.message, line: mistake.line) }
        if survey.mistakes.isEmpty {
            do {
                batch.model = try service.pool.find(survey.model).name
                batch.total = survey.lines
                batch.enter(.inProgress)
            } catch {
                batch.fail(error.code ?? error.type, error.message)
            }
        }
        try await put(&batch)
    }

    /// Keeps a batch, unless somebody has cancelled it meanwhile.
    private func put(_ batch: inout StoredBatch) async throws {
        if let present = try? await state.batch(batch.id, owner: nil), present.status == .cancelling {
            batch.times["cancelling"] = present.times["cancelling"]
            batch.status = .cancelling
        }
        try await state.put(batch)
    }

    private func answer(_ batch: inout StoredBatch, _ flag: StopFlag) async throws {
        let lease = try await service.pool.lease(batch.model)
        try FileManager.default.createDirectory(atPath: folder(batch), withIntermediateDirectories: true)
        var job = BatchJob(
            input: state.path(ofFile: batch.input), output: folder(batch) + "/answers.jsonl", model: lease.model.name)
        job.resumes = true
        job.created = batch.created
        job.engine = lease.model.engine.configuration
        job.user = service.isFairByKey ? batch.owner : nil
        job.defaults = service.settings.defaults
        job.defaults.ignoresUnknownFields = false
        job.defaults.maximumSamples = service.settings.limits.samples
        let progress = LatestProgress()
        running.withLock { $0 = (batch.id, progress) }
        defer { running.withLock { $0 = nil } }
        let (ready, gate) = (job, service.gate)
        let outcome = try await Blocking.run {
            try ready.run(on: lease.model.language, stops: { flag.isSet || gate.isDraining }) { progress.value = $0 }
        }
        switch outcome {
        case .finished(let report):
            batch.completed = report.requests - report.failed
            batch.failed = report.failed
            batch.enter(.finalizing)
            try await put(&batch)
        case .interrupted(let finished, _):
            // Asked to stop: cancelled, or the server ends and the next one goes on.
            batch.completed = finished
            try await put(&batch)
            if batch.status != .cancelling { throw CancellationError() }
        }
    }

    /// Parts answers from errors, and makes files of both.
    private func finish(_ batch: inout StoredBatch) async throws {
        let answers = folder(batch) + "/answers.jsonl"
        let (good, bad) = (state.uploadPath(), state.uploadPath())
        let counts = try await Blocking.run { try BatchSplit.run(answers, good: good, bad: bad) }
        batch.completed = counts.good
        batch.failed = counts.bad
        if counts.good > 0 {
            batch.output = try await state.addFile(
                at: good, name: batch.id + "_output.jsonl", purpose: "batch_output", owner: batch.owner
            ).id
        }
        if counts.bad > 0 {
            batch.errorFile = try await state.addFile(
                at: bad, name: batch.id + "_error.jsonl", purpose: "batch_output", owner: batch.owner
            ).id
        }
        batch.enter(batch.status == .cancelling ? .cancelled : .completed)
        try await state.put(batch)
        for path in [good, bad, folder(batch)] { try? FileManager.default.removeItem(atPath: path) }
        service.log.info(
            "batch \(batch.status.rawValue)",
            metadata: ["batch": "\(batch.id)", "completed": "\(batch.completed)", "failed": "\(batch.failed)"])
    }
}

/// Work that blocks, on a thread of its own.
enum Blocking {
    static func run<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { continuation.resume(with: Result { try work() }) }
        }
    }
}
