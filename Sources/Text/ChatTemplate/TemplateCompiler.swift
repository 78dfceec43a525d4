/// Turns statements into code whose variables are slots. What Jinja settles when it compiles is settled here too: the
/// scope of every name, unknown filters, misplaced `break`.
struct TemplateCompiler {
    /// What surrounds a piece of code.
    struct Frame {
        var symbols: SymbolTable
        /// Inside a condition an unknown filter is an error only when it is reached.
        var isConditional = false
        var isInLoop = false
        /// Where the enclosing `filter` or `set` block keeps what it wrote.
        var captureSlot: Int?

        var function: FunctionScope { symbols.function }

        func inner() -> Frame {
            Frame(symbols: SymbolTable(function: function, parent: symbols), isInLoop: isInLoop)
        }

        /// The frame of another function defined here.
        func inner(function: FunctionScope) -> Frame {
            Frame(symbols: SymbolTable(function: function, parent: symbols))
        }
    }

    private var functionCount = 0

    mutating func newFunction(parent: FunctionScope?) -> FunctionScope {
        functionCount += 1
        return FunctionScope(id: functionCount, parent: parent)
    }

    mutating func compile(_ body: [StatementSyntax]) throws(TemplateError) -> TemplateProgram {
        if UndeclaredNames(["self"], in: body).found.contains("self") {
            throw .unsupported("the variable 'self', which is for inheritance", line: body.first?.line ?? 1)
        }
        let function = newFunction(parent: nil)
        let frame = Frame(symbols: SymbolTable(function: function, parent: nil))
        frame.symbols.visit(body)
        let code = try compile(body, frame)
        let entry = entry(frame)
        return TemplateProgram(slotCount: function.slotCount, entry: entry, body: code)
    }

    mutating func compile(_ body: [StatementSyntax], _ frame: Frame) throws(TemplateError) -> [Execution] {
        var code: [Execution] = []
        for statement in body {
            let run = try compile(statement, frame)
            let line = statement.line
            let located: Execution = { (activation) throws(TemplateError) in
                activation.machine.line = line
                try activation.machine.step()
                return try run(activation)
            }
            code.append(located)
        }
        return code
    }

    /// How the names of the frame's scope get their values.
    func entry(_ frame: Frame) -> ScopeEntry {
        var entry = ScopeEntry()
        for (place, load) in frame.symbols.orderedLoads {
            let slot = frame.function.slot(of: place)
            entry.slots.append(slot)
            switch load {
            case .parameter: break
            case .global(let name): entry.loads.append((slot, .global(name)))
            case .nothing: entry.loads.append((slot, .nothing))
            case .copy(let outer):
                let address = frame.function.address(of: outer)
                entry.loads.append((slot, .copy(hops: address.hops, slot: address.slot)))
            }
        }
        return entry
    }

    func address(_ name: String, _ frame: Frame) -> (hops: Int, slot: Int) {
        if frame.symbols.place(of: name) == nil { frame.symbols.load(name) }
        guard let place = frame.symbols.place(of: name) else { return (0, frame.function.hiddenSlot()) }
        return frame.function.address(of: place)
    }

    private mutating func compile(
        _ statement: StatementSyntax, _ frame: Frame
    ) throws(TemplateError) -> Execution {
        switch statement.kind {
        case .output(let expressions): return try compileOutput(expressions, frame)
        case .set(let target, let value): return try compileSet(target, value, frame)
        case .setBlock(let target, let filter, let body):
            return try compileSetBlock(target, filter, body, frame)
        case .loop(let loop): return try compileLoop(loop, frame, line: statement.line)
        case .condition(let branches, let otherwise): return try compileCondition(branches, otherwise, frame)
        case .with(let assignments, let body): return try compileWith(assignments, body, frame)
        case .macro(let macro): return try compileMacro(macro, frame, line: statement.line)
        case .callBlock(let call, let macro): return try compileCallBlock(call, macro, frame, line: statement.line)
        case .generation(let macro):
            let code = try macroCode(macro, frame, line: statement.line)
            return { (activation) throws(TemplateError) in
                let machine = activation.machine
                try machine.writeBlock(try Macro(code, scope: activation).call(.none, machine))
                return .onward
            }
        case .filterBlock(let filter, let body): return try compileFilterBlock(filter, body, frame)
        case .leaveLoop, .nextIteration:
            guard frame.isInLoop else {
                throw .syntax("'break' and 'continue' belong inside a loop", line: statement.line)
            }
            let flow: Flow = if case .leaveLoop = statement.kind { .leaveLoop } else { .nextIteration }
            return { _ in flow }
        }
    }

