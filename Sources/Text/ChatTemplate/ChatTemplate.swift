/// A chat template: the program, shipped with a model, that turns a conversation into the text the model was trained
/// on. It is written in the Jinja language and behaves as `jinja2` does with the settings of `transformers`: an
/// immutable sandbox, newlines after tags and blanks before them dropped, `break`, `continue` and `generation`.
///
/// A template is read once and rendered many times; rendering keeps no state, so one template serves all threads.
public struct ChatTemplate: Sendable {
    /// The template as given.
    public let source: String
    private let program: TemplateProgram
    private let limits: TemplateLimits

    /// Reads a template.
    ///
    /// - Throws: ``TemplateError`` where the source is no template, uses what is refused, or nests too deeply.
    /// - Complexity: O(source).
    public init(_ source: String, limits: TemplateLimits = TemplateLimits()) throws(TemplateError) {
        guard source.utf8.count <= limits.sourceBytes else {
            throw .limit("a template longer than \(limits.sourceBytes) bytes", line: 1)
        }
        self.source = source
        self.limits = limits
        var lexer = TemplateLexer(source)
        var parser = TemplateParser(try lexer.tokenize(), depthLimit: limits.syntaxDepth)
        var compiler = TemplateCompiler()
        program = try compiler.compile(try parser.parse())
    }

    /// Renders a conversation.
    ///
    /// A message's reasoning, given as `reasoning_content`, `thinking` or `reasoning`, is offered to the template
    /// under the first two names, whichever it reads.
    ///
    /// - Parameters:
    ///   - messages: objects with at least `role` and, mostly, `content`.
    ///   - tools: descriptions of functions the model may call; nil gives the template none.
    ///   - documents: texts to answer from; nil gives the template none.
    ///   - addGenerationPrompt: whether the text ends with the beginning of an answer.
    ///   - bosToken: the text of the token that begins a sequence; nil leaves `bos_token` undefined.
    ///   - eosToken: the text of the token that ends a sequence; nil leaves `eos_token` undefined.
    ///   - variables: further variables, such as `enable_thinking`; they take precedence over all others.
    ///   - now: what `strftime_now` writes; nil is the present.
    /// - Throws: ``TemplateError``; ``TemplateError/raised(_:line:)`` where the template refuses the conversation.
    /// - Complexity: what the template makes of it, within ``TemplateLimits``.
    public func render(
        messages: [JSONValue], tools: [JSONValue]? = nil, documents: [JSONValue]? = nil,
        addGenerationPrompt: Bool = true, bosToken: String? = nil, eosToken: String? = nil,
        variables: [JSONValue.Member] = [], now: TemplateTime? = nil
    ) throws(TemplateError) -> String {
        var members: [JSONValue.Member] = []
        if let bosToken { members.append(JSONValue.Member(key: "bos_token", value: .string(bosToken))) }
        if let eosToken { members.append(JSONValue.Member(key: "eos_token", value: .string(eosToken))) }
        members += [
            JSONValue.Member(key: "messages", value: .array(messages.map(Self.aliasingReasoning))),
            JSONValue.Member(key: "tools", value: tools.map(JSONValue.array) ?? .null),
            JSONValue.Member(key: "documents", value: documents.map(JSONValue.array) ?? .null),
            JSONValue.Member(key: "add_generation_prompt", value: .bool(addGenerationPrompt)),
        ]
        return try render(context: members + variables, now: now)
    }

    /// Renders with exactly these variables; of two with one name the later counts.
    func render(context: [JSONValue.Member], now: TemplateTime? = nil) throws(TemplateError) -> String {
        let converter = Machine(limits: limits, now: now ?? .now, globals: [:])
        var globals: [String: Value] = [:]
        for function in GlobalFunction.allCases {
            globals[function.rawValue] = .callable(Value.Callable(.function(function)))
        }
        for member in context { globals[member.key] = try converter.value(member.value, depth: 0) }
        let machine = Machine(limits: limits, now: converter.now, globals: globals)
        defer { machine.releaseAll() }
        try program.run(machine)
        return String(decoding: machine.output, as: UTF8.self)
    }

    private static func aliasingReasoning(_ message: JSONValue) -> JSONValue {
        guard case .object(var members) = message else { return message }
        let names = ["reasoning_content", "thinking", "reasoning"]
        guard let reasoning = names.lazy.compactMap({ message[$0] }).first(where: { !$0.isNull }) else {
            return message
        }
        let thinking = message["thinking"] ?? reasoning
        members.removeAll { $0.key == "thinking" }
        members.insert(JSONValue.Member(key: "thinking", value: thinking), at: 0)
        if let index = members.lastIndex(where: { $0.key == "reasoning_content" }) {
            members[index].value = reasoning
        } else {
            members.append(JSONValue.Member(key: "reasoning_content", value: reasoning))
        }
        return .object(members)
    }
}

extension Machine {
    /// A JSON value as the template sees it.
    func value(_ json: JSONValue, depth: Int) throws(TemplateError) -> Value {
        // Checked on the way down: the nesting of what is built is known only on the way back.
        try checkNesting(depth)
        switch json {
        case .null: return .none
        case .bool(let value): return .bool(value)
        case .integer(let value): return .integer(value)
        case .number(let value): return .float(value)
        case .string(let value): return .string(TemplateString(value))
        case .array(let values):
            var items: [Value] = []
            items.reserveCapacity(values.count)
            for value in values { items.append(try self.value(value, depth: depth + 1)) }
            return try list(items)
        case .object(let members):
            var builder = DictionaryBuilder()
            for member in members {
                try builder.set(.text(member.key), try value(member.value, depth: depth + 1), line: line)
            }
            return try builder.build(self)
        }
    }
}
