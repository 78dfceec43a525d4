/// A variable's place: the scope level that owns it within one function (the template itself, a macro, a recursive
/// loop, a loop's filter). Scopes of one level that follow each other share places.
struct Place: Hashable {
    let function: Int
    let level: Int
    let name: String
}

/// Where a place gets its value when its scope is entered.
enum Load {
    /// Assigned by whoever enters: a parameter, a loop's target.
    case parameter
    /// A variable of the conversation or a function of the environment.
    case global(String)
    /// A copy of the surrounding scope's variable: what the scope assigns is forgotten at its end.
    case copy(Place)
    /// Nothing, until the template assigns it.
    case nothing
}

/// The names of one scope. Which variable a name means is settled once for a whole scope, before anything runs: a
/// scope that assigns a name anywhere has its own copy of it everywhere.
final class SymbolTable {
    let level: Int
    let function: FunctionScope
    let parent: SymbolTable?
    private var places: [String: Place] = [:]
    private var loads: [Place: Load] = [:]
    private var order: [Place] = []
    private var stores: Set<String> = []

    init(function: FunctionScope, parent: SymbolTable?) {
        level = (parent?.level ?? -1) + 1
        self.function = function
        self.parent = parent
    }

    private init(copying other: SymbolTable) {
        (level, function, parent) = (other.level, other.function, other.parent)
        (places, loads, order, stores) = (other.places, other.loads, other.order, other.stores)
    }

    /// The loads of this scope in the order in which its names appeared.
    var orderedLoads: [(Place, Load)] { order.compactMap { place in loads[place].map { (place, $0) } } }

    func place(of name: String) -> Place? { places[name] ?? parent?.place(of: name) }

    private func define(_ name: String, _ load: Load) {
        let place = Place(function: function.id, level: level, name: name)
        places[name] = place
        setLoad(place, load)
    }

    private func setLoad(_ place: Place, _ load: Load) {
        if loads.updateValue(load, forKey: place) == nil { order.append(place) }
    }

    func declareParameter(_ name: String) {
        stores.insert(name)
        define(name, .parameter)
    }

    func store(_ name: String) {
        stores.insert(name)
        guard places[name] == nil else { return }
        if let outer = parent?.place(of: name) { define(name, .copy(outer)) } else { define(name, .nothing) }
    }

    func load(_ name: String) {
        if place(of: name) == nil { define(name, .global(name)) }
    }

    // MARK: Gathering names

    func visit(_ expression: ExpressionSyntax) {
        if case .name(let name) = expression.kind { load(name) }
        expression.visitParts { visit($0) }
    }

    private func visit(_ target: TargetSyntax) {
        switch target {
        case .name(let name): store(name)
        case .tuple(let targets): targets.forEach(visit)
        case .member(let name, _): load(name)
        }
    }

    func visit(_ body: [StatementSyntax]) { body.forEach(visit) }

    /// Gathers the names a statement uses in this scope, not in the scopes it opens.
    private func visit(_ statement: StatementSyntax) {
        switch statement.kind {
        case .output(let expressions): expressions.forEach(visit)
        case .set(let target, let value):
            visit(value)
            visit(target)
        case .setBlock(let target, _, _): visit(target)
        case .loop(let loop): visit(loop.iterable)
        case .condition(let branches, let otherwise): visit(branches[...], otherwise)
        case .with(let assignments, _): for (_, value) in assignments { visit(value) }
        case .macro(let macro): macro.name.map(store)
        case .callBlock(let call, _): visit(call)
        case .filterBlock(let filter, _): visit(filter)
        case .generation, .leaveLoop, .nextIteration: break
        }
    }

    private func visit(
        _ branches: ArraySlice<(test: ExpressionSyntax, body: [StatementSyntax])>, _ otherwise: [StatementSyntax]
    ) {
        guard let first = branches.first else { return }
        visit(first.test)
        let body = SymbolTable(copying: self)
        body.visit(first.body)
        let alternatives = SymbolTable(copying: self)
        for branch in branches.dropFirst() { alternatives.visit([branch], []) }
        let last = SymbolTable(copying: self)
        last.visit(otherwise)
        merge([body, alternatives, last])
    }