    private func compileOutput(_ expressions: [ExpressionSyntax], _ frame: Frame) throws(TemplateError) -> Execution {
        var parts: [Execution] = []
        for expression in expressions {
            let line = expression.line
            switch expression.kind {
            case .data(let text), .string(let text):
                let write: Execution = { (activation) throws(TemplateError) in
                    try activation.machine.write(text)
                    return .onward
                }
                parts.append(write)
            default:
                let value = try compile(expression, frame)
                let write: Execution = { (activation) throws(TemplateError) in
                    let machine = activation.machine
                    machine.line = line
                    try machine.write(try machine.describe(try value(activation)))
                    return .onward
                }
                parts.append(write)
            }
        }
        if parts.count == 1 { return parts[0] }
        let all = parts
        return { (activation) throws(TemplateError) in try all.run(activation) }
    }

    private func compileSet(
        _ target: TargetSyntax, _ value: ExpressionSyntax, _ frame: Frame
    ) throws(TemplateError) -> Execution {
        let value = try compile(value, frame)
        let assign = compileTarget(target, frame)
        let namespaces = target.namespaces.map { address($0, frame) }
        return { (activation) throws(TemplateError) in
            for (hops, slot) in namespaces {
                guard case .namespace = activation.outer(hops).slots[slot] else {
                    throw activation.machine.failure("only a namespace's members can be assigned to")
                }
            }
            try assign(activation, try value(activation))
            return .onward
        }
    }

    /// Code that assigns a value to the target.
    func compileTarget(
        _ target: TargetSyntax, _ frame: Frame
    ) -> @Sendable (Activation, Value) throws(TemplateError) -> Void {
        switch target {
        case .name(let name):
            let (hops, slot) = address(name, frame)
            return { (activation, value) throws(TemplateError) in activation.outer(hops).slots[slot] = value }
        case .member(let name, let member):
            let (hops, slot) = address(name, frame)
            let key = TemplateString(member)
            return { (activation, value) throws(TemplateError) in
                let machine = activation.machine
                guard case .namespace(let namespace) = activation.outer(hops).slots[slot] else {
                    throw machine.failure("only a namespace's members can be assigned to")
                }
                try machine.setMember(namespace, key, value)
            }
        case .tuple(let targets):
            let parts = targets.map { compileTarget($0, frame) }
            return { (activation, value) throws(TemplateError) in
                let machine = activation.machine
                let iterator = try machine.iterate(value)
                var items: [Value] = []
                while let item = try iterator.next() {
                    items.append(item)
                    guard items.count <= parts.count else {
                        throw machine.failure("more than \(parts.count) values for \(parts.count) names")
                    }
                }
                guard items.count == parts.count else {
                    throw machine.failure("\(items.count) values for \(parts.count) names")
                }
                for (assign, item) in zip(parts, items) { try assign(activation, item) }
            }
        }
    }

    private mutating func compileSetBlock(
        _ target: TargetSyntax, _ filter: ExpressionSyntax?, _ body: [StatementSyntax], _ frame: Frame
    ) throws(TemplateError) -> Execution {
        var inner = frame.inner()
        inner.symbols.visit(body)
        let slot = frame.function.hiddenSlot()
        inner.captureSlot = slot
        let code = try compile(body, inner)
        let filtered: Evaluation? = if let filter { try compile(filter, inner) } else { nil }
        let assign = compileTarget(target, frame)
        let entry = entry(inner)
        return { (activation) throws(TemplateError) in
            let machine = activation.machine
            entry.enter(activation)
            let (text, flow) = try machine.capture { () throws(TemplateError) in try code.run(activation) }
            guard flow == .onward else { return flow }
            activation.slots[slot] = .string(text)
            try assign(activation, try filtered?(activation) ?? .string(text))
            activation.slots[slot] = nil
            entry.leave(activation)
            return .onward
        }
    }

