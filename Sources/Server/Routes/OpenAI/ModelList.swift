internal import Hummingbird
internal import OpenAI
internal import Text

/// `GET /v1/models`: the models that requests can name, in a form that clients of both APIs read.
enum ModelList {
    static func list(_ exchange: Exchange) async throws -> Response {
        let pool = exchange.service.pool
        let present = await pool.present
        let models = pool.names.map { entry in object(entry.name, present.first { $0.name == entry.name }) }
        return .json(
            .members([
                "object": .string("list"), "data": .array(models), "has_more": .bool(false),
                "first_id": .string(pool.names[0].name), "last_id": .string(pool.names[pool.names.count - 1].name),
            ]))
    }

    static func retrieve(_ exchange: Exchange) async throws -> Response {
        let entry = try exchange.service.pool.find(exchange.rest)
        return .json(object(entry.name, await exchange.service.pool.present.first { $0.name == entry.name }))
    }

    private static func object(_ name: String, _ model: LoadedModel?) -> JSONValue {
        let created = model?.created ?? 0
        var members: [JSONValue.Member] = [
            JSONValue.Member(key: "id", value: .string(name)), JSONValue.Member(key: "object", value: .string("model")),
            JSONValue.Member(key: "created", value: .integer(created)),
            JSONValue.Member(key: "owned_by", value: .string("apus")),
            JSONValue.Member(key: "type", value: .string("model")),
            JSONValue.Member(key: "display_name", value: .string(name)),
            JSONValue.Member(key: "created_at", value: .string(Timestamp.text(created))),
            JSONValue.Member(key: "loaded", value: .bool(model != nil)),
        ]
        if let model {
            members += [
                JSONValue.Member(key: "max_model_len", value: .integer(model.context)),
                JSONValue.Member(key: "context", value: .integer(model.context)),
                JSONValue.Member(key: "chat", value: .bool(model.served.template != nil)),
                JSONValue.Member(key: "parameters", value: .integer(model.language.shape.parameters)),
                JSONValue.Member(key: "bytes", value: .integer(model.bytes)),
                JSONValue.Member(key: "fingerprint", value: .string(model.fingerprint)),
            ]
        }
        return .object(members)
    }
}
