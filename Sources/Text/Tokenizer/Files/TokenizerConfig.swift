extension TokenizerPipeline {
    /// Takes from `tokenizer_config.json` the tokens that play a part and the chat templates.
    mutating func applyConfig(_ config: [UInt8]?) throws(TokenizerError) {
        if let config {
            let fields = JSONFields(try parseJSON(config, "tokenizer_config.json"), "tokenizer_config.json")
            roles.bos = try role(fields, "bos_token") ?? roles.bos
            roles.eos = try role(fields, "eos_token") ?? roles.eos
            roles.unknown = try role(fields, "unk_token") ?? roles.unknown
            roles.padding = try role(fields, "pad_token") ?? roles.padding
            try readTemplates(fields)
        }
        findStops()
    }

    /// A role's token is a string, or an object with its content. A token that the vocabulary lacks plays no part.
    private func role(_ fields: JSONFields, _ key: String) throws(TokenizerError) -> Int32? {
        guard let member = fields[key] else { return nil }
        if let text = member.value.stringValue { return tokens.id(of: text) }
        return tokens.id(of: try member.string("content"))
    }

    private mutating func readTemplates(_ fields: JSONFields) throws(TokenizerError) {
        guard let member = fields["chat_template"] else { return }
        if let text = member.value.stringValue {
            chatTemplate = text
            return
        }
        for item in try fields.list("chat_template") {
            let name = try item.string("name")
            let template = try item.string("template")
            namedChatTemplates.append((name, template))
            if name == "default" { chatTemplate = template }
        }
    }

    /// Spellings by which models end an answer or a turn, besides the ending token.
    private static let stopSpellings = [
        "<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<turn|>", "<|endoftext|>",
        "<|end_of_text|>", "<|eot|>", "<EOT>", "<|return|>", "<|call|>", "<｜end▁of▁sentence｜>", "<end_of_utterance>",
    ]

    /// Gathers the ids that end an answer: the ending token, the turn-ending ids given, and special tokens spelled as
    /// one.
    mutating func findStops(_ given: [Int32] = []) {
        var stops: [Int32] = []
        func add(_ id: Int32) { if !stops.contains(id) { stops.append(id) } }
        if let eos = roles.eos { add(eos) }
        for id in given { add(id) }
        for spelling in Self.stopSpellings {
            if let id = tokens.id(of: spelling), specialIDs.contains(id) { add(id) }
        }
        roles.stops = stops
    }
}
