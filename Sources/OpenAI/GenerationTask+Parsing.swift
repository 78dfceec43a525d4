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
        let ignored = try fields.unknown(defaults)
        let text = try Self.text(messages, variables, model)
        self.init(
            .chatCompletions, [model.tokenizer.encode(text, special: true, addSpecialTokens: false)], common, sampling,
            ignored, limit: limit ?? defaults.maximumTokens)
    }

    /// The text that the model sees of a conversation: what the template makes of it.
    ///
    /// - Throws: ``APIError`` as reading the whole body does.
    public static func prompt(
        chat body: JSONValue, model: ServedModel, defaults: RequestDefaults
    ) throws(APIError) -> String {
        var fields = try RequestFields(body)
        _ = try fields.text("model")
        let messages = try messages(&fields)
        let variables = try templateVariables(&fields)
        _ = try fields.unknown(defaults)
        return try text(messages, variables, model)
    }

    private static func text(
        _ messages: [JSONValue], _ variables: [JSONValue.Member], _ model: ServedModel
    ) throws(APIError) -> String {
        guard let template = model.template else {
            throw APIError(
                "\(MissingTemplate(model: model.name))", parameter: "messages", code: "no_chat_template")
        }
        do throws(TemplateError) {
            return try template.render(
                messages: messages, bosToken: model.tokenizer.bosToken, eosToken: model.tokenizer.eosToken,
                variables: variables)
        } catch {
            throw .invalid("messages", "the chat template refuses the conversation: \(error)")
        }
    }

    /// Reads the body of a request to `/v1/completions`. The prompt is a text, a list of texts, a list of token ids, or a list
    /// of such lists.
    ///
    /// - Throws: ``APIError`` for what is missing, of the wrong kind, unknown, or not supported.
    public init(completion body: JSONValue, model: ServedModel, defaults: RequestDefaults) throws(APIError) {
        var fields = try RequestFields(body)
        fields.accept(["safety_identifier"])
        _ = try fields.text("model")
        guard let value = fields.value("prompt") else { throw .invalid("prompt", "the body has no prompt") }
        let inputs = try InputTexts(value, field: "prompt", model)
        var sampling = try SamplingFields.read(&fields, model, defaults)
        let top = try fields.integer("logprobs", 0...20)
        if let top { sampling.logprobs = min(top, model.vocabulary) }
        let echoes = try fields.flag("echo") ?? false
        let limit = try fields.integer("max_tokens", 0...Int(Int32.max)) ?? defaults.maximumTokens ?? 16
        if let suffix = fields.value("suffix"), suffix.stringValue != "" { throw .unsupported("suffix", "suffix is not supported; leave it out") }
        let common = try Common(&fields, defaults)
        try Self.refuseConstraints(&fields)
        if let best = try fields.integer("best_of"), best != common.samples {
            throw .unsupported("best_of", "best_of is \(best) and n is \(common.samples); only equal ones are supported")
        }
        let ignored = try fields.unknown(defaults)
        guard inputs.tokens.count * common.samples <= Self.choiceLimit else {
            throw .invalid(
                "n", "\(inputs.tokens.count) prompts of \(common.samples) answers each are more than \(Self.choiceLimit)")
        }
        self.init(
            .completions, inputs.tokens, common, sampling, ignored, limit: limit, echoed: echoes ? inputs.texts(model) : nil,
            promptLogprobs: echoes ? sampling.logprobs : nil)
    }

    private init(
        _ endpoint: Endpoint, _ prompts: [[Int32]], _ common: Common, _ sampling: SamplingParameters,
        _ ignored: [String], limit: Int?, echoed: [String]? = nil, promptLogprobs: Int? = nil
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
        service = common.service
        self.ignored = ignored
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
        var service: ServiceFields

        init(_ fields: inout RequestFields, _ defaults: RequestDefaults) throws(APIError) {
            samples = try fields.integer("n", 1...max(1, defaults.maximumSamples)) ?? 1
            seed = try fields.integer("seed").map { UInt64(bitPattern: Int64($0)) } ?? defaults.seed
            stop = (try fields.texts("stop", atMost: SamplingFields.stopLimit) ?? []).filter { !$0.isEmpty }
            streams = try fields.flag("stream") ?? false
            if let options = fields.value("stream_options") {
                guard streams else { throw .invalid("stream_options", "stream_options needs stream to be true") }
                var options = try RequestFields(options)
                streamsUsage = try options.flag("include_usage") ?? false
                options.accept(["include_obfuscation", "continuous_usage_stats"])
                _ = try options.unknown(defaults)
            }
            service = try ServiceFields(&fields)
        }
    }

    /// Fields of the API that have no bearing on an answer.
    private static let withoutEffect = [
        "metadata", "store", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "parallel_tool_calls",
        "verbosity", "prediction",
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
        try refuseConstraints(&fields)
        if let kinds = try fields.texts("modalities", atMost: 8), kinds != ["text"] {
            throw .unsupported("modalities", "only text is supported")
        }
    }

    /// Output that must match a form. Each name is one under which some server takes such a form.
    private static func refuseConstraints(_ fields: inout RequestFields) throws(APIError) {
        if let format = fields.value("response_format"), format["type"]?.stringValue != "text" {
            throw .unsupported(
                "response_format",
                "only a response_format of type text is supported; output that must match a form is not supported yet")
        }
        for name in [
            "grammar", "json_schema", "guided_json", "guided_regex", "guided_choice", "guided_grammar",
            "structured_outputs",
        ] where fields.value(name) != nil {
            throw .unsupported(name, "output that must match a form is not supported yet; leave \(name) out")
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
