internal import Foundation
internal import Hummingbird
internal import Inference
internal import OpenAI
internal import Text

/// `GET /apus/engine`: what the engines are doing, once or every second.
enum EngineView {
    static func snapshot(_ exchange: Exchange) async throws -> Response {
        .json(await object(exchange.service, withHistory: true))
    }

    static func events(_ exchange: Exchange) async throws -> Response {
        let service = exchange.service
        let connection = try await ConnectionWatch.state(of: exchange.context.channel)
        return try await EventStream.response(exchange, failure: { _ in nil }) { events in
            var isFirst = true
            while !connection.isGone, !service.gate.isDraining {
                try await events.send(await object(service, withHistory: isFirst), name: "snapshot")
                isFirst = false
                try await Task.sleep(for: .seconds(1))
            }
        }
    }

    private static func object(_ service: Service, withHistory: Bool) async -> JSONValue {
        let present = await service.pool.present
        let loading = await service.pool.loadingNames
        var models: [JSONValue] = []
        var time = Date().timeIntervalSince1970
        // Prompts' beginnings are shown where nobody's are secret from anybody.
        let showsTexts = service.keys == nil
        for entry in service.pool.names {
            if let model = present.first(where: { $0.name == entry.name }) {
                let look = await model.view.look(model.engine)
                if let look { time = min(time, look.time) }
                models.append(object(model, look?.snapshot, withHistory: withHistory, showsTexts: showsTexts))
            } else {
                let state = loading.contains(entry.name) ? "loading" : "unloaded"
                models.append(.members(["id": .string(entry.name), "state": .string(state)]))
            }
        }
        return .members([
            "object": .string("apus.engine"), "time": .number(time),
            "started": .number(service.startTime), "version": .string(Service.version),
            "draining": .bool(service.gate.isDraining), "in_flight": .integer(service.gate.inside),
            "resident_bytes": residentBytes.map { .integer($0) } ?? .null,
            "memory_budget_bytes": service.settings.modelsMemory.map { .integer($0) } ?? .null,
            "models": .array(models),
        ])
    }

    private static func object(
        _ model: LoadedModel, _ snapshot: EngineSnapshot?, withHistory: Bool, showsTexts: Bool
    ) -> JSONValue {
        // Figures of now; only what takes a walk through the engine is as old as the look.
        let now = model.engine.statistics
        let (shape, configuration) = (model.language.shape, model.engine.configuration)
        var members: [JSONValue.Member] = [
            JSONValue.Member(key: "id", value: .string(model.name)),
            JSONValue.Member(key: "state", value: .string("loaded")),
            JSONValue.Member(key: "chat", value: .bool(model.served.template != nil)),
            JSONValue.Member(key: "fingerprint", value: .string(model.fingerprint)),
            JSONValue.Member(key: "architecture", value: .string(shape.architecture)),
            JSONValue.Member(key: "parameters", value: .integer(shape.parameters)),
            JSONValue.Member(key: "weight_bytes", value: .integer(shape.weightBytes)),
            JSONValue.Member(key: "context", value: .integer(model.context)),
            JSONValue.Member(key: "vocabulary", value: .integer(shape.vocabulary)),
            JSONValue.Member(
                key: "threads", value: .integer(configuration.threads ?? EngineConfiguration.availableCores)),
            JSONValue.Member(key: "token_budget", value: .integer(configuration.tokenBudget)),
            JSONValue.Member(key: "maximum_running", value: .integer(configuration.maximumRunning)),
            JSONValue.Member(key: "counters", value: counters(now)),
            JSONValue.Member(key: "running", value: .integer(now.running)),
            JSONValue.Member(key: "waiting", value: .integer(now.waiting)),
            JSONValue.Member(key: "pages", value: LiveObjects.pages(now, snapshot, size: configuration.pageSize)),
            JSONValue.Member(key: "latency", value: model.latencies.object),
        ]
        if let kernels = configuration.kernels {
            members.append(JSONValue.Member(key: "kernels", value: .string(kernels.name)))
        }
        if let snapshot {
            members.append(JSONValue.Member(key: "requests", value: LiveObjects.requests(snapshot, model)))
            members.append(
                JSONValue.Member(
                    key: "prefix_tree",
                    value: LiveObjects.tree(snapshot.prefixes, showsTexts ? model.served.tokenizer : nil)))
        }
        if withHistory { members.append(JSONValue.Member(key: "history", value: model.latencies.historyObject)) }
        return .object(members)
    }

    private static func counters(_ now: EngineStatistics) -> JSONValue {
        .members([
            "submitted": .integer(now.submitted), "finished": .integer(now.finished),
            "cancelled": .integer(now.cancelled), "failed": .integer(now.failed), "steps": .integer(now.steps),
            "rows": .integer(now.rows), "seconds": .number(now.seconds),
            "prefilled_tokens": .integer(now.prefilledTokens), "generated_tokens": .integer(now.generatedTokens),
            "queried_tokens": .integer(now.queriedTokens), "hit_tokens": .integer(now.hitTokens),
            "preemptions": .integer(now.preemptions), "forks": .integer(now.forks),
            "evictions": .integer(now.evictions), "copied_pages": .integer(now.copiedPages),
            "swapped_out_pages": .integer(now.swappedOutPages), "swapped_in_pages": .integer(now.swappedInPages),
            "stored_pages": .integer(now.storedPages), "loaded_pages": .integer(now.loadedPages),
        ])
    }

    /// Bytes of the process in memory; nil where the system does not say.
    static var residentBytes: Int? {
        guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return nil }
        return text.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 * Int(sysconf(Int32(_SC_PAGESIZE))) }
    }
}