    private mutating func compileFilterBlock(
        _ filter: ExpressionSyntax, _ body: [StatementSyntax], _ frame: Frame
    ) throws(TemplateError) -> Execution {
        var inner = frame.inner()
        inner.symbols.visit(body)
        inner.symbols.visit(filter)
        let slot = frame.function.hiddenSlot()
        inner.captureSlot = slot
        let code = try compile(body, inner)
        let filtered = try compile(filter, inner)
        let entry = entry(inner)
        return { (activation) throws(TemplateError) in
            let machine = activation.machine
            entry.enter(activation)
            let (text, flow) = try machine.capture { () throws(TemplateError) in try code.run(activation) }
            guard flow == .onward else { return flow }
            activation.slots[slot] = .string(text)
            try machine.writeBlock(try filtered(activation))
            activation.slots[slot] = nil
            entry.leave(activation)
            return .onward
        }
    }

    private mutating func compileCondition(
        _ branches: [(test: ExpressionSyntax, body: [StatementSyntax])], _ otherwise: [StatementSyntax], _ frame: Frame
    ) throws(TemplateError) -> Execution {
        var inner = frame
        inner.isConditional = true
        var compiled: [(test: Evaluation, body: [Execution])] = []
        for branch in branches {
            compiled.append((try compile(branch.test, inner), try compile(branch.body, inner)))
        }
        let all = compiled
        let last = try compile(otherwise, inner)
        return { (activation) throws(TemplateError) in
            for (test, body) in all {
                if try activation.machine.truth(try test(activation)) { return try body.run(activation) }
            }
            return try last.run(activation)
        }
    }

    private mutating func compileWith(
        _ assignments: [(TargetSyntax, ExpressionSyntax)], _ body: [StatementSyntax], _ frame: Frame
    ) throws(TemplateError) -> Execution {
        let inner = frame.inner()
        for (target, _) in assignments { inner.symbols.declareParameters(target) }
        inner.symbols.visit(body)
        typealias Assignment = @Sendable (Activation, Value) throws(TemplateError) -> Void
        var compiled: [(value: Evaluation, assign: Assignment)] = []
        for (target, value) in assignments {
            compiled.append((try compile(value, frame), compileTarget(target, inner)))
        }
        let all = compiled
        let code = try compile(body, inner)
        let entry = entry(inner)
        return { (activation) throws(TemplateError) in
            entry.enter(activation)
            for (value, assign) in all { try assign(activation, try value(activation)) }
            let flow = try code.run(activation)
            if flow == .onward { entry.leave(activation) }
            return flow
        }
    }

    // MARK: Macros

    private mutating func macroCode(
        _ macro: MacroSyntax, _ outer: Frame, line: Int
    ) throws(TemplateError) -> MacroCode {
        let function = newFunction(parent: outer.function)
        let frame = outer.inner(function: function)
        let symbols = frame.symbols
        func gather() {
            for parameter in macro.parameters { symbols.declareParameter(parameter.name) }
            for parameter in macro.parameters { parameter.fallback.map(symbols.visit) }
            symbols.visit(macro.body)
        }
        gather()
        let special = UndeclaredNames(["caller", "kwargs", "varargs"], in: macro.body).found
        let named = Set(macro.parameters.map(\.name))
        if special.contains("caller"), let caller = macro.parameters.first(where: { $0.name == "caller" }),
            caller.fallback == nil
        {
            throw .syntax("the parameter 'caller' needs a default", line: line)
        }
        func slot(_ name: String) -> Int? {
            guard special.contains(name), !named.contains(name) else { return nil }
            symbols.declareParameter(name)
            return symbols.place(of: name).map(function.slot)
        }
        let (caller, keyword, positional) = (slot("caller"), slot("kwargs"), slot("varargs"))
        gather()
        var parameters: [(name: String, slot: Int, fallback: Evaluation?)] = []
        for parameter in macro.parameters {
            let fallback: Evaluation? = if let syntax = parameter.fallback { try compile(syntax, frame) } else { nil }
            parameters.append((parameter.name, address(parameter.name, frame).slot, fallback))
        }
        let body = try compile(macro.body, frame)
        let entry = entry(frame)
        return MacroCode(
            name: macro.name, parameters: parameters, slotCount: function.slotCount, entry: entry, body: body,
            callerSlot: caller, keywordSlot: keyword, positionalSlot: positional, weight: 4 + depth(of: macro.body))
    }

