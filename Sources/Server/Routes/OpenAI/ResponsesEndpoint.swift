internal import Hummingbird
internal import Inference
internal import OpenAI
internal import Text

/// `/v1/responses`: text in, text out, whole or as events; a stored response can be gone on from.
enum ResponsesEndpoint {
    static func create(_ exchange: Exchange) async throws -> Response {
        let given = try await exchange.json()
        let owner = exchange.caller.owner
        var former: [JSONValue] = []
        if let previous = given["previous_response_id"]?.stringValue {
            former = try await exchange.service.requireState().response(previous, owner: owner).conversation
        }
        let body = try ResponsesBody(given, former: former)
        // Where the server keeps nothing, nothing is stored; the response says so.
        let stores = body.stores && exchange.service.state != nil
        let lease = try await exchange.service.pool.lease(try ModelName.of(given))
        let task: GenerationTask
        do throws(APIError) {
            task = try GenerationTask(chat: body.conversation, model: lease.model.served, defaults: exchange.service.defaults)
        } catch {
            var error = error
            if error.parameter?.hasPrefix("messages") == true { error.parameter = "input" }
            if error.parameter == "max_completion_tokens" { error.parameter = "max_output_tokens" }
            throw error
        }
        let id = "resp_" + RandomName.make()
        let generation = try await Generation(task, lease, exchange, id: id)
        let answer = Answer(
            id: id, message: "msg_" + RandomName.make(), created: Service.now,
            model: lease.model.name, body: body, stores: stores)
        let headers = CompletionAnswer.ignoredFields(task.ignored, exchange)
        if task.streams { return try await stream(generation, answer, exchange, headers) }
        let choice = try await generation.whole()[0]
        CompletionAnswer.note([choice], exchange)
        let object = answer.object(choice)
        try await keep(answer, choice, object, exchange)
        return .json(object, headers: headers)
    }

    static func retrieve(_ exchange: Exchange) async throws -> Response {
        let state = try exchange.service.requireState()
        return .json(try await state.response(try exchange.parameter("id"), owner: exchange.caller.owner).object)
    }

    static func delete(_ exchange: Exchange) async throws -> Response {
        let id = try exchange.parameter("id")
        try await exchange.service.requireState().deleteResponse(id, owner: exchange.caller.owner)
        return .json(.members(["id": .string(id), "object": .string("response"), "deleted": .bool(true)]))
    }

    static func inputItems(_ exchange: Exchange) async throws -> Response {
        let state = try exchange.service.requireState()
        let object = try await state.response(try exchange.parameter("id"), owner: exchange.caller.owner).object
        let items = object["input"]?.arrayValue ?? []
        return .json(Page.object(items, exchange, id: { $0["id"]?.stringValue ?? "" }) { $0 })
    }

    private static func keep(
        _ answer: Answer, _ choice: ChoiceAssembler, _ object: JSONValue, _ exchange: Exchange
    ) async throws {
        guard answer.stores, let state = exchange.service.state else { return }
        let members = (object.objectValue ?? []) + [JSONValue.Member(key: "input", value: .array(answer.body.input))]
        try await state.put(
            response: answer.id, owner: exchange.caller.owner, object: .object(members),
            conversation: answer.body.conversation(with: choice.text))
    }

    /// A response as it comes into being.
    private struct Answer {
        let id: String
        let message: String
        let created: Int
        let model: String
        let body: ResponsesBody
        let stores: Bool

        /// - Parameter choice: nil where the answer has only begun.
        func object(_ choice: ChoiceAssembler?) -> JSONValue {
            var status = "in_progress"
            var incomplete = JSONValue.null
            if let choice {
                let isWhole = choice.finishReason == .stop
                status = isWhole ? "completed" : "incomplete"
                if !isWhole {
                    let reason = choice.finishReason == .length ? "max_output_tokens" : "timeout"
                    incomplete = .members(["reason": .string(reason)])
                }
            }
            let first: [JSONValue.Member] = [
                JSONValue.Member(key: "id", value: .string(id)), JSONValue.Member(key: "object", value: .string("response")),
                JSONValue.Member(key: "created_at", value: .integer(created)),
                JSONValue.Member(key: "status", value: .string(status)), JSONValue.Member(key: "error", value: .null),
                JSONValue.Member(key: "incomplete_details", value: incomplete),
                JSONValue.Member(key: "model", value: .string(model)),
                JSONValue.Member(key: "output", value: .array(choice.map { [item($0)] } ?? [])),
                JSONValue.Member(key: "usage", value: choice.map { usage($0.statistics) } ?? .null),
            ]
            let echoed = (body.echoed.objectValue ?? []).map { member in
                member.key == "store" ? JSONValue.Member(key: "store", value: .bool(stores)) : member
            }
            return .object(first + echoed)
        }

