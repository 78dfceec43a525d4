public import Models
internal import Tensors

/// Where an engine's memory goes: worked out before anything is loaded, and kept under any load.
public struct MemoryPlan: Sendable, Equatable, CustomStringConvertible {
    /// Bytes of the model's weights, of the pass's working memory, of the cache.
    public var weights: Int
    public var working: Int
    public var cache: Int
    /// Tokens that the cache holds, and those that one sequence may have.
    public var cacheTokens: Int
    public var context: Int
    /// Bytes that the process could take before all that; nil where the system does not say.
    public var available: Int?
    /// Whether the cache's bytes were given and not planned.
    public var isCacheGiven: Bool

    public var total: Int { weights + working + cache }

    public var description: String {
        var text =
            "memory: \(bytes(weights)) of weights, \(bytes(working)) to work in, "
            + "\(bytes(cache)) of cache for \(cacheTokens) tokens (\(isCacheGiven ? "as given" : "planned"))"
        if let available { text += ", of \(bytes(available)) that are free" }
        if cacheTokens < context {
            text += "; a context of \(context) tokens does not fit, so an answer ends at \(cacheTokens)"
        }
        return text
    }

    private func bytes(_ count: Int) -> String {
        var (value, unit) = (Double(count), 0)
        while value >= 1000, unit < 4 { (value, unit) = (value / 1000, unit + 1) }
        let tenths = Int((value * 10).rounded())
        return unit == 0 ? "\(count) B" : "\(tenths / 10).\(tenths % 10) \(["B", "KB", "MB", "GB", "TB"][unit])"
    }
}

extension EngineConfiguration {
    /// Plans the memory of an engine for a model.
    ///
    /// Where the cache's bytes are not given it gets half of what the process may still take beside weights and working
    /// memory, and no more than all running sequences can use at full context.
    ///
    /// - Throws: ``EngineError/cacheTooSmall(neededPages:pages:pageSize:)`` where the given bytes do not hold one page,
    ///   ``EngineError/memoryTooSmall(needed:available:)`` where the machine's memory does not.
    public func memoryPlan(_ shape: ModelShape, machine: Machine = Machine()) throws(EngineError) -> MemoryPlan {
        try validate()
        let page = max(1, layout.pageBytes(shape.cache, pageSize: pageSize))
        let context = contextLimit(shape)
        let working = Scratch.bytes(shape, maximumRows: tokenBudget, maximumOutputs: maximumOutputs)
        var plan = MemoryPlan(
            weights: shape.weightBytes, working: working, cache: 0, cacheTokens: 0, context: context,
            available: machine.availableMemory, isCacheGiven: cacheBytes != nil)
        let pages: Int
        if let cacheBytes {
            pages = cacheBytes / page
            guard pages > 0 else { throw .cacheTooSmall(neededPages: 1, pages: 0, pageSize: pageSize) }
        } else {
            // More than every running sequence at full context can use would be idle.
            let (most, overflow) = ((context + pageSize - 1) / pageSize).multipliedReportingOverflow(by: maximumRunning)
            let free = plan.available.map { ($0 - shape.weightBytes - working) / 2 / page }
            pages = min(overflow ? Int(Int32.max) : most, free ?? Int(Int32.max))
            guard pages > 0 else {
                throw .memoryTooSmall(
                    needed: shape.weightBytes + working + 2 * page, available: plan.available ?? 0)
            }
        }
        // Pages have numbers of 32 bits.
        let count = min(pages, Int(Int32.max))
        plan.cache = count * page
        plan.cacheTokens = count * pageSize
        return plan
    }

    /// The same configuration with the cache's bytes filled in.
    func planned(_ shape: ModelShape) throws(EngineError) -> EngineConfiguration {
        var configuration = self
        configuration.cacheBytes = try memoryPlan(shape).cache
        return configuration
    }

    /// Pages of the cache once its bytes are known.
    func pageCount(_ shape: ModelShape) -> Int {
        (cacheBytes ?? 0) / max(1, layout.pageBytes(shape.cache, pageSize: pageSize))
    }

    /// The most tokens that a request may come to have.
    func length(of request: GenerationRequest, _ shape: ModelShape) -> Int {
        let room = max(contextLimit(shape) - request.prompt.count, 0)
        return request.prompt.count + min(request.maximumTokens ?? room, room)
    }

    func contextLimit(_ shape: ModelShape) -> Int { min(context ?? shape.context, shape.context) }
}
