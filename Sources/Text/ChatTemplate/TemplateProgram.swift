/// An expression ready to be evaluated.
typealias Evaluation = @Sendable (Activation) throws(TemplateError) -> Value
/// A statement ready to be run.
typealias Execution = @Sendable (Activation) throws(TemplateError) -> Flow

/// What comes after a statement.
enum Flow { case onward, leaveLoop, nextIteration }

/// The variables of one running function.
final class Activation: Releasable {
    /// Nil where a variable has no value.
    var slots: [Value?]
    let parent: Activation?
    unowned let machine: Machine
    private var isRetained = false

    init(slotCount: Int, parent: Activation?, machine: Machine) {
        slots = [Value?](repeating: nil, count: slotCount)
        self.parent = parent
        self.machine = machine
    }

    func outer(_ hops: Int) -> Activation {
        var activation = self
        for _ in 0..<hops {
            guard let parent = activation.parent else { return activation }
            activation = parent
        }
        return activation
    }

    /// Marks the variables as held by a macro, which may be held by them in turn.
    func retain() {
        guard !isRetained else { return }
        isRetained = true
        machine.retain(self)
    }

    func release() { slots = [] }
}

/// What to do when a scope is entered, and which slots to empty at its end.
struct ScopeEntry: Sendable {
    enum Source: Sendable {
        case global(String)
        case copy(hops: Int, slot: Int)
        case nothing
    }
    var loads: [(slot: Int, source: Source)] = []
    var slots: [Int] = []

    func enter(_ activation: Activation) {
        for (slot, source) in loads {
            switch source {
            case .global(let name): activation.slots[slot] = activation.machine.globals[name]
            case .copy(let hops, let outer): activation.slots[slot] = activation.outer(hops).slots[outer]
            case .nothing: activation.slots[slot] = nil
            }
        }
    }

    func leave(_ activation: Activation) {
        for slot in slots { activation.slots[slot] = nil }
    }
}

/// The code of the template itself.
struct TemplateProgram: Sendable {
    let slotCount: Int
    let entry: ScopeEntry
    let body: [Execution]

    func run(_ machine: Machine) throws(TemplateError) {
        let activation = Activation(slotCount: slotCount, parent: nil, machine: machine)
        defer { activation.release() }
        entry.enter(activation)
        _ = try body.run(activation)
    }
}

extension [Execution] {
    func run(_ activation: Activation) throws(TemplateError) -> Flow {
        for statement in self {
            let flow = try statement(activation)
            if flow != .onward { return flow }
        }
        return .onward
    }
}

/// Arguments of one call.
struct CallArguments {
    var positional: [Value] = []
    var keyword: [(name: String, value: Value)] = []

    static var none: CallArguments { CallArguments() }

    /// The arguments in the order of `names`; the first `required` must be given.
    func bind(
        _ callee: String, _ names: [String], required: Int, _ machine: Machine
    ) throws(TemplateError) -> [Value?] {
        guard positional.count <= names.count else {
            throw machine.failure("\(callee) takes at most \(names.count) arguments, not \(positional.count)")
        }
        var values: [Value?] = positional
        values += [Value?](repeating: nil, count: names.count - positional.count)
        for (name, value) in keyword {
            guard let index = names.firstIndex(of: name) else {
                throw machine.failure("\(callee) takes no argument named '\(name)'")
            }
            guard values[index] == nil else { throw machine.failure("\(callee) got the argument '\(name)' twice") }
            values[index] = value
        }
        for index in 0..<required where values[index] == nil {
            throw machine.failure("\(callee) needs the argument '\(names[index])'")
        }
        return values
    }

    /// The arguments of a callee that takes them by position alone.
    func positional(
        _ callee: String, _ allowed: ClosedRange<Int>, _ machine: Machine
    ) throws(TemplateError) -> [Value] {
        guard keyword.isEmpty else { throw machine.failure("\(callee) takes no arguments by name") }
        guard allowed.contains(positional.count) else {
            throw machine.failure("\(callee) cannot take \(positional.count) arguments")
        }
        return positional
    }
}

struct ArgumentsCode: Sendable {
    var positional: [Evaluation] = []
    var keyword: [(name: String, value: Evaluation)] = []
    var spread: Evaluation?
    var keywordSpread: Evaluation?

    func evaluate(_ activation: Activation) throws(TemplateError) -> CallArguments {
        var arguments = CallArguments()
        arguments.positional.reserveCapacity(positional.count)
        for value in positional { arguments.positional.append(try value(activation)) }
        for (name, value) in keyword { arguments.keyword.append((name, try value(activation))) }
        let machine = activation.machine
        if let spread { arguments.positional += try machine.elements(try spread(activation)) }
        guard let keywordSpread else { return arguments }
        guard case .dictionary(let members) = try keywordSpread(activation) else {
            throw machine.failure("'**' needs an object")
        }
        for (key, value) in members.entries {
            guard case .string(let name) = key else { throw machine.failure("names of arguments must be text") }
            let string = name.string
            guard !arguments.keyword.contains(where: { $0.name == string }) else {
                throw machine.failure("the argument '\(string)' is given twice")
            }
            arguments.keyword.append((string, value))
        }
        return arguments
    }
}