    /// Takes over what branches assign: such a name starts as the surrounding value, as no branch need run.
    private func merge(_ branches: [SymbolTable]) {
        var assigned: Set<String> = []
        for branch in branches { assigned.formUnion(branch.stores) }
        assigned.subtract(stores)
        for branch in branches {
            places.merge(branch.places) { $1 }
            for place in branch.order { if let load = branch.loads[place] { setLoad(place, load) } }
            stores.formUnion(branch.stores)
        }
        for name in assigned {
            guard let place = place(of: name) else { continue }
            if let outer = parent?.place(of: name) {
                setLoad(place, .copy(outer))
            } else {
                setLoad(place, .global(name))
            }
        }
    }

    func declareParameters(_ target: TargetSyntax) { target.names.forEach(declareParameter) }
}

/// The variables of one function while it is compiled: each place gets a slot of the function's activation.
final class FunctionScope {
    let id: Int
    let parent: FunctionScope?
    private(set) var slotCount = 0
    private var slots: [Place: Int] = [:]

    init(id: Int, parent: FunctionScope?) {
        self.id = id
        self.parent = parent
    }

    func slot(of place: Place) -> Int {
        if let slot = slots[place] { return slot }
        slots[place] = slotCount
        slotCount += 1
        return slotCount - 1
    }

    /// A slot that no name of the template reaches.
    func hiddenSlot() -> Int {
        slotCount += 1
        return slotCount - 1
    }

    /// How many functions outwards the place lies, and its slot there.
    func address(of place: Place) -> (hops: Int, slot: Int) {
        var scope = self
        var hops = 0
        while scope.id != place.function, let parent = scope.parent {
            scope = parent
            hops += 1
        }
        return (hops, scope.slot(of: place))
    }
}

/// Which of `names` a body reads before it assigns them.
struct UndeclaredNames {
    private var sought: Set<String>
    private(set) var found: Set<String> = []

    init(_ names: Set<String>, in body: [StatementSyntax]) {
        sought = names
        visit(body)
    }

    private mutating func visit(_ body: [StatementSyntax]) { for statement in body { visit(statement) } }

    private mutating func visit(_ expression: ExpressionSyntax) {
        if case .name(let name) = expression.kind, sought.contains(name) { found.insert(name) }
        var parts: [ExpressionSyntax] = []
        expression.visitParts { parts.append($0) }
        for part in parts { visit(part) }
    }

    private mutating func visit(_ target: TargetSyntax) { sought.subtract(target.names) }

    private mutating func visit(_ macro: MacroSyntax) {
        sought.subtract(macro.parameters.map(\.name))
        for parameter in macro.parameters { if let fallback = parameter.fallback { visit(fallback) } }
        visit(macro.body)
    }

    private mutating func visit(_ statement: StatementSyntax) {
        switch statement.kind {
        case .output(let expressions): for expression in expressions { visit(expression) }
        case .set(let target, let value):
            visit(target)
            visit(value)
        case .setBlock(let target, let filter, let body):
            visit(target)
            if let filter { visit(filter) }
            visit(body)
        case .loop(let loop):
            visit(loop.target)
            visit(loop.iterable)
            visit(loop.body)
            visit(loop.otherwise)
            if let test = loop.test { visit(test) }
        case .condition(let branches, let otherwise):
            for branch in branches {
                visit(branch.test)
                visit(branch.body)
            }
            visit(otherwise)
        case .with(let assignments, let body):
            for (target, _) in assignments { visit(target) }
            for (_, value) in assignments { visit(value) }
            visit(body)
        case .macro(let macro), .generation(let macro): visit(macro)
        case .callBlock(let call, let macro):
            visit(call)
            visit(macro)
        case .filterBlock(let filter, let body):
            visit(body)
            visit(filter)
        case .leaveLoop, .nextIteration: break
        }
    }
}
