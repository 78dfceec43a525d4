public import Models
public import Tensors

/// Runs a model by hand, without the engine: sequences with pages of their own, any mix of runs in a step.
public final class ModelRunner {
    public final class Sequence {
        public var tokens: [Int32] = []
        public var computed = 0
        public let pages: PageList
        public let variant: Int

        init(capacity: Int, variant: Int) {
            pages = PageList(capacity: capacity)
            self.variant = variant
        }
    }

    public let model: any Model
    public let cache: CacheStorage
    public let scratch: Scratch
    private let batch: Batch
    private var nextPage = 0

    public init(
        _ model: any Model, kernels: KernelTable = KernelTable.available[0], threads: Int = 1, pageSize: Int = 16,
        pageCount: Int = 256, type: CacheType = .f32, rows: Int = 256
    ) {
        self.model = model
        cache = CacheStorage(layers: model.shape.cache, pageSize: pageSize, pageCount: pageCount, type: type)!
        scratch = Scratch(
            model: model, kernels: kernels, threads: threads, maximumRows: rows, maximumOutputs: rows)
        batch = Batch(capacity: rows)
    }

    /// - Parameter length: the most tokens it will ever have; chooses the rotation variant.
    public func sequence(_ tokens: [Int32] = [], length: Int) -> Sequence {
        let pages = (length + cache.pageSize - 1) / cache.pageSize
        let sequence = Sequence(capacity: pages, variant: model.rotationVariant(length: length))
        sequence.tokens = tokens
        return sequence
    }

    /// Computes the next `count` tokens of each sequence in one step. Returns [sequence][row][vocabulary] scores.
    public func step(_ runs: [(sequence: Sequence, count: Int)]) -> [[[Float]]] {
        batch.removeAll()
        for (sequence, count) in runs {
            while sequence.pages.count * cache.pageSize < sequence.computed + count {
                precondition(nextPage < cache.pageCount, "the runner is out of pages")
                sequence.pages.append(Int32(nextPage))
                nextPage += 1
            }
            for position in sequence.computed..<sequence.computed + count {
                batch.rows.append(
                    token: sequence.tokens[position], position: position, slot: position, visible: position + 1,
                    variant: sequence.variant, pages: sequence.pages)
                batch.wantScores()
            }
        }
        let scores = model.forward(batch, cache, scratch)
        var row = 0
        var results: [[[Float]]] = []
        for (sequence, count) in runs {
            results.append((0..<count).map { Array(scores.elements(of: row + $0)) })
            row += count
            sequence.computed += count
        }
        return results
    }

    /// Scores of every token of a prompt, computed `chunk` tokens a step.
    public func prefill(_ sequence: Sequence, chunk: Int = 256) -> [[Float]] {
        var rows: [[Float]] = []
        while sequence.computed < sequence.tokens.count {
            rows += step([(sequence, min(chunk, sequence.tokens.count - sequence.computed))])[0]
        }
        return rows
    }
}

/// The place of the largest score, the lowest among equals.
public func argmax(_ row: [Float]) -> Int32 {
    var best = 0
    for index in row.indices where row[index] > row[best] { best = index }
    return Int32(best)
}
