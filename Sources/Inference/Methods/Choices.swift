internal import Synchronization
internal import Tensors

/// What the scores of a step are used for: noted one by one, worked out on all threads, taken one by one in the same order.
///
/// A choice is a function of its scores and of what its sequence holds (law 5), so neither the threads nor their number shows in it.
/// Nothing of a sequence may change between ``add(_:_:position:)`` and ``make(_:_:vocabulary:)``.
final class Choices: SharedWork {
    struct Choice {
        let sequence: TokenSequence
        /// [vocabulary] of one row; nil where the sequence ends without another token.
        let scores: UnsafeBufferPointer<Float>?
        /// The place in the prompt whose successor these scores weigh; nil where they choose the next token.
        let position: Int?
        var token: Result<SampledToken, SamplingError>?
        var promptToken: PromptToken?
    }

    private let method: any GenerationMethod
    private var choices: UnsafeMutablePointer<Choice>
    private var capacity: Int
    private(set) var count = 0
    /// One for each part: parts run at the same time.
    private let scratches: [SamplerScratch]
    private let next = Atomic<Int>(0)

    /// - Parameter capacity: how many choices a step usually has at most.
    init(_ method: any GenerationMethod, vocabulary: Int, threads: Int, capacity: Int) {
        self.method = method
        self.capacity = max(capacity, 1)
        choices = .allocate(capacity: self.capacity)
        scratches = (0..<threads).map { _ in SamplerScratch(vocabularySize: vocabulary) }
    }

    deinit {
        removeAll()
        choices.deallocate()
    }

    subscript(index: Int) -> Choice {
        precondition(index >= 0 && index < count)
        return choices[index]
    }

    func add(_ sequence: TokenSequence, _ scores: UnsafeBufferPointer<Float>?, position: Int? = nil) {
        if count == capacity { grow() }
        (choices + count).initialize(to: Choice(sequence: sequence, scores: scores, position: position))
        count += 1
    }

    private func grow() {
        let larger = UnsafeMutablePointer<Choice>.allocate(capacity: 2 * capacity)
        larger.moveInitialize(from: choices, count: count)
        choices.deallocate()
        (choices, capacity) = (larger, 2 * capacity)
    }

    func removeAll() {
        choices.deinitialize(count: count)
        count = 0
    }

    /// Works out all of them. O(choices × vocabulary), without heap allocation unless log-probabilities of further tokens are asked for.
    func make(_ ops: Ops, vocabulary: Int) {
        next.store(0, ordering: .relaxed)
        // A greedy choice takes about a sixth of a nanosecond for each token of the vocabulary, a draw one or two.
        ops.share(self, parts: min(scratches.count, count), nanoseconds: count * vocabulary / 2)
    }

    func run(part: Int) {
        let scratch = scratches[part]
        while true {
            let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
            guard index < count else { return }
            make(choices + index, scratch)
        }
    }

    private func make(_ choice: UnsafeMutablePointer<Choice>, _ scratch: SamplerScratch) {
        let sequence = choice.pointee.sequence
        guard let scores = choice.pointee.scores else { return }
        if let position = choice.pointee.position {
            let id = sequence.tokens[position + 1]
            let (chosen, top) = scratch.modelLogprobs(scores, of: id, top: sequence.request.promptLogprobs ?? 0)
            choice.pointee.promptToken = PromptToken(id: id, logprob: chosen, topLogprobs: top)
            return
        }
        do throws(SamplingError) {
            choice.pointee.token = .success(try method.choose(scores, sequence, scratch))
        } catch {
            choice.pointee.token = .failure(error)
        }
    }
}
