internal import Inference
internal import OpenAI

/// Makes vectors: every text of a request enters the engine's queue and runs in the steps of everything else.
struct EmbeddingDesk: Sendable {
    /// - Returns: [inputs][width]. Where one has no vector, the others are taken back.
    func vectors(_ task: EmbeddingTask, _ engine: Engine) async throws -> [[Float]] {
        do {
            return try await withThrowingTaskGroup(of: (Int, [Float]).self) { group in
                for (input, tokens) in task.inputs.enumerated() {
                    let request = EmbeddingRequest(tokens: tokens, pooling: task.pooling)
                    group.addTask { (input, try await engine.embed(request, input: input).vector) }
                }
                var vectors = [[Float]](repeating: [], count: task.inputs.count)
                for try await (input, vector) in group { vectors[input] = vector }
                return vectors
            }
        } catch let error as EmbeddingError {
            switch error {
            case .notFinite: throw APIError("\(error)", status: 500, type: "server_error")
            case .engine(_, let failure): throw APIError(failure)
            case .ended(_, .cancelled): throw CancellationError()
            default: throw APIError("\(error)", parameter: "input", code: "context_length_exceeded")
            }
        }
    }
}
