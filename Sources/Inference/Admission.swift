internal import Models
internal import Tensors

extension Model {
    /// Checks a request and makes it a sequence.
    ///
    /// - Parameter variant: the rotation variant of the sequence that it goes on from; nil for its own.
    /// - Throws: ``EngineError`` for what can never be run, with the numbers that say why.
    func admit(
        _ request: GenerationRequest, id: Int, _ endOfGeneration: [Int32], _ configuration: EngineConfiguration,
        variant: Int? = nil, send: @escaping (Result<GenerationEvent, EngineError>) -> Void
    ) throws(EngineError) -> TokenSequence {
        let vocabulary = shape.vocabulary
        guard !request.prompt.isEmpty else { throw .emptyPrompt }
        for (position, token) in request.prompt.enumerated() where token < 0 || Int(token) >= vocabulary {
            throw .tokenOutOfRange(token: token, position: position, vocabulary: vocabulary)
        }
        let context = configuration.contextLimit(shape)
        if let limit = request.maximumTokens, limit < 0 { throw .negativeLimit(limit) }
        let room = context - request.prompt.count
        guard room > 0 || (room == 0 && request.maximumTokens == 0) else {
            throw .contextOverflow(prompt: request.prompt.count, context: context)
        }
        let wanted = configuration.length(of: request, shape)
        // A request that names no limit may have what the cache holds; one that names its limit gets it or is refused.
        let pageSize = configuration.pageSize
        let (pages, available) = ((wanted + pageSize - 1) / pageSize, configuration.pageCount(shape))
        let limit = request.maximumTokens == nil ? min(wanted, available * pageSize) : wanted
        guard limit > request.prompt.count || limit == wanted, pages <= available || limit < wanted else {
            throw .cacheTooSmall(
                neededPages: request.maximumTokens == nil ? request.prompt.count / pageSize + 1 : pages,
                pages: available, pageSize: pageSize)
        }
        let sampler: Sampler
        do throws(SamplingError) {
            sampler = try Sampler(
                request.sampling,
                vocabulary: SamplingVocabulary(
                    size: vocabulary, endOfGeneration: endOfGeneration.filter { $0 >= 0 && Int($0) < vocabulary }),
                seed: request.seed, sampleIndex: request.sampleIndex)
        } catch {
            throw .sampling(error)
        }
        return TokenSequence(
            id: id, request: request, sampler: sampler, limit: limit, pageSize: pageSize,
            rotationVariant: variant ?? rotationVariant(length: wanted), send: send)
    }
}

extension EngineLoop {
    /// Enters a request by hand, for owners that step the loop themselves.
    ///
    /// - Parameter id: that of no other request.
    /// - Returns: the request's id, for ``cancel(id:)``.
    @discardableResult
    public func submit(
        _ request: GenerationRequest, id: Int, endOfGeneration: [Int32] = [],
        send: @escaping (Result<GenerationEvent, EngineError>) -> Void
    ) throws(EngineError) -> Int {
        add(try model.admit(request, id: id, endOfGeneration, configuration, send: send))
        return id
    }

    /// Enters parallel samples: requests with one prompt, which is computed once. They differ in what else they like.
    ///
    /// - Parameter id: the first one's id; the others' count up from it.
    /// - Throws: ``EngineError/samplesDiffer(index:)``, and what a submission throws; then none was entered.
    public func submit(
        samples requests: [GenerationRequest], id: Int, endOfGeneration: [Int32] = [],
        send: @escaping (_ index: Int, Result<GenerationEvent, EngineError>) -> Void
    ) throws(EngineError) {
        let samples = try model.admit(samples: requests, id: id, endOfGeneration, configuration, send: send)
        guard let first = samples.first else { return }
        add(first, followers: Array(samples.dropFirst()))
    }
}

extension Model {
    /// Checks parallel samples and makes them sequences.
    func admit(
        samples requests: [GenerationRequest], id: Int, _ endOfGeneration: [Int32],
        _ configuration: EngineConfiguration, send: @escaping (Int, Result<GenerationEvent, EngineError>) -> Void
    ) throws(EngineError) -> [TokenSequence] {
        var samples: [TokenSequence] = []
        for (index, request) in requests.enumerated() {
            let sample = try admit(request, id: id + index, endOfGeneration, configuration) { send(index, $0) }
            let first = samples.first ?? sample
            // Scores of the prompt are each request's own rows, so only its first sample can have them.
            guard request.prompt == first.request.prompt, sample.salt == first.salt,
                index == 0 || request.promptLogprobs == nil
            else { throw .samplesDiffer(index: index) }
            samples.append(sample)
        }
        return samples
    }
}
