internal import Apus
internal import Inference
public import Text

extension GenerationTask {
    /// Reads the body of a request to `/v1/chat/completions`.
    ///
    /// `model` is read and plays no part: who calls has chosen the model. Besides the API's fields those of
    /// ``SamplingFields`` are known, and `chat_template_kwargs`, further variables of the template.
    ///
    /// - Throws: ``APIError`` for what is missing, of the wrong kind, unknown, or not supported.
    public init(chat body: JSONValue, model: ServedModel, defaults: RequestDefaults) throws(APIError) {
        var fields = try RequestFields(body)
        fields.accept(Self.withoutEffect)
        _ = try fields.text("model")
        let messages = try Self.messages(&fields)
        try Self.refuseUnsupported(&fields)
        var sampling = try SamplingFields.read(&fields, model, defaults)
        let wantsLogprobs = try fields.flag("logprobs") ?? false
        let top = try fields.integer("top_logprobs", 0...20)
        if top != nil, !wantsLogprobs { throw .invalid("top_logprobs", "top_logprobs needs logprobs to be true") }
        if wantsLogprobs { sampling.logprobs = min(top ?? 0, model.vocabulary) }
        var limit = try fields.integer("max_completion_tokens", 0...Int(Int32.max))
        if let older = try fields.integer("max_tokens", 0...Int(Int32.max)) {
            guard limit == nil || limit == older else {
                throw .invalid("max_tokens", "max_tokens and max_completion_tokens name one thing; give one of them")
            }
            limit = older
        }
        let variables = try Self.templateVariables(&fields)
        let common = try Common(&fields, defaults)
        try fields.refuseUnknown()
        guard let template = model.template else {
            throw APIError(
                "\(MissingTemplate(model: model.name))", parameter: "messages", code: "no_chat_template")
        }
        let text: String
        do throws(TemplateError) {
            text = try template.render(
                messages: messages, bosToken: model.tokenizer.bosToken, eosToken: model.tokenizer.eosToken,
                variables: variables)
        } catch {
            throw .invalid("messages", "the chat template refuses the conversation: \(error)")
        }
        self.init(
            .chatCompletions, [model.tokenizer.encode(text, special: true, addSpecialTokens: false)], common, sampling,
            limit: limit ?? defaults.maximumTokens)
    }

    /// Reads the body of a request to `/v1/completions`. The prompt is a text, a list of texts, a list of token ids, or a list
    /// of such lists.
    ///
    /// - Throws: ``APIError`` for what is missing, of the wrong kind, unknown, or not supported.
    public init(completion body: JSONValue, model: ServedModel, defaults: RequestDefaults) throws(APIError) {
        var fields = try RequestFields(body)
        fields.accept(["user"])
        _ = try fields.text("model")
        guard let value = fields.value("prompt") else { throw .invalid("prompt", "the body has no prompt") }
        let inputs = try InputTexts(value, field: "prompt", model)
        var sampling = try SamplingFields.read(&fields, model, defaults)
        let top = try fields.integer("logprobs", 0...20)
        if let top { sampling.logprobs = min(top, model.vocabulary) }
        let echoes = try fields.flag("echo") ?? false
        let limit = try fields.integer("max_tokens", 0...Int(Int32.max)) ?? defaults.maximumTokens ?? 16
        if fields.value("suffix") != nil { throw .unsupported("suffix", "suffix is not supported; leave it out") }
        let common = try Common(&fields, defaults)
        if let best = try fields.integer("best_of"), best != common.samples {
            throw .unsupported("best_of", "best_of is \(best) and n is \(common.samples); only equal ones are supported")
        }
        try fields.refuseUnknown()
        guard inputs.tokens.count * common.samples <= Self.choiceLimit else {
            throw .invalid(
                "n", "\(inputs.tokens.count) prompts of \(common.samples) answers each are more than \(Self.choiceLimit)")
        }
        self.init(
            .completions, inputs.tokens, common, sampling, limit: limit, echoed: echoes ? inputs.texts(model) : nil,
            promptLogprobs: echoes ? sampling.logprobs : nil)
    }

    private init(
        _ endpoint: Endpoint, _ prompts: [[Int32]], _ common: Common, _ sampling: SamplingParameters, limit: Int?,
        echoed: [String]? = nil, promptLogprobs: Int? = nil
    ) {
        self.endpoint = endpoint
        self.prompts = prompts
        samples = common.samples
        self.sampling = sampling
        maximumTokens = limit
        seed = common.seed
        stop = common.stop
        streams = common.streams
        streamsUsage = common.streamsUsage
        self.echoed = echoed
        self.promptLogprobs = promptLogprobs
    }

    /// What both endpoints share.
    private struct Common {
        var samples: Int
        var seed: UInt64
        var stop: [String]
        var streams: Bool
        var streamsUsage = false

        init(_ fields: inout RequestFields, _ defaults: RequestDefaults) throws(APIError) {
            samples = try fields.integer("n", 1...128) ?? 1
            seed = try fields.integer("seed").map { UInt64(bitPattern: Int64($0)) } ?? defaults.seed
            stop = (try fields.texts("stop", atMost: SamplingFields.stopLimit) ?? []).filter { !$0.isEmpty }
            streams = try fields.flag("stream") ?? false
            if let options = fields.value("stream_options") {
                guard streams else { throw .invalid("stream_options", "stream_options needs stream to be true") }
                var options = try RequestFields(options)
                streamsUsage = try options.flag("include_usage") ?? false
                options.accept(["include_obfuscation"])
                try options.refuseUnknown()
            }
        }
    }

    /// Fields of the API that have no bearing on an answer.
    private static let withoutEffect = [
        "user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
        "parallel_tool_calls",
    ]

    private static func refuseUnsupported(_ fields: inout RequestFields) throws(APIError) {
        for name in ["tools", "functions"] {
            if let value = fields.value(name), value.arrayValue?.isEmpty != true {
                throw .unsupported(name, "calling functions is not supported; leave \(name) out")
            }
        }
        for name in ["tool_choice", "function_call"] {
            if let value = fields.value(name), !["none", "auto"].contains(value.stringValue) {
                throw .unsupported(name, "calling functions is not supported; leave \(name) out")
            }
        }
        if let format = fields.value("response_format"), format["type"]?.stringValue != "text" {
            throw .unsupported("response_format", "only a response_format of type text is supported")
        }
        if let kinds = try fields.texts("modalities", atMost: 8), kinds != ["text"] {
            throw .unsupported("modalities", "only text is supported")
        }
    }

    private static func templateVariables(_ fields: inout RequestFields) throws(APIError) -> [JSONValue.Member] {
        var variables: [JSONValue.Member] = []
        if let effort = try fields.text("reasoning_effort") {
            variables.append(JSONValue.Member(key: "reasoning_effort", value: .string(effort)))
        }
        if let value = fields.value("chat_template_kwargs") {
            guard let members = value.objectValue else {
                throw .invalid("chat_template_kwargs", "chat_template_kwargs must be an object")
            }
            variables += members
        }
        return variables
    }
}
