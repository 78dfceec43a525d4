public import Models

/// What computes texts' vectors when somebody lets it: an engine's loop, or what stands for one.
public protocol EmbeddingEngine: AnyObject {
    /// Enters a text; see ``EngineLoop/embed(_:id:input:send:)``.
    func embed(
        _ request: EmbeddingRequest, id: Int, input: Int, send: @escaping (Result<Embedding, EmbeddingError>) -> Void
    ) throws(EmbeddingError)

    func cancel(id: Int)

    /// Goes on a little.
    @discardableResult func step() -> Bool
}

extension EngineLoop: EmbeddingEngine {}

/// Texts to vectors, several at a time, for callers who wait. Not thread-safe.
public final class Embedder {
    private let loop: any EmbeddingEngine
    private var nextID: Int

    /// Makes an engine's loop for texts alone, with the cache that the configuration gives it.
    public convenience init(model: any Model, configuration: EngineConfiguration) throws(EngineError) {
        self.init(try EngineLoop(model: model, configuration: configuration))
    }

    /// - Parameters:
    ///   - loop: what runs the texts, and perhaps other things beside them.
    ///   - firstID: ids from here on are those of texts, and of no other request of the loop.
    public init(_ loop: any EmbeddingEngine, firstID: Int = 0) {
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
