internal import Hummingbird
internal import OpenAI
internal import Text

/// Texts and tokens, under the names of other servers.
enum TextRoutes: RouteFamily {
    static let routes = [
        Route(.post, "/tokenize", tokenize),
        Route(.post, "/detokenize", detokenize),
        Route(.post, "/apply-template", applyTemplate),
    ]

    /// `{"prompt" or "content" or "messages"}` to `{"tokens", "count", "max_model_len"}`. `add_special_tokens` (or `add_special`) asks for what
    /// begins a text, by default as a prompt would get it; `return_token_strs` (or `with_pieces`) for the tokens' texts.
    private static func tokenize(_ exchange: Exchange) async throws -> Response {
        let body = try await exchange.json()
        let lease = try await exchange.service.pool.lease(try ModelName.of(body))
        let model = lease.model.served
        let tokens: [Int32]
        if body["messages"] != nil {
            tokens = try GenerationTask(chat: plain(body), model: model, defaults: exchange.service.defaults).prompts[0]
        } else {
            guard let text = (body["prompt"] ?? body["content"])?.stringValue else {
                throw APIError("give a text as prompt, or messages", parameter: "prompt", code: "invalid_value")
            }
            let special = (body["add_special_tokens"] ?? body["add_special"])?.boolValue ?? (body["content"] == nil)
            tokens = model.tokenizer.encode(
                text, special: body["parse_special"]?.boolValue ?? false, addSpecialTokens: special)
        }
        var members: [JSONValue.Member] = [
            JSONValue.Member(key: "count", value: .integer(tokens.count)),
            JSONValue.Member(key: "max_model_len", value: .integer(lease.model.context)),
        ]
        func piece(_ token: Int32) -> String { String(decoding: model.tokenizer.bytes(of: token) ?? [], as: UTF8.self) }
        if body["with_pieces"]?.boolValue == true {
            let pieces = tokens.map { JSONValue.members(["id": .integer(Int($0)), "piece": .string(piece($0))]) }
            members.append(JSONValue.Member(key: "tokens", value: .array(pieces)))
        } else {
            members.append(JSONValue.Member(key: "tokens", value: .array(tokens.map { .integer(Int($0)) })))
        }
        if body["return_token_strs"]?.boolValue == true {
            members.append(JSONValue.Member(key: "token_strs", value: .array(tokens.map { .string(piece($0)) })))
        }
        return .json(.object(members))
    }

    /// `{"tokens"}` to `{"prompt", "content"}`, the same text twice.
    private static func detokenize(_ exchange: Exchange) async throws -> Response {
        let body = try await exchange.json()
        let lease = try await exchange.service.pool.lease(try ModelName.of(body))
        guard let list = body["tokens"]?.arrayValue else {
            throw APIError("give a list of token ids as tokens", parameter: "tokens", code: "invalid_value")
        }
        let vocabulary = lease.model.served.vocabulary
        let tokens = try list.map { value throws(APIError) -> Int32 in
            guard let id = value.intValue, (0..<vocabulary).contains(id) else {
                throw APIError("ids lie in 0..<\(vocabulary)", parameter: "tokens", code: "invalid_value")
            }
            return Int32(id)
        }
        let text = lease.model.served.tokenizer.decodeText(tokens, skipSpecial: false)
        return .json(.members(["prompt": .string(text), "content": .string(text)]))
    }

    /// `{"messages"}` to `{"prompt"}`: the text that the model sees.
    private static func applyTemplate(_ exchange: Exchange) async throws -> Response {
        let body = try await exchange.json()
        let lease = try await exchange.service.pool.lease(try ModelName.of(body))
        let text = try GenerationTask.prompt(
            chat: plain(body), model: lease.model.served, defaults: exchange.service.defaults)
        return .json(.members(["prompt": .string(text)]))
    }

    /// Only what a conversation's text follows from.
    private static func plain(_ body: JSONValue) -> JSONValue {
        let names = ["model", "messages", "chat_template_kwargs", "reasoning_effort"]
        return .object((body.objectValue ?? []).filter { names.contains($0.key) })
    }
}
