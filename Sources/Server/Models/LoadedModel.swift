internal import Apus
internal import Checkpoints
internal import Inference
internal import OpenAI
internal import Synchronization
internal import Tensors

/// A model that is in memory.
final class LoadedModel: Sendable {
    let name: String
    let language: LanguageModel
    let served: ServedModel
    /// What the weights and the arithmetic are known by: with the same one, a request has the same answer.
    let fingerprint: String
    /// Bytes that it takes, its cache included.
    let bytes: Int
    /// The most tokens of a sequence.
    let context: Int
    /// Seconds since 1970 when it was loaded.
    let created: Int
    let latencies = RecentLatency()
    let view = LiveView()
    let liveNames = LiveNames()
    private let use = Mutex(Use())

    private struct Use {
        var users = 0
        var last = ContinuousClock.now
    }

    var engine: Engine { language.engine }

    init(name: String, language: LanguageModel, plan: MemoryPlan, created: Int) {
        self.name = name
        self.language = language
        let plain = ServedModel(language)
        served = ServedModel(
            name: name, tokenizer: plain.tokenizer, template: plain.template, endOfGeneration: plain.endOfGeneration,
            recommended: plain.recommended, vocabulary: plain.vocabulary)
        fingerprint = Self.fingerprint(language)
        bytes = plan.total
        context = min(language.engine.configuration.context ?? .max, language.shape.context)
        self.created = created
    }

    var users: Int { use.withLock { $0.users } }
    var lastUse: ContinuousClock.Instant { use.withLock { $0.last } }

    fileprivate func begin() { use.withLock { $0.users += 1 } }

    fileprivate func end() {
        use.withLock { use in
            use.users -= 1
            use.last = .now
        }
    }

    /// Names, shapes and types of all weights and a sample of each, how keys and values are kept, and how Apus computes.
    private static func fingerprint(_ model: LanguageModel) -> String {
        var hash = ContentHash()
        hash.add("arithmetic 1, cache \(model.engine.configuration.cacheType)")
        for name in model.checkpoint.tensorNames {
            guard let tensor = model.checkpoint.rawTensor(named: name) else { continue }
            hash.add("\(name) \(tensor.dtypeName) \(tensor.shape)")
            let bytes = tensor.bytes
            let middle = bytes.count / 2
            for start in [0, middle, bytes.count - 1024] where start >= 0 {
                hash.add(UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + 1024, bytes.count)]))
            }
        }
        return "apus-" + hash.text.filter { $0 != "-" }.prefix(20)
    }
}

/// Keeps a model in memory as long as it is held.
final class ModelLease: Sendable {
    let model: LoadedModel

    init(_ model: LoadedModel) {
        self.model = model
        model.begin()
    }

    deinit { model.end() }
}
