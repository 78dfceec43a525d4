internal import Apus
internal import Foundation
internal import Inference
internal import Logging
internal import Models
internal import OpenAI

/// The models that requests can name: loaded when they are first asked for, unloaded, least recently used first, where
/// another needs their memory and nobody uses them.
actor ModelPool {
    nonisolated let names: [ServerSettings.NamedModel]
    private let engine: EngineConfiguration
    private let budget: Int?
    private let log: Logger
    private var loaded: [String: LoadedModel] = [:]
    private var loading: [String: Task<LoadedModel, any Error>] = [:]
    /// Bytes of models that are being loaded.
    private var reserved: [String: Int] = [:]
    private(set) var unloads = 0

    init(_ settings: ServerSettings, log: Logger) {
        names = settings.models
        engine = settings.engine
        budget = settings.modelsMemory
        self.log = log
    }

    var present: [LoadedModel] { names.compactMap { loaded[$0.name] } }

    var loadingNames: Set<String> { Set(loading.keys) }

    /// The configured model that a request names; the first where it names none.
    nonisolated func find(_ name: String?) throws(APIError) -> ServerSettings.NamedModel {
        guard let name else { return names[0] }
        if let entry = names.first(where: { $0.name == name || $0.path == name }) { return entry }
        throw APIError(
            "there is no model '\(name)' here; there \(names.count == 1 ? "is" : "are") "
                + names.map(\.name).joined(separator: ", "), status: 404, parameter: "model", code: "model_not_found")
    }

    /// A model to answer with, loaded where it is not.
    func lease(_ name: String?) async throws -> ModelLease {
        let entry = try find(name)
        if let model = loaded[entry.name] { return ModelLease(model) }
        let task: Task<LoadedModel, any Error>
        if let known = loading[entry.name] {
            task = known
        } else {
            let configuration = try makeRoom(entry)
            let log = log
            task = Task { try await Self.load(entry, configuration, log) }
            loading[entry.name] = task
        }
        let result = await task.result
        if loading[entry.name] == task {
            loading[entry.name] = nil
            reserved[entry.name] = nil
        }
        switch result {
        case .success(let model):
            if loaded[entry.name] == nil { loaded[entry.name] = model }
            return ModelLease(loaded[entry.name]!)
        case .failure(let error):
            log.error("model \(entry.name) cannot be loaded: \(error)")
            throw APIError(
                "the model '\(entry.name)' cannot be loaded: \(error)", status: 503, type: "server_error",
                code: "model_not_loaded")
        }
    }

    // MARK: Memory

    /// Finds the memory for a model, and how much of it its cache gets.
    private func makeRoom(_ entry: ServerSettings.NamedModel) throws -> EngineConfiguration {
        var configuration = engine
        guard let budget else { return configuration }
        let shape: ModelShape
        let plan: MemoryPlan
        do {
            shape = try ModelFiles(entry.path).shape()
            plan = try configuration.memoryPlan(shape)
        } catch {
            throw APIError(
                "the model '\(entry.name)' cannot be loaded: \(error)", status: 503, type: "server_error",
                code: "model_not_loaded")
        }
        // The least that is worth having: a context's worth of cache, or what was planned where that is less.
        let context = min(configuration.context ?? shape.context, shape.context)
        let whole = plan.cacheTokens == 0 ? 0 : plan.cache / plan.cacheTokens * (context + configuration.pageSize)
        let least = plan.weights + plan.working + (plan.isCacheGiven ? plan.cache : min(plan.cache, whole))
        while used + least > budget, unloadOne() {}
        guard used + least <= budget else {
            throw Busy(
                "the model '\(entry.name)' needs \(least) bytes; of the \(budget) for models \(used) are in use by models "
                    + "that are answering", status: 503, type: "server_error", code: "models_memory", retryAfter: 5)
        }
        if !plan.isCacheGiven {
            configuration.cacheBytes = min(plan.cache, budget - used - plan.weights - plan.working)
        }
        reserved[entry.name] = plan.weights + plan.working + (configuration.cacheBytes ?? plan.cache)
        return configuration
    }

    private var used: Int { loaded.values.reduce(0) { $0 + $1.bytes } + reserved.values.reduce(0, +) }

    private func unloadOne() -> Bool {
        let idle = loaded.values.filter { $0.users == 0 }.min { $0.lastUse < $1.lastUse }
        guard let idle else { return false }
        loaded[idle.name] = nil
        unloads += 1
        log.info("model unloaded", metadata: ["model": "\(idle.name)", "bytes": "\(idle.bytes)"])
        return true
    }

    /// Reads a model on a thread of its own: it takes as long as the disk does.
    private static func load(
        _ entry: ServerSettings.NamedModel, _ configuration: EngineConfiguration, _ log: Logger
    ) async throws -> LoadedModel {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                do {
                    let start = ContinuousClock.now
                    var plan: MemoryPlan?
                    let language = try LanguageModel.load(entry.path, configuration: configuration) {
                        plan = $0
                        log.info("\($0)", metadata: ["model": "\(entry.name)"])
                    }
                    let model = LoadedModel(
                        name: entry.name, language: language, plan: plan!, created: Int(Date().timeIntervalSince1970))
                    let seconds = ((ContinuousClock.now - start) / .milliseconds(1)).rounded() / 1000
                    log.info(
                        "model loaded",
                        metadata: [
                            "model": "\(entry.name)", "seconds": "\(seconds)", "context": "\(model.context)",
                            "fingerprint": "\(model.fingerprint)",
                        ])
                    continuation.resume(returning: model)
                } catch {
                    continuation.resume(throwing: error)
                }
            }
        }
    }
}
