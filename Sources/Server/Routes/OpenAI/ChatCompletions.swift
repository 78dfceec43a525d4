internal import HTTPTypes
internal import Hummingbird
internal import OpenAI
internal import Text

/// `POST /v1/chat/completions`.
enum ChatCompletions {
    static func answer(_ exchange: Exchange) async throws -> Response {
        let body = try await exchange.json()
        let lease = try await exchange.service.pool.lease(try ModelName.of(body))
        let task = try GenerationTask(chat: body, model: lease.model.served, defaults: exchange.service.defaults)
        return try await CompletionAnswer.answer(task, lease, exchange)
    }
}

/// `POST /v1/completions`.
enum Completions {
    static func answer(_ exchange: Exchange) async throws -> Response {
        let body = try await exchange.json()
        let lease = try await exchange.service.pool.lease(try ModelName.of(body))
        let task = try GenerationTask(completion: body, model: lease.model.served, defaults: exchange.service.defaults)
        return try await CompletionAnswer.answer(task, lease, exchange)
    }
}

/// The model that a body names.
enum ModelName {
    static func of(_ body: JSONValue) throws(APIError) -> String? {
        guard let value = body["model"], !value.isNull else { return nil }
        guard let name = value.stringValue else {
            throw APIError("model must be a text", parameter: "model", code: "invalid_value")
        }
        return name
    }
}

/// Answers of the two completion endpoints, whole or in pieces.
enum CompletionAnswer {
    static func answer(_ task: GenerationTask, _ lease: ModelLease, _ exchange: Exchange) async throws -> Response {
        let (id, isChat) = (RandomName.make(), task.endpoint == .chatCompletions)
        let generation = try await Generation(task, lease, exchange, id: (isChat ? "chatcmpl-" : "cmpl-") + id)
        let header = ResponseHeader(
            id: id, created: Service.now, model: lease.model.name, fingerprint: lease.model.fingerprint,
            serviceTier: isChat ? task.service.tier : nil)
        let headers = ignoredFields(task.ignored, exchange)
        guard task.streams else {
            let choices = try await generation.whole()
            note(choices, exchange)
            return .json(task.response(choices, header), headers: headers)
        }
        return try await EventStream.response(
            exchange, headers: headers, failure: { (name: nil, value: $0.body) }
        ) { events in
            try await CompletionStream(task, header, events).send(generation, exchange)
        }
    }

    static func note(_ choices: [ChoiceAssembler], _ exchange: Exchange) {
        exchange.context.notes.add("completion_tokens", choices.reduce(0) { $0 + $1.statistics.generatedTokens })
        exchange.context.notes.add("cached_tokens", choices.first?.statistics.cachedTokens ?? 0)
    }

    /// Fields that were passed over are named to whoever wants to know.
    static func ignoredFields(_ names: [String], _ exchange: Exchange) -> HTTPFields {
        guard !names.isEmpty else { return [:] }
        // A header holds plain text only.
        let plain = names.prefix(32).map { name in
            String(decoding: name.utf8.prefix(64).map { (0x21...0x7E).contains($0) && $0 != 0x2C ? $0 : 0x5F }, as: UTF8.self)
        }
        let list = plain.joined(separator: ", ")
        exchange.context.notes.add("ignored", list)
        return [.ignoredFields: list]
    }
}

/// An answer in pieces.
private final class CompletionStream {
    private let task: GenerationTask
    private let header: ResponseHeader
    private let events: EventWriter
    private var hasOpened = false

    init(_ task: GenerationTask, _ header: ResponseHeader, _ events: EventWriter) {
        self.task = task
        self.header = header
        self.events = events
    }

    func send(_ generation: Generation, _ exchange: Exchange) async throws {
        var choices = generation.choices
        for try await item in generation.events {
            guard case .event(let choice, let event) = item else {
                try await events.keepAliveIfDue()
                continue
            }
            if !hasOpened { try await open(&choices) }
            let text = choices[choice].take(event)
            if let piece = choices[choice].piece(text) { try await events.send(task.piece([piece], header)) }
        }
        if task.streamsUsage {
            let usage = task.usage(choices.map(\.statistics), header)
            try await events.send(task.piece([], header, usage: usage))
        }
        CompletionAnswer.note(choices, exchange)
        try await events.send(text: "[DONE]")
    }

    /// What is before the first token of each choice.
    private func open(_ choices: inout [ChoiceAssembler]) async throws {
        hasOpened = true
        for choice in choices.indices {
            for opening in choices[choice].opening() { try await events.send(task.piece([opening], header)) }
        }
    }
}
