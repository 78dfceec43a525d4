internal import Models
public import Tensors

#if canImport(Glibc)
    internal import Glibc
#endif

/// How an engine uses the machine. Nothing here changes a token.
public struct EngineConfiguration: Sendable {
    /// Threads of the forward pass; nil for one a core that the process may use.
    public var threads: Int?
    /// The kernel table; nil for the fastest.
    public var kernels: KernelTable?
    /// Positions in a page: a multiple of 16.
    public var pageSize = 64
    /// How keys and values are stored. Part of the answer's definition, unlike the rest.
    public var cacheType = CacheType.f32
    /// Bytes for the cache; nil for what the largest context needs, or a quarter of the memory where that is more.
    public var cacheBytes: Int?
    /// The most positions of a sequence; nil for the model's own context.
    public var context: Int?
    /// The most rows of a step.
    public var tokenBudget = 512
    /// The most sequences that run at once.
    public var maximumRunning = 64
    /// Whether computed prefixes are kept and shared.
    public var sharesPrefixes = true

    public init() {}

    /// Cores that this process may use: its affinity, and its control group's quota rounded up.
    public static var availableCores: Int {
        var cores = availableProcessors()
        if let quota = controlGroupCores() { cores = min(cores, quota) }
        return max(cores, 1)
    }

    private static func controlGroupCores() -> Int? {
        guard let file = fopen("/sys/fs/cgroup/cpu.max", "r") else { return nil }
        defer { fclose(file) }
        var buffer = [CChar](repeating: 0, count: 64)
        guard fgets(&buffer, Int32(buffer.count), file) != nil else { return nil }
        let text = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let parts = text.split(whereSeparator: { $0 == " " || $0 == "\n" })
        guard parts.count == 2, let quota = Int(parts[0]), let period = Int(parts[1]), quota > 0, period > 0 else {
            return nil
        }
        return (quota + period - 1) / period
    }

    /// Refuses what no engine can run with.
    func validate() throws(EngineError) {
        let atLeastOne = [
            ("threads", threads ?? 1), ("token budget", tokenBudget), ("number of running sequences", maximumRunning),
            ("context", context ?? 1), ("page size", pageSize),
        ]
        for (field, value) in atLeastOne where value < 1 {
            throw .configuration(field: field, value: value, allowed: "1 or more")
        }
        guard pageSize % 16 == 0 else {
            throw .configuration(field: "page size", value: pageSize, allowed: "a multiple of 16")
        }
    }

    /// Pages of the cache for a model.
    ///
    /// - Throws: ``EngineError/cacheTooSmall(neededPages:pages:pageSize:)`` where the bytes do not hold one page.
    func pageCount(_ shape: ModelShape) throws(EngineError) -> Int {
        let bytes = CacheStorage.pageBytes(layers: shape.cache, pageSize: pageSize, type: cacheType)
        let contextPages = (contextLimit(shape) + pageSize - 1) / pageSize
        if let cacheBytes {
            let pages = cacheBytes / max(bytes, 1)
            guard pages > 0 else { throw .cacheTooSmall(neededPages: 1, pages: 0, pageSize: pageSize) }
            return pages
        }
        let memory = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
        // More than every running sequence at full context can use would be idle.
        return max(contextPages, min(memory / 4 / max(bytes, 1), contextPages * maximumRunning))
    }

    func contextLimit(_ shape: ModelShape) -> Int { min(context ?? shape.context, shape.context) }
}
