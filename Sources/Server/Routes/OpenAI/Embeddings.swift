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
        try service.gate.enter(waiting: lease.model.engine.statistics.waiting)
        defer { service.gate.leave() }
        let vectors = try await lease.model.vectors(task)
        exchange.context.notes.add("model", lease.model.name)
        exchange.context.notes.add("prompt_tokens", task.inputs.reduce(0) { $0 + $1.count })
        return .json(
            task.response(vectors, model: lease.model.name),
            headers: CompletionAnswer.ignoredFields(task.ignored, exchange))
    }
}
