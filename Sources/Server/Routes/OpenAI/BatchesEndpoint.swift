internal import Hummingbird
internal import OpenAI
internal import Text

/// `/v1/batches`.
enum BatchesEndpoint {
    static func create(_ exchange: Exchange) async throws -> Response {
        let state = try exchange.service.requireState()
        let body = try await exchange.json()
        guard let input = body["input_file_id"]?.stringValue else {
            throw APIError("input_file_id is missing", parameter: "input_file_id", code: "invalid_value")
        }
        let endpoints = Endpoint.allCases.map(\.rawValue)
        guard let endpoint = body["endpoint"]?.stringValue, endpoints.contains(endpoint) else {
            throw APIError(
                "endpoint must be one of \(endpoints.joined(separator: ", "))", parameter: "endpoint", code: "invalid_value")
        }
        guard let window = body["completion_window"]?.stringValue, window == "24h" else {
            throw APIError("completion_window must be 24h", parameter: "completion_window", code: "invalid_value")
        }
        let file = try await state.file(input, owner: exchange.caller.owner)
        guard file.purpose == "batch" else {
            throw APIError(
                "the file was uploaded for '\(file.purpose)'; upload it with the purpose batch", parameter: "input_file_id",
                code: "invalid_value")
        }
        let batch = StoredBatch(
            owner: exchange.caller.owner, endpoint: endpoint, input: input, window: window,
            metadata: body["metadata"] ?? .null)
        try await state.put(batch)
        exchange.service.desk?.wakeUp()
        return .json(batch.object)
    }

    static func list(_ exchange: Exchange) async throws -> Response {
        let batches = try await exchange.service.requireState().batches(owner: exchange.caller.owner)
        let desk = exchange.service.desk
        return .json(Page.object(batches, exchange, id: \.id) { (desk?.present($0) ?? $0).object })
    }

    static func retrieve(_ exchange: Exchange) async throws -> Response {
        let state = try exchange.service.requireState()
        let batch = try await state.batch(try exchange.parameter("id"), owner: exchange.caller.owner)
        return .json((exchange.service.desk?.present(batch) ?? batch).object)
    }

    static func cancel(_ exchange: Exchange) async throws -> Response {
        _ = try exchange.service.requireState()
        let id = try exchange.parameter("id")
        guard let desk = exchange.service.desk else { throw APIError("the server is starting", status: 503) }
        return .json(try await desk.cancel(id, owner: exchange.caller.owner).object)
    }
}

/// A list in pages: `after` names the last entry that is known, `limit` how many to send.
enum Page {
    static func object<Entry>(
        _ entries: [Entry], _ exchange: Exchange, id: (Entry) -> String, _ object: (Entry) -> JSONValue
    ) -> JSONValue {
        var rest = entries[...]
        if let after = exchange.query("after"), let place = rest.firstIndex(where: { id($0) == after }) {
            rest = rest[(place + 1)...]
        }
        let limit = min(max(exchange.query("limit").flatMap { Int($0) } ?? 100, 1), 10_000)
        let shown = rest.prefix(limit)
        return .members([
            "object": .string("list"), "data": .array(shown.map(object)),
            "first_id": .optional(shown.first.map(id)), "last_id": .optional(shown.last.map(id)),
            "has_more": .bool(rest.count > shown.count),
        ])
    }
}
