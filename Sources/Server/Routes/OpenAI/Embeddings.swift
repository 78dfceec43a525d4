internal import Hummingbird
internal import Inference
internal import OpenAI

/// `POST /v1/embeddings`.
enum Embeddings {
    static func answer(_ exchange: Exchange) async throws -> Response {
        let body = try await exchange.json()
        let service = exchange.service
        let lease = try await service.pool.lease(try ModelName.of(body))
        let task = try EmbeddingTask(body, model: lease.model.served, defaults: service.defaults)
        let connection = try await ConnectionWatch.state(of: exchange.context.channel)
        try service.gate.enter(waiting: lease.model.engine.statistics.waiting)
        defer { service.gate.leave() }
        let user = service.user(of: exchange, named: task.service.user)
        let work = Task { try await Self.vectors(task, lease.model.engine, user) }
        let token = connection.onGone { work.cancel() }
        defer { connection.forget(token) }
        let vectors = try await work.value
        exchange.context.notes.add("model", lease.model.name)
        exchange.context.notes.add("prompt_tokens", task.inputs.reduce(0) { $0 + $1.count })
        return .json(
            task.response(vectors, model: lease.model.name),
            headers: CompletionAnswer.ignoredFields(task.ignored, exchange))
    }

    /// A vector for each input, computed in the engine's steps beside all else.
    private static func vectors(_ task: EmbeddingTask, _ engine: Engine, _ user: String?) async throws -> [[Float]] {
        let deadline = task.service.timeout.map { ContinuousClock.now + .seconds($0) }
        do {
            return try await withThrowingTaskGroup(of: (Int, [Float]).self) { group in
                for (input, tokens) in task.inputs.enumerated() {
                    group.addTask {
                        var request = EmbeddingRequest(tokens: tokens, pooling: task.pooling)
                        request.priority = task.service.priority
                        request.user = user
                        request.deadline = deadline
                        request.cacheSalt = task.service.cacheSalt
                        return (input, try await engine.embed(request, input: input).vector)
                    }
                }
                var vectors: [[Float]] = Array(repeating: [], count: task.inputs.count)
                for try await (input, vector) in group { vectors[input] = vector }
                return vectors
            }
        } catch let error as EmbeddingError {
            throw described(error)
        }
    }

    private static func described(_ error: EmbeddingError) -> any Error {
        switch error {
        case .tooLong: APIError("\(error)", parameter: "input", code: "context_length_exceeded")
        case .ended(_, .deadline):
            APIError("\(error)", status: 408, type: "timeout_error", parameter: "timeout", code: "request_timeout")
        case .ended: CancellationError()
        case .engine(_, let cause): APIError(cause)
        case .empty, .notFinite: APIError("\(error)", status: 500, type: "server_error")
        }
    }
}