        func item(_ choice: ChoiceAssembler?) -> JSONValue {
            let status = choice.map { $0.finishReason == .stop ? "completed" : "incomplete" } ?? "in_progress"
            return .members([
                "id": .string(message), "type": .string("message"), "status": .string(status),
                "role": .string("assistant"), "content": .array(choice.map { [part($0.text, $0.logprobContent)] } ?? []),
            ])
        }

        func part(_ text: String, _ logprobs: [JSONValue] = []) -> JSONValue {
            .members([
                "type": .string("output_text"), "text": .string(text), "annotations": .array([]),
                "logprobs": .array(logprobs),
            ])
        }

        private func usage(_ statistics: GenerationStatistics) -> JSONValue {
            .members([
                "input_tokens": .integer(statistics.promptTokens),
                "input_tokens_details": .members(["cached_tokens": .integer(statistics.cachedTokens)]),
                "output_tokens": .integer(statistics.generatedTokens),
                "output_tokens_details": .members(["reasoning_tokens": .integer(0)]),
                "total_tokens": .integer(statistics.promptTokens + statistics.generatedTokens),
            ])
        }
    }

    private static func stream(
        _ generation: Generation, _ answer: Answer, _ exchange: Exchange, _ headers: HTTPFields
    ) async throws -> Response {
        try await EventStream.response(
            exchange, headers: headers,
            failure: { error in
                (
                    name: "error",
                    value: .members([
                        "type": .string("error"), "code": .optional(error.code ?? error.type),
                        "message": .string(error.message), "param": .optional(error.parameter),
                    ])
                )
            }
        ) { events in
            try await ResponseStream(answer, events).send(generation, exchange)
        }
    }

    /// An answer as the API's events.
    private final class ResponseStream {
        private let answer: Answer
        private let events: EventWriter
        private var sequence = 0

        init(_ answer: Answer, _ events: EventWriter) {
            self.answer = answer
            self.events = events
        }

        private func tell(_ type: String, _ members: KeyValuePairs<String, JSONValue>) async throws {
            let head = [
                JSONValue.Member(key: "type", value: .string(type)),
                JSONValue.Member(key: "sequence_number", value: .integer(sequence)),
            ]
            sequence += 1
            let all = members.map { JSONValue.Member(key: $0.key, value: $0.value) }
            try await events.send(.object(head + all), name: type)
        }

        func send(_ generation: Generation, _ exchange: Exchange) async throws {
            let (zero, item) = (JSONValue.integer(0), JSONValue.string(answer.message))
            try await tell("response.created", ["response": answer.object(nil)])
            try await tell("response.in_progress", ["response": answer.object(nil)])
            try await tell("response.output_item.added", ["output_index": zero, "item": answer.item(nil)])
            try await tell(
                "response.content_part.added",
                ["item_id": item, "output_index": zero, "content_index": zero, "part": answer.part("")])
            var choice = generation.choices[0]
            for try await next in generation.events {
                guard case .event(_, let event) = next else {
                    try await events.keepAliveIfDue()
                    continue
                }
                let text = choice.take(event)
                guard !text.isEmpty else { continue }
                try await tell(
                    "response.output_text.delta",
                    [
                        "item_id": item, "output_index": zero, "content_index": zero, "delta": .string(text),
                        "logprobs": .array([]),
                    ])
            }
            let logprobs = choice.logprobContent
            try await tell(
                "response.output_text.done",
                [
                    "item_id": item, "output_index": zero, "content_index": zero, "text": .string(choice.text),
                    "logprobs": .array(logprobs),
                ])
            try await tell(
                "response.content_part.done",
                [
                    "item_id": item, "output_index": zero, "content_index": zero,
                    "part": answer.part(choice.text, logprobs),
                ])
            try await tell("response.output_item.done", ["output_index": zero, "item": answer.item(choice)])
            CompletionAnswer.note([choice], exchange)
            let object = answer.object(choice)
            try await ResponsesEndpoint.keep(answer, choice, object, exchange)
            let isWhole = choice.finishReason == .stop
            try await tell(isWhole ? "response.completed" : "response.incomplete", ["response": object])
        }
    }
}
