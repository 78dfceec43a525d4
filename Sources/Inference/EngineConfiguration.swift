internal import Models
public import Tensors

/// How an engine uses the machine. Nothing here changes a token.
public struct EngineConfiguration: Sendable {
    /// Threads of the forward pass; nil for one a core that the process may use.
    public var threads: Int?
    /// Whether weights, once laid out for products, are kept in a file beside the model and mapped at the next start. Read by whoever
    /// loads the model.
    public var keepsPanels = false
    /// The kernel table; nil for the fastest.
    public var kernels: KernelTable?
    /// Positions in a page: a multiple of 16.
    public var pageSize = 64
    /// How keys and values are stored. Part of the answer's definition, unlike the rest.
    public var cacheType = CacheType.f32
    /// Another way to keep them than the plain one of that type; part of the answer's definition too.
    public var cacheLayout: (any CacheLayout)?
    /// Bytes for the cache, kept under any load; nil for what ``memoryPlan(_:machine:)`` plans.
    public var cacheBytes: Int?
    /// The most positions of a sequence; nil for the model's own context.
    public var context: Int?
    /// The most rows of a step.
    public var tokenBudget = 512
    /// The most time between two tokens of an answer under way: prompts are cut so that steps stay within it, as far as
    /// answers alone do. nil to cut by the token budget alone.
    public var targetITL: Duration?
    /// The most sequences that run at once.
    public var maximumRunning = 64
    /// Whether computed prefixes are kept and shared.
    public var sharesPrefixes = true
    /// Who goes first.
    public var scheduling = SchedulingOrder.priority
    /// Which of the prefixes that nobody uses leaves first.
    public var eviction = EvictionOrder.cost
    /// Bytes of the host's memory, beside the cache, for pages that had to leave and will be needed: those of preempted requests
    /// first of all. 0 for none; what leaves is then computed again.
    public var swapBytes = 0
    /// A folder for pages that outlive the process; nil for none.
    public var prefixStore: PrefixStoreConfiguration?

    public init() {}

    /// Cores that this process may use: its affinity, and its control group's quota rounded up.
    public static var availableCores: Int { Machine().cores }

    /// How keys and values are kept.
    var layout: any CacheLayout { cacheLayout ?? PlainLayout(cacheType) }

    /// The most rows of a step whose scores are wanted.
    var maximumOutputs: Int { min(max(maximumRunning, 64), tokenBudget) }

    /// Refuses what no engine can run with.
    func validate() throws(EngineError) {
        let atLeastOne = [
            ("threads", threads ?? 1), ("token budget", tokenBudget), ("number of running sequences", maximumRunning),
            ("context", context ?? 1), ("page size", pageSize),
        ]
        for (field, value) in atLeastOne where value < 1 {
            throw .configuration(field: field, value: value, allowed: "1 or more")
        }
        if let target = targetITL, target <= .zero {
            throw .configuration(field: "target between tokens", value: 0, allowed: "more than 0 milliseconds")
        }
        if swapBytes < 0 { throw .configuration(field: "swap memory", value: swapBytes, allowed: "0 or more bytes") }
        if let store = prefixStore, store.maximumBytes < 1 {
            throw .configuration(field: "prefix store's size", value: store.maximumBytes, allowed: "1 byte or more")
        }
        guard sharesPrefixes || (prefixStore == nil && swapBytes == 0) else {
            throw .configuration(
                field: "swap memory", value: swapBytes,
                allowed: "0, without a prefix store, where prefixes are not shared: pages are kept by their prefixes")
        }
        guard pageSize <= 1 << 16 else {
            throw .configuration(field: "page size", value: pageSize, allowed: "65536 at most")
        }
        guard pageSize % 16 == 0 else {
            throw .configuration(field: "page size", value: pageSize, allowed: "a multiple of 16")
        }
    }
}

/// Where prefixes are kept for later processes.
public struct PrefixStoreConfiguration: Sendable {
    /// The folder; made where it is missing. One process writes to it at a time, others read.
    public var folder: String
    /// The most bytes that its files may take.
    public var maximumBytes: Int
    /// What the model's weights are known by: equal only for equal weights. What else keys and values follow from is part
    /// of a page's key by itself.
    public var model: String

    public init(folder: String, maximumBytes: Int = 4 << 30, model: String = "") {
        self.folder = folder
        self.maximumBytes = maximumBytes
        self.model = model
    }
}

extension ModelShape {
    /// What each position before it adds to the cost of a token, as a part of its cost at the beginning: attention reads
    /// and weighs a slot, everything else multiplies each parameter once.
    var attentionShare: Double { 2 * Double(heads * headWidth * layers) / Double(max(parameters, 1)) }
}
