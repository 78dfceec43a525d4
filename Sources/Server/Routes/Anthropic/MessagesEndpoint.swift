internal import Hummingbird
internal import Inference
internal import OpenAI
internal import Text

/// `POST /v1/messages` and `/v1/messages/count_tokens`.
enum MessagesEndpoint {
    static func answer(_ exchange: Exchange) async throws -> Response {
        let body = try AnthropicBody.conversation(try await exchange.json(), needsLimit: true)
        let lease = try await exchange.service.pool.lease(try ModelName.of(body))
        let task = try GenerationTask(chat: body, model: lease.model.served, defaults: exchange.service.defaults)
        let id = "msg_" + RandomName.make()
        let generation = try await Generation(task, lease, exchange, id: id)
        let headers = CompletionAnswer.ignoredFields(task.ignored, exchange)
        if task.streams { return try await stream(generation, id, exchange, headers) }
        let choice = try await generation.whole()[0]
        CompletionAnswer.note([choice], exchange)
        let (reason, sequence) = AnthropicBody.stopReason(choice)
        let content = JSONValue.members(["type": .string("text"), "text": .string(choice.text)])
        return .json(
            message(id, lease.model.name, [content], reason, sequence, usage(choice.statistics)), headers: headers)
    }

    static func countTokens(_ exchange: Exchange) async throws -> Response {
        let body = try AnthropicBody.conversation(try await exchange.json(), needsLimit: false)
        let lease = try await exchange.service.pool.lease(try ModelName.of(body))
        let task = try GenerationTask(chat: body, model: lease.model.served, defaults: exchange.service.defaults)
        return .json(.members(["input_tokens": .integer(task.prompts[0].count)]))
    }

    private static func message(
        _ id: String, _ model: String, _ content: [JSONValue], _ reason: JSONValue, _ sequence: JSONValue, _ usage: JSONValue
    ) -> JSONValue {
        .members([
            "id": .string(id), "type": .string("message"), "role": .string("assistant"), "model": .string(model),
            "content": .array(content), "stop_reason": reason, "stop_sequence": sequence, "usage": usage,
        ])
    }

    /// The API counts what was found in the cache apart from the rest.
    private static func usage(_ statistics: GenerationStatistics) -> JSONValue {
        .members([
            "input_tokens": .integer(statistics.promptTokens - statistics.cachedTokens),
            "cache_creation_input_tokens": .integer(0),
            "cache_read_input_tokens": .integer(statistics.cachedTokens),
            "output_tokens": .integer(statistics.generatedTokens), "service_tier": .string("standard"),
        ])
    }

    private static func stream(
        _ generation: Generation, _ id: String, _ exchange: Exchange, _ headers: HTTPFields
    ) async throws -> Response {
        let name = generation.lease.model.name
        let requestID = exchange.context.requestID
        return try await EventStream.response(
            exchange, headers: headers,
            failure: { (name: "error", value: ErrorShape.anthropic.body($0, requestID: requestID)) }
        ) { events in
            try await MessageStream(events).send(generation, id, name, exchange)
        }
    }

    /// An answer as the API's events.
    private struct MessageStream {
        let events: EventWriter

        init(_ events: EventWriter) { self.events = events }

        private func tell(_ type: String, _ members: KeyValuePairs<String, JSONValue> = [:]) async throws {
            let all = members.map { JSONValue.Member(key: $0.key, value: $0.value) }
            try await events.send(.object([JSONValue.Member(key: "type", value: .string(type))] + all), name: type)
        }

        func send(_ generation: Generation, _ id: String, _ name: String, _ exchange: Exchange) async throws {
            var before = GenerationStatistics()
            before.promptTokens = generation.task.prompts[0].count
            try await tell("message_start", ["message": message(id, name, [], .null, .null, usage(before))])
            try await tell(
                "content_block_start",
                ["index": .integer(0), "content_block": .members(["type": .string("text"), "text": .string("")])])
            try await tell("ping")
            var choice = generation.choices[0]
            for try await item in generation.events {
                guard case .event(_, let event) = item else {
                    try await tell("ping")
                    continue
                }
                let text = choice.take(event)
                guard !text.isEmpty else { continue }
                try await tell(
                    "content_block_delta",
                    ["index": .integer(0), "delta": .members(["type": .string("text_delta"), "text": .string(text)])])
            }
            try await tell("content_block_stop", ["index": .integer(0)])
            let (reason, sequence) = AnthropicBody.stopReason(choice)
            try await tell(
                "message_delta",
                [
                    "delta": .members(["stop_reason": reason, "stop_sequence": sequence]),
                    "usage": usage(choice.statistics),
                ])
            CompletionAnswer.note([choice], exchange)
            try await tell("message_stop")
        }
    }
}
