internal import Apus
internal import ArgumentParser
internal import Inference

/// A number of bytes: `1048576`, `500M`, `2G`, `1.5GB`, `64MiB`.
struct ByteCount: ExpressibleByArgument {
    let bytes: Int

    init?(argument: String) {
        let digits = argument.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        guard let value = Double(digits), value >= 0 else { return nil }
        let factors: [String: Double] = [
            "": 1, "b": 1, "k": 1e3, "kb": 1e3, "m": 1e6, "mb": 1e6, "g": 1e9, "gb": 1e9, "t": 1e12, "tb": 1e12,
            "ki": 1024, "kib": 1024, "mi": 1_048_576, "mib": 1_048_576, "gi": 1_073_741_824, "gib": 1_073_741_824,
            "ti": 1_099_511_627_776, "tib": 1_099_511_627_776,
        ]
        guard let factor = factors[argument.dropFirst(digits.count).lowercased()], value * factor < 1e18 else {
            return nil
        }
        bytes = Int(value * factor)
    }
}

/// How much memory the cache may take, and what outlives the process. None of this changes a token.
struct CacheOptions: ParsableArguments {
    @Option(
        name: [.long, .customLong("max-cache")],
        help: ArgumentHelp(
            "Bytes for keys and values, such as 500M or 2G, kept under any load; by default planned from the memory that is free.",
            valueName: "size"))
    var cacheBytes: ByteCount?

    @Option(
        help: ArgumentHelp(
            "Which computed prompts leave the cache first, of those that nobody uses: cost (long unused and cheap to compute again), "
                + "recency (longest unused), marking (by phases of use; heeds callers' hints and stays sound when they are wrong).",
            valueName: "policy"))
    var evict = EvictionOrder.cost

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Memory beside the cache for what had to leave it and will be needed, such as prompts of answers that gave way to others; "
                + "kept where copying it back is cheaper than computing it again. By default 0: none.",
            valueName: "size"))
    var swapBytes: ByteCount?

    @Option(
        help: ArgumentHelp(
            "A folder that keeps computed prompts for later runs: a prompt that begins like an earlier one starts sooner.",
            valueName: "folder"))
    var prefixStore: String?

    @Option(help: ArgumentHelp("The most bytes of that folder; by default 4G.", valueName: "size"))
    var prefixStoreBytes: ByteCount?

    func validate() throws {
        if let cacheBytes, cacheBytes.bytes < 1 { throw ValidationError("--cache-bytes must be at least 1.") }
        if let prefixStoreBytes, prefixStoreBytes.bytes < 1 {
            throw ValidationError("--prefix-store-bytes must be at least 1.")
        }
        if prefixStoreBytes != nil && prefixStore == nil {
            throw ValidationError("--prefix-store-bytes needs --prefix-store.")
        }
        if prefixStore?.isEmpty == true { throw ValidationError("--prefix-store needs the name of a folder.") }
    }

    func apply(to configuration: inout EngineConfiguration) {
        if let cacheBytes { configuration.cacheBytes = cacheBytes.bytes }
        configuration.eviction = evict
        if let swapBytes { configuration.swapBytes = swapBytes.bytes }
        guard let prefixStore else { return }
        configuration.prefixStore = PrefixStoreConfiguration(folder: prefixStore)
        if let prefixStoreBytes { configuration.prefixStore!.maximumBytes = prefixStoreBytes.bytes }
    }

    /// Opens a model with these options. Where memory goes is printed before anything is loaded, on a terminal or where the
    /// cache's size was asked for.
    func load(_ name: String, _ configuration: EngineConfiguration) throws -> LanguageModel {
        var configuration = configuration
        apply(to: &configuration)
        let shows = Console.errorIsTerminal || cacheBytes != nil
        let model = try LanguageModel.load(name, configuration: configuration) { plan in
            if shows { Console.note("\(plan)") }
        }
        if model.engine.statistics.isStoreReadOnly {
            Console.note("another process writes the prefix store; this one only reads it")
        }
        return model
    }
}