    private mutating func compileMacro(
        _ macro: MacroSyntax, _ frame: Frame, line: Int
    ) throws(TemplateError) -> Execution {
        let code = try macroCode(macro, frame, line: line)
        let (hops, slot) = address(macro.name ?? "", frame)
        return { (activation) throws(TemplateError) in
            activation.outer(hops).slots[slot] = .macro(Macro(code, scope: activation))
            return .onward
        }
    }

    private mutating func compileCallBlock(
        _ call: ExpressionSyntax, _ macro: MacroSyntax, _ frame: Frame, line: Int
    ) throws(TemplateError) -> Execution {
        guard case .call(let callee, let arguments) = call.kind else {
            throw .syntax("expected a call in the tag 'call'", line: line)
        }
        let code = try macroCode(macro, frame, line: line)
        let function = try compile(callee, frame)
        let given = try compile(arguments, frame)
        return { (activation) throws(TemplateError) in
            let machine = activation.machine
            let callee = try function(activation)
            var values = try given.evaluate(activation)
            values.keyword.append(("caller", .macro(Macro(code, scope: activation))))
            try machine.writeBlock(try machine.call(callee, values))
            return .onward
        }
    }

    /// The deepest nesting of tags and expressions within a body.
    func depth(of body: [StatementSyntax]) -> Int {
        var deepest = 0
        for statement in body {
            let inner: Int
            switch statement.kind {
            case .output(let expressions): inner = expressions.map(\.depth).max() ?? 0
            case .set(_, let value): inner = value.depth
            case .setBlock(_, let filter, let body): inner = max(filter?.depth ?? 0, depth(of: body))
            case .loop(let loop):
                inner = max(
                    loop.iterable.depth, loop.test?.depth ?? 0, depth(of: loop.body), depth(of: loop.otherwise))
            case .condition(let branches, let otherwise):
                inner = branches.reduce(depth(of: otherwise)) { max($0, $1.test.depth, depth(of: $1.body)) }
            case .with(let assignments, let body):
                inner = max(assignments.map(\.1.depth).max() ?? 0, depth(of: body))
            case .macro: inner = 0
            case .callBlock(let call, _): inner = call.depth
            case .generation(let macro): inner = depth(of: macro.body)
            case .filterBlock(let filter, let body): inner = max(filter.depth, depth(of: body))
            case .leaveLoop, .nextIteration: inner = 0
            }
            deepest = max(deepest, inner + 1)
        }
        return deepest
    }
}

extension Machine {
    /// Writes what a block made; blocks may only make text.
    func writeBlock(_ value: Value) throws(TemplateError) {
        guard case .string(let text) = value else {
            throw failure("a block must make text, not a value of type '\(value.typeName)'")
        }
        try write(text)
    }

    func setMember(
        _ namespace: Value.Namespace, _ name: TemplateString, _ value: Value
    ) throws(TemplateError) {
        guard name.bytes.first != UInt8(ascii: "_") else {
            throw failure("a namespace cannot have the member '\(name.string)': names must not begin with '_'")
        }
        try step(1 + namespace.members.count / 8)
        namespace.set(name, value)
    }
}
