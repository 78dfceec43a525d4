public import Models

/// Texts to vectors, several at a time: ``EngineLoop/embed(_:id:input:send:)`` with a loop of one's own, or with one that also does
/// other things. Not thread-safe.
public final class Embedder {
    public var model: any Model { loop.model }
    private let loop: EngineLoop
    private var nextID: Int

    /// Makes an engine's loop for texts alone.
    public convenience init(model: any Model, configuration: EngineConfiguration) throws(EngineError) {
        self.init(try EngineLoop(model: model, configuration: configuration))
    }

    /// - Parameter firstID: ids from here on are those of texts, and of no other request of the loop.
    public init(_ loop: EngineLoop, firstID: Int = 0) {
        self.loop = loop
        nextID = firstID
    }

    /// Vectors of several texts, computed together where they fit. Steps the loop until all are done; what else runs in it goes on meanwhile.
    ///
    /// - Parameter inputs: tokens of each text, ids of the vocabulary.
    /// - Returns: [inputs][width], each of length 1.
    /// - Throws: the error of the first text that has one; nothing then runs on.
    public func vectors(_ inputs: [[Int32]], pooling: EmbeddingPooling) throws(EmbeddingError) -> [[Float]] {
        try embeddings(inputs, pooling: pooling).map(\.vector)
    }

    /// The same with what each has cost.
    public func embeddings(_ inputs: [[Int32]], pooling: EmbeddingPooling) throws(EmbeddingError) -> [Embedding] {
        let inbox = Inbox(inputs.count)
        let first = nextID
        nextID += inputs.count
        defer { for id in first..<nextID { loop.cancel(id: id) } }
        for (input, tokens) in inputs.enumerated() {
            var request = EmbeddingRequest(tokens: tokens, pooling: pooling)
            request.priority = .batch
            try loop.embed(request, id: first + input, input: input) { inbox.take(input, $0) }
        }
        while inbox.missing > 0, inbox.error == nil { loop.step() }
        if let error = inbox.error { throw error }
        return inbox.embeddings.map { $0! }
    }

    private final class Inbox {
        var embeddings: [Embedding?]
        var missing: Int
        var error: EmbeddingError?

        init(_ count: Int) {
            embeddings = Array(repeating: nil, count: count)
            missing = count
        }

        func take(_ input: Int, _ result: Result<Embedding, EmbeddingError>) {
            missing -= 1
            switch result {
            case .success(let embedding): embeddings[input] = embedding
            case .failure(let failure): error = error ?? failure
            }
        }
    }
}
