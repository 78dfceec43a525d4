internal import Inference
internal import Models
internal import Tensors

/// A network's scores for tokens that are given, without an engine: memory for a few sequences, and one caller.
///
/// Scores are the bits that the engine computes: no row depends on what else is in a batch.
final class ScoreReader {
    /// Tokens to compute and those whose scores are wanted.
    struct Run {
        let tokens: ArraySlice<Int32>
        /// Pages for all of the tokens; those of the tokens before `computed` are filled.
        let pages: PageList
        /// Tokens whose keys and values are in the pages, counted from the first of `tokens`.
        var computed = 0
        /// Places in `tokens`, from 0, whose scores (for the token after) are wanted.
        let scored: Range<Int>
        let variant: Int
    }

    let model: any Model
    let pageCount: Int
    static let pageSize = 16
    /// The most rows of a step.
    let rows: Int
    private let cache: CacheStorage
    private let scratch: Scratch
    private let batch: Batch

    /// - Parameters:
    ///   - configuration: threads, kernels and cache type.
    ///   - positions: tokens that the cache has room for, in pages of 16.
    ///   - rows: the most rows of a step.
    init(
        _ model: any Model, configuration: EngineConfiguration, positions: Int, rows: Int
    ) throws(EngineError) {
        self.model = model
        self.rows = rows
        pageCount = Self.pages(positions)
        guard
            let cache = CacheStorage(
                layers: model.shape.cache, pageSize: Self.pageSize, pageCount: pageCount, type: configuration.cacheType)
        else { throw .cacheTooSmall(neededPages: pageCount, pages: 0, pageSize: Self.pageSize) }
        self.cache = cache
        scratch = Scratch(
            model: model, kernels: configuration.kernels ?? KernelTable.available[0],
            threads: configuration.threads ?? EngineConfiguration.availableCores, maximumRows: rows,
            maximumOutputs: rows)
        batch = Batch(capacity: rows)
    }

    /// Rows of a step such that their scores take about 64 MB at most.
    static func rows(vocabulary: Int) -> Int { min(256, max(16, (64 << 20) / (4 * max(vocabulary, 1)))) }

    static func pages(_ positions: Int) -> Int { (positions + pageSize - 1) / pageSize }

    /// Bytes beside the weights that a reader takes.
    static func bytes(_ shape: ModelShape, cacheType: CacheType, positions: Int, rows: Int) -> Int {
        pages(positions) * CacheStorage.pageBytes(layers: shape.cache, pageSize: pageSize, type: cacheType)
            + Scratch.bytes(shape, maximumRows: rows, maximumOutputs: rows)
    }

    /// Pages `first ..< first + count` as a list.
    func pages(_ first: Int, count: Int) -> PageList {
        let list = PageList(capacity: count)
        for page in first..<first + count { list.append(Int32(page)) }
        return list
    }

    /// Computes as many tokens of one run as a step holds.
    ///
    /// - Returns: the places whose scores are in the rows, in order; the rows are valid until the next step.
    func step(_ run: inout Run) -> (places: Range<Int>, scores: Rows) {
        batch.removeAll()
        let end = min(run.tokens.count, run.computed + rows)
        let places = run.scored.clamped(to: run.computed..<end)
        append(run, run.computed..<end, places)
        run.computed = end
        return (places, model.forward(batch, cache, scratch))
    }

    /// Computes all of several runs, as many rows at a time as a step holds.
    ///
    /// - Parameter body: gets the run, the place in its tokens and the scores of each wanted place.
    func read(_ runs: [Run], _ body: (Int, Int, UnsafeBufferPointer<Float>) -> Void) {
        var runs = runs
        var first = 0
        while first < runs.count {
            batch.removeAll()
            var wanted: [(run: Int, place: Int)] = []
            for index in first..<runs.count where batch.rows.count < rows {
                let run = runs[index]
                let end = min(run.tokens.count, run.computed + rows - batch.rows.count)
                let places = run.scored.clamped(to: run.computed..<end)
                append(run, run.computed..<end, places)
                wanted += places.map { (index, $0) }
                runs[index].computed = end
            }
            let scores = model.forward(batch, cache, scratch)
            for (row, item) in wanted.enumerated() {
                body(item.run, item.place, UnsafeBufferPointer(scores.elements(of: row)))
            }
            while first < runs.count, runs[first].computed == runs[first].tokens.count { first += 1 }
        }
    }

    private func append(_ run: Run, _ places: Range<Int>, _ scored: Range<Int>) {
        for place in places {
            batch.rows.append(
                token: run.tokens[run.tokens.startIndex + place], position: place, slot: place, visible: place + 1,
                variant: run.variant, pages: run.pages)
            if scored.contains(place) { batch.wantScores() }
        }
    }
}
