public import Inference
public import Text

/// What a request for embeddings asks for, checked and in tokens.
public struct EmbeddingTask: Sendable {
    /// Tokens of each input.
    public let inputs: [[Int32]]
    public let pooling: EmbeddingPooling
    /// How it wants to be served.
    public let service: ServiceFields
    /// Fields of the body that are not known here and were passed over; only where defaults let them pass.
    public let ignored: [String]
    /// Whether vectors are written as base64 of little-endian single precision instead of lists of numbers.
    public let isBase64: Bool

    /// Reads the body of a request to `/v1/embeddings`. `pooling` is no field of the API: `last` (the default) takes the state
    /// of the last token, `mean` the mean over all tokens.
    ///
    /// - Throws: ``APIError`` for what is missing, of the wrong kind, unknown, or not supported.
    public init(
        _ body: JSONValue, model: ServedModel, defaults: RequestDefaults = RequestDefaults()
    ) throws(APIError) {
        var fields = try RequestFields(body)
        fields.accept(["safety_identifier"])
        _ = try fields.text("model")
        guard let value = fields.value("input") else { throw .invalid("input", "the body has no input") }
        inputs = try InputTexts(value, field: "input", model).tokens
        let format = try fields.text("encoding_format") ?? "float"
        guard ["float", "base64"].contains(format) else {
            throw .invalid("encoding_format", "encoding_format is '\(format)'; it must be float or base64")
        }
        isBase64 = format == "base64"
        if fields.value("dimensions") != nil {
            throw .unsupported("dimensions", "shortening vectors is not supported; leave dimensions out")
        }
        let name = try fields.text("pooling") ?? EmbeddingPooling.last.rawValue
        guard let pooling = EmbeddingPooling(rawValue: name) else {
            throw .invalid("pooling", "pooling is '\(name)'; it must be last or mean")
        }
        self.pooling = pooling
        service = try ServiceFields(&fields)
        ignored = try fields.unknown(defaults)
    }

    /// The body of the response.
    ///
    /// - Parameter vectors: one for each input, in order.
    public func response(_ vectors: [[Float]], model: String) -> JSONValue {
        let data = vectors.enumerated().map { index, vector in
            JSONValue.members([
                "object": .string("embedding"), "index": .integer(index),
                "embedding": isBase64 ? .string(Self.base64(vector)) : .array(vector.map(JSONValue.float)),
            ])
        }
        let count = inputs.reduce(0) { $0 + $1.count }
        return .members([
            "object": .string("list"), "data": .array(data), "model": .string(model),
            "usage": .members(["prompt_tokens": .integer(count), "total_tokens": .integer(count)]),
        ])
    }

    static func base64(_ vector: [Float]) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        let bytes = vector.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) } }
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
            for place in 0..<4 {
                text.append(place <= group.count ? alphabet[bits >> (18 - 6 * place) & 63] : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
