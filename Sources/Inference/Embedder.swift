public import Models
internal import Tensors

/// How the hidden states of a text become one vector.
public enum EmbeddingPooling: String, Sendable, CaseIterable {
    /// The state of the last token, which has seen all others.
    case last
    /// The mean of all tokens' states.
    case mean
}

/// Why a text has no embedding.
public enum EmbeddingError: Error, Sendable, Equatable, CustomStringConvertible {
    case empty(input: Int)
    case tooLong(input: Int, tokens: Int, context: Int)
    case notFinite(input: Int)

    public var description: String {
        switch self {
        case .empty(let input): "input \(input) has no tokens; give at least one"
        case .tooLong(let input, let tokens, let context):
            "input \(input) has \(tokens) tokens, more than the context of \(context); shorten it"
        case .notFinite(let input):
            "the model's states for input \(input) have no finite length; check the model file and its number format"
        }
    }
}

/// Texts to vectors: the states after the last norm, pooled and scaled to length 1.
///
/// Like scores, a vector depends on the model, the tokens and the cache type alone: pooling sums ascend along the text in
/// double precision. Not thread-safe.
public final class Embedder {
    public let model: any Model
    private let context: Int
    private let storage: CacheStorage
    private let scratch: Scratch
    private let batch: Batch

    private struct Text {
        let input: Int
        let tokens: [Int32]
        let pages: PageList
        let variant: Int
        var computed = 0
        var sums: [Double]
    }

    /// Allocates a cache for one text of the whole context, or as many shorter ones as it holds.
    public init(model: any Model, configuration: EngineConfiguration) throws(EngineError) {
        try configuration.validate()
        self.model = model
        context = configuration.contextLimit(model.shape)
        let pageCount = (context + configuration.pageSize - 1) / configuration.pageSize
        guard
            let storage = CacheStorage(
                layers: model.shape.cache, pageSize: configuration.pageSize, pageCount: pageCount,
                type: configuration.cacheType)
        else { throw .cacheTooSmall(neededPages: pageCount, pages: 0, pageSize: configuration.pageSize) }
        self.storage = storage
        let rows = configuration.tokenBudget
        scratch = Scratch(
            model: model, kernels: configuration.kernels ?? KernelTable.available[0],
            threads: configuration.threads ?? EngineConfiguration.availableCores, maximumRows: rows, maximumOutputs: rows)
        batch = Batch(capacity: rows)
    }

    /// Vectors of several texts, computed together where they fit.
    ///
    /// - Parameter inputs: tokens of each text, ids of the vocabulary.
    /// - Returns: [inputs][width], each of length 1.
    public func vectors(_ inputs: [[Int32]], pooling: EmbeddingPooling) throws(EmbeddingError) -> [[Float]] {
        for (input, tokens) in inputs.enumerated() {
            guard !tokens.isEmpty else { throw .empty(input: input) }
            guard tokens.count <= context else {
                throw .tooLong(input: input, tokens: tokens.count, context: context)
            }
        }
        var vectors: [[Float]] = []
        var next = 0
        while next < inputs.count {
            var (texts, free): ([Text], Int) = ([], storage.pageCount)
            while next < inputs.count {
                let needed = (inputs[next].count + storage.pageSize - 1) / storage.pageSize
                guard needed <= free else { break }
                let pages = PageList(capacity: needed)
                for page in 0..<needed { pages.append(Int32(storage.pageCount - free + page)) }
                free -= needed
                texts.append(
                    Text(
                        input: next, tokens: inputs[next], pages: pages,
                        variant: model.rotationVariant(length: inputs[next].count),
                        sums: Array(repeating: 0, count: model.shape.width)))
                next += 1
            }
            compute(&texts, pooling)
            for text in texts { vectors.append(try Self.unit(text.sums, text.input)) }
        }
        return vectors
    }

    /// Passes over all of the texts, as many rows at a time as the budget allows.
    private func compute(_ texts: inout [Text], _ pooling: EmbeddingPooling) {
        var first = 0
        while first < texts.count {
            batch.removeAll()
            var wanted: [Int] = []
            for index in first..<texts.count where batch.rows.count < batch.rows.capacity {
                let text = texts[index]
                let count = min(text.tokens.count - text.computed, batch.rows.capacity - batch.rows.count)
                for position in text.computed..<text.computed + count {
                    batch.rows.append(
                        token: text.tokens[position], position: position, slot: position, visible: position + 1,
                        variant: text.variant, pages: text.pages)
                    if pooling == .mean || position == text.tokens.count - 1 {
                        batch.wantScores()
                        wanted.append(index)
                    }
                }
                texts[index].computed += count
            }
            let states = model.states(batch, storage, scratch)
            for (output, index) in wanted.enumerated() {
                let row = states.elements(of: output)
                for element in row.indices { texts[index].sums[element] += Double(row[element]) }
            }
            while first < texts.count, texts[first].computed == texts[first].tokens.count { first += 1 }
        }
    }

    /// Scaled to length 1: so the mean needs no division.
    private static func unit(_ sums: [Double], _ input: Int) throws(EmbeddingError) -> [Float] {
        let length = sums.reduce(0) { $0 + $1 * $1 }.squareRoot()
        guard length.isFinite, length > 0 else { throw .notFinite(input: input) }
        return sums.map { Float($0 / length) }
    }
}
