internal import Inference
internal import OpenAI

/// Makes vectors, one request at a time.
actor EmbeddingDesk {
    private var embedder: Embedder?

    func vectors(_ task: EmbeddingTask, _ engine: Engine) throws -> [[Float]] {
        do {
            let embedder = try embedder ?? Embedder(model: engine.model, configuration: engine.configuration)
            self.embedder = embedder
            return try embedder.vectors(task.inputs, pooling: task.pooling)
        } catch let error as EmbeddingError {
            if case .notFinite = error { throw APIError("\(error)", status: 500, type: "server_error") }
            throw APIError("\(error)", parameter: "input", code: "context_length_exceeded")
        }
    }
}
