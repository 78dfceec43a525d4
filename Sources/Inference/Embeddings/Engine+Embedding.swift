internal import Models

extension EngineLoop {
    /// Enters a text to be turned into a vector, by hand. It shares the steps, the pages and the queue of all other requests, and is
    /// ended by ``cancel(id:)`` as they are.
    ///
    /// - Parameters:
    ///   - id: that of no other request.
    ///   - input: the text's number in what `send` may say is wrong with it.
    ///   - send: called once, in a step or by what ends the request.
    public func embed(
        _ request: EmbeddingRequest, id: Int, input: Int = 0,
        send: @escaping (Result<Embedding, EmbeddingError>) -> Void
    ) throws(EmbeddingError) {
        add(try model.admit(request, id: id, input: input, configuration, send: send))
    }
}

extension Engine {
    /// Turns a text into a vector: the final hidden states of its tokens, pooled, of length 1. It runs beside all other requests, in the
    /// same steps; a task that is cancelled takes it back.
    ///
    /// - Parameter input: the text's number in the errors' sentences.
    /// - Throws: ``EmbeddingError``.
    public func embed(_ request: EmbeddingRequest, input: Int = 0) async throws -> Embedding {
        let id = takeIDs(1)
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Embedding, any Error>) in
                do throws(EmbeddingError) {
                    let sequence = try model.admit(request, id: id, input: input, configuration) { result in
                        continuation.resume(with: result.mapError { $0 as any Error })
                    }
                    sequence.statistics.arrival = .now
                    mailbox.post(.submit([sequence]))
                    // A cancellation that came before the request did was not heard.
                    if Task.isCancelled { mailbox.post(.cancel(id)) }
                } catch {
                    continuation.resume(throwing: error)
                }
            }
        } onCancel: {
            mailbox.post(.cancel(id))
        }
    }
}

extension Model {
    /// Checks a text to be embedded and makes it a sequence, one that generates nothing.
    func admit(
        _ request: EmbeddingRequest, id: Int, input: Int, _ configuration: EngineConfiguration,
        send: @escaping (Result<Embedding, EmbeddingError>) -> Void
    ) throws(EmbeddingError) -> TokenSequence {
        let context = configuration.contextLimit(shape)
        guard !request.tokens.isEmpty else { throw .empty(input: input) }
        guard request.tokens.count <= context else {
            throw .tooLong(input: input, tokens: request.tokens.count, context: context)
        }
        let pooled = PooledStates(request.pooling, width: shape.width)
        var generation = GenerationRequest(prompt: request.tokens, sampling: .greedy, maximumTokens: 0)
        generation.priority = request.priority
        generation.user = request.user
        generation.deadline = request.deadline
        generation.cacheSalt = request.cacheSalt
        generation.reuse = request.reuse
        do throws(EngineError) {
            let sequence = try admit(generation, id: id, [], configuration) { outcome in
                switch outcome {
                case .success(.finished(.length, let statistics)):
                    guard let vector = pooled.unit else { return send(.failure(.notFinite(input: input))) }
                    send(.success(Embedding(vector: vector, statistics: statistics)))
                case .success(.finished(let reason, _)): send(.failure(.ended(input: input, reason)))
                case .success: break
                case .failure(let error): send(.failure(.engine(input: input, error)))
                }
            }
            sequence.pooled = pooled
            return sequence
        } catch {
            throw .engine(input: input, error)
        }
    }
}
