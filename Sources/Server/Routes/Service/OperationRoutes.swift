internal import Hummingbird
internal import OpenAI
internal import Text

/// What operators and the page ask.
enum OperationRoutes: RouteFamily {
    static let routes = [
        Route(.get, "/health", isOpen: true, health),
        Route(.get, "/ready", isOpen: true, ready),
        Route(.get, "/version", version),
        Route(.get, "/metrics", metrics),
        Route(.get, "/apus/engine", EngineView.snapshot),
        Route(.get, "/apus/engine/events", EngineView.events),
        Route(.get, "/", isOpen: true, PageRoute.index),
        Route(.get, "/page/**", isOpen: true, PageRoute.file),
        Route(.get, "/favicon.ico", isOpen: true, PageRoute.icon),
    ]

    /// Whether the process lives.
    static func health(_ exchange: Exchange) async throws -> Response { .json(.members(["status": .string("ok")])) }

    /// Whether it is worth sending requests: a model is loaded, and the server is not about to end.
    static func ready(_ exchange: Exchange) async throws -> Response {
        if exchange.service.gate.isDraining {
            return .json(.members(["status": .string("draining")]), status: .serviceUnavailable)
        }
        let models = await exchange.service.pool.present
        guard !models.isEmpty else {
            return .json(.members(["status": .string("loading")]), status: .serviceUnavailable)
        }
        return .json(.members(["status": .string("ready"), "models": .array(models.map { .string($0.name) })]))
    }

    static func version(_ exchange: Exchange) async throws -> Response {
        .json(.members(["version": .string(Service.version), "name": .string("apus")]))
    }

    static func metrics(_ exchange: Exchange) async throws -> Response {
        let service = exchange.service
        let models = await service.pool.present
        var gauges = ServerMetrics.engines(models)
        gauges.append(
            PrometheusRegistry.Snapshot(
                name: "apus:requests_in_flight", help: "Requests that are being answered.",
                values: [([], Double(service.gate.inside))]))
        gauges.append(
            PrometheusRegistry.Snapshot(
                name: "apus:model_bytes", help: "Memory of loaded models.",
                values: models.map { ([("model_name", $0.name)], Double($0.bytes)) }))
        return .text(service.metrics.registry.text(gauges), type: "text/plain; version=0.0.4; charset=utf-8")
    }
}
