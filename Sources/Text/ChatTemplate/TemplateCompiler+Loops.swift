/// The code of a loop, apart from the elements it runs over.
private struct LoopCode: Sendable {
    let assign: @Sendable (Activation, Value) throws(TemplateError) -> Void
    let entry: ScopeEntry
    let body: [Execution]
    let otherwiseEntry: ScopeEntry
    let otherwise: [Execution]
    /// Where the variable `loop` goes, if the body reads it.
    let loopSlot: Int?
    let filter: FilterCode?

    /// The condition after `if` in the loop's tag: a function of its own, run as elements are asked for.
    struct FilterCode: Sendable {
        let assign: @Sendable (Activation, Value) throws(TemplateError) -> Void
        let entry: ScopeEntry
        let slotCount: Int
        let test: Evaluation

        func filter(
            _ iterator: ValueIterator, scope: Activation, _ machine: Machine
        ) throws(TemplateError) -> ValueIterator {
            let (entry, test, assign) = (entry, test, assign)
            let activation = Activation(slotCount: slotCount, parent: scope, machine: machine)
            var hasEntered = false
            try machine.checkNesting(iterator.nesting + 1)
            return ValueIterator("generator", nesting: iterator.nesting + 1) { () throws(TemplateError) -> Value? in
                if !hasEntered {
                    entry.enter(activation)
                    hasEntered = true
                }
                while let item = try iterator.next() {
                    try machine.step()
                    try assign(activation, item)
                    if try machine.truth(try test(activation)) { return item }
                }
                return nil
            }
        }
    }

    /// Runs the loop over `iterable` with variables in `activation`; `scope` is where the loop was written.
    func run(
        over iterable: Value, _ activation: Activation, scope: Activation, depth0: Int,
        recurse: ((Value, Int) throws(TemplateError) -> Value)?
    ) throws(TemplateError) -> Flow {
        let machine = activation.machine
        var iterator = try machine.iterate(iterable)
        var length: Int?
        if let filter {
            iterator = try filter.filter(iterator, scope: scope, machine)
        } else if loopSlot != nil {
            length = try machine.length(iterable)
        }
        let loop = loopSlot.map { _ in Loop(iterator, length: length, depth0: depth0, recurse: recurse) }
        var isUntouched = true
        while let item = try loop == nil ? iterator.next() : loop?.advance() {
            try machine.step()
            try assign(activation, item)
            if let loopSlot, let loop { activation.slots[loopSlot] = .loop(loop) }
            entry.enter(activation)
            let flow = try body.run(activation)
            if flow == .leaveLoop { break }
            // An iteration left early does not count here: `else` also follows a loop whose every body was cut short.
            if flow == .onward { isUntouched = false }
        }
        entry.leave(activation)
        guard isUntouched, !otherwise.isEmpty else { return .onward }
        otherwiseEntry.enter(activation)
        let flow = try otherwise.run(activation)
        otherwiseEntry.leave(activation)
        return flow
    }
}

extension TemplateCompiler {
    mutating func compileLoop(_ loop: LoopSyntax, _ frame: Frame, line: Int) throws(TemplateError) -> Execution {
        let iterable = try compile(loop.iterable, frame)
        guard loop.isRecursive else {
            let code = try loopCode(loop, outer: frame, frame.inner(), otherwise: frame.inner(), line: line)
            return { (activation) throws(TemplateError) in
                let elements = try iterable(activation)
                return try code.run(over: elements, activation, scope: activation, depth0: 0, recurse: nil)
            }
        }
        let function = newFunction(parent: frame.function)
        let code = try loopCode(
            loop, outer: frame, frame.inner(function: function), otherwise: frame.inner(function: function), line: line)
        let weight = 4 + depth(of: loop.body)
        let slotCount = function.slotCount
        return { (activation) throws(TemplateError) in
            let machine = activation.machine
            let elements = try iterable(activation)
            let recursion = Recursion(code: code, scope: activation, slotCount: slotCount, weight: weight)
            try machine.writeBlock(try recursion.run(elements, 0))
            return .onward
        }
    }

    private mutating func loopCode(
        _ loop: LoopSyntax, outer: Frame, _ bodyFrame: Frame, otherwise elseFrame: Frame, line: Int
    ) throws(TemplateError) -> LoopCode {
        var bodyFrame = bodyFrame
        bodyFrame.isInLoop = true
        let readsLoop = loop.isRecursive || UndeclaredNames(["loop"], in: loop.body).found.contains("loop")
        if readsLoop { bodyFrame.symbols.declareParameter("loop") }
        bodyFrame.symbols.declareParameters(loop.target)
        bodyFrame.symbols.visit(loop.body)
        elseFrame.symbols.visit(loop.otherwise)
        guard !loop.target.names.contains("loop"), !assignsLoop(loop.body), !assignsLoop(loop.otherwise) else {
            throw .syntax("the variable 'loop' cannot be assigned to inside a loop", line: line)
        }
        var filter: LoopCode.FilterCode?
        if let test = loop.test {
            let function = newFunction(parent: outer.function)
            let frame = outer.inner(function: function)
            frame.symbols.declareParameters(loop.target)
            frame.symbols.visit(test)
            let compiled = try compile(test, frame)
            let assign = compileTarget(loop.target, frame)
            filter = LoopCode.FilterCode(
                assign: assign, entry: entry(frame), slotCount: function.slotCount, test: compiled)
        }
        let loopSlot = readsLoop ? address("loop", bodyFrame).slot : nil
        let assign = compileTarget(loop.target, bodyFrame)
        let body = try compile(loop.body, bodyFrame)
        let otherwise = try compile(loop.otherwise, elseFrame)
        return LoopCode(
            assign: assign, entry: entry(bodyFrame), body: body, otherwiseEntry: entry(elseFrame),
            otherwise: otherwise, loopSlot: loopSlot, filter: filter)
    }

    private func assignsLoop(_ body: [StatementSyntax]) -> Bool {
        body.contains { statement in
            switch statement.kind {
            case .set(let target, _): target.names.contains("loop")
            case .setBlock(let target, _, let body): target.names.contains("loop") || assignsLoop(body)
            case .loop(let loop):
                loop.target.names.contains("loop") || assignsLoop(loop.body) || assignsLoop(loop.otherwise)
            case .condition(let branches, let otherwise):
                branches.contains { assignsLoop($0.body) } || assignsLoop(otherwise)
            case .with(_, let body), .filterBlock(_, let body): assignsLoop(body)
            case .macro(let macro), .callBlock(_, let macro), .generation(let macro): assignsLoop(macro.body)
            case .output, .leaveLoop, .nextIteration: false
            }
        }
    }
}

/// A recursive loop: its body is a function that the body itself may call with other elements.
private struct Recursion {
    let code: LoopCode
    let scope: Activation
    let slotCount: Int
    let weight: Int

    func run(_ elements: Value, _ depth0: Int) throws(TemplateError) -> Value {
        let machine = scope.machine
        let line = machine.line
        defer { machine.line = line }
        let activation = Activation(slotCount: slotCount, parent: scope, machine: machine)
        let (text, _) = try machine.nested(weight: weight) { () throws(TemplateError) -> (TemplateString, Flow) in
            try machine.capture { () throws(TemplateError) -> Flow in
                try code.run(
                    over: elements, activation, scope: scope, depth0: depth0,
                    recurse: { (elements, depth) throws(TemplateError) in try run(elements, depth) })
            }
        }
        return .string(text)
    }
}
