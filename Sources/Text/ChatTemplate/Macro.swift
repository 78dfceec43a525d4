/// The code of a macro, of a `call` block's body, or of a `generation` block.
final class MacroCode: Sendable {
    let name: String?
    let parameters: [(name: String, slot: Int, fallback: Evaluation?)]
    let slotCount: Int
    let entry: ScopeEntry
    let body: [Execution]
    /// Slots of the special variables, where the body reads them.
    let callerSlot: Int?
    let keywordSlot: Int?
    let positionalSlot: Int?
    /// What one call counts towards the limit on nesting.
    let weight: Int

    init(
        name: String?, parameters: [(name: String, slot: Int, fallback: Evaluation?)], slotCount: Int,
        entry: ScopeEntry, body: [Execution], callerSlot: Int?, keywordSlot: Int?, positionalSlot: Int?, weight: Int
    ) {
        self.name = name
        self.parameters = parameters
        self.slotCount = slotCount
        self.entry = entry
        self.body = body
        self.callerSlot = callerSlot
        self.keywordSlot = keywordSlot
        self.positionalSlot = positionalSlot
        self.weight = weight
    }
}

/// A macro together with the variables around its definition.
final class Macro {
    let code: MacroCode
    let scope: Activation

    init(_ code: MacroCode, scope: Activation) {
        self.code = code
        self.scope = scope
        scope.retain()
    }

    private var label: String { code.name.map { "the macro '\($0)'" } ?? "the caller" }

    /// Runs the macro and returns what it wrote.
    func call(_ arguments: CallArguments, _ machine: Machine) throws(TemplateError) -> Value {
        try machine.step(1 + arguments.positional.count)
        let line = machine.line
        defer { machine.line = line }
        let activation = Activation(slotCount: code.slotCount, parent: scope, machine: machine)
        try bind(arguments, activation, machine)
        let (text, _) = try machine.nested(weight: code.weight) {
            () throws(TemplateError) -> (TemplateString, Flow) in
            try machine.capture { () throws(TemplateError) -> Flow in
                code.entry.enter(activation)
                for (name, slot, fallback) in code.parameters where activation.slots[slot] == nil {
                    activation.slots[slot] =
                        try fallback?(activation) ?? .undefined(.hint("parameter '\(name)' was not provided"))
                }
                return try code.body.run(activation)
            }
        }
        return .string(text)
    }

    private func bind(
        _ arguments: CallArguments, _ activation: Activation, _ machine: Machine
    ) throws(TemplateError) {
        var keyword = arguments.keyword
        func take(_ name: String) -> Value? {
            guard let index = keyword.firstIndex(where: { $0.name == name }) else { return nil }
            return keyword.remove(at: index).value
        }
        for (index, parameter) in code.parameters.enumerated() {
            activation.slots[parameter.slot] =
                index < arguments.positional.count ? arguments.positional[index] : take(parameter.name)
        }
        if let slot = code.callerSlot {
            activation.slots[slot] = take("caller") ?? .undefined(.hint("No caller defined"))
        }
        if let slot = code.keywordSlot {
            var builder = DictionaryBuilder()
            for (name, value) in keyword { try builder.set(.text(name), value, line: machine.line) }
            activation.slots[slot] = try builder.build(machine)
        } else if let first = keyword.first {
            throw machine.failure("\(label) takes no argument named '\(first.name)'")
        }
        if let slot = code.positionalSlot {
            activation.slots[slot] = try machine.tuple(Array(arguments.positional.dropFirst(code.parameters.count)))
        } else if arguments.positional.count > code.parameters.count {
            throw machine.failure(
                "\(label) takes at most \(code.parameters.count) arguments, not \(arguments.positional.count)")
        }
    }
}
