/// A value during one rendering. Lists, tuples and objects never change once made: templates run in a sandbox that
/// refuses every method that would change them. Only namespaces, loops, cyclers and iterators have state.
enum Value {
    case undefined(Undefined)
    case none
    case bool(Bool)
    case integer(Int)
    case float(Double)
    case string(TemplateString)
    case list(Sequence)
    case tuple(Sequence)
    case dictionary(Dictionary)
    case view(DictionaryView)
    case range(IntegerRange)
    case iterator(ValueIterator)
    case namespace(Namespace)
    case callable(Callable)
    case macro(Macro)
    case loop(Loop)
    case cycler(Cycler)
    case joiner(Joiner)

    /// A value that is not there, and how it was asked for: the message appears only if the template insists.
    indirect enum Undefined {
        case name(String)
        case member(String, of: String)
        case element(String, of: String)
        case hint(String)

        var message: String {
            switch self {
            case .name(let name): "'\(name)' is undefined"
            case .member(let name, let type): "'\(type)' has no attribute '\(name)'"
            case .element(let name, let type): "\(type) has no element \(name)"
            case .hint(let text): text
            }
        }
    }

    final class Sequence {
        let items: [Value]
        /// 1 + the nesting of the deepest item, so that no walk over a value can exhaust the stack.
        let nesting: Int
        /// Names of the items, where this is a group made by `groupby`.
        let isGroup: Bool

        init(_ items: [Value], nesting: Int, isGroup: Bool = false) {
            self.items = items
            self.nesting = nesting
            self.isGroup = isGroup
        }
    }

    final class IntegerRange {
        let start: Int
        let stop: Int
        let step: Int
        let count: Int

        init(start: Int, stop: Int, step: Int, count: Int) {
            self.start = start
            self.stop = stop
            self.step = step
            self.count = count
        }

        subscript(index: Int) -> Value { .integer(start + index * step) }
    }

    /// What `keys`, `values` and `items` of an object return.
    struct DictionaryView {
        enum Kind { case keys, values, items }
        let kind: Kind
        let dictionary: Dictionary
    }

    /// The one kind of value a template may change.
    final class Namespace: Releasable {
        var members: [(name: TemplateString, value: Value)] = []

        func set(_ name: TemplateString, _ value: Value) {
            if let index = members.firstIndex(where: { $0.name == name }) {
                members[index].value = value
            } else {
                members.append((name, value))
            }
        }

        func get(_ name: TemplateString) -> Value? { members.first { $0.name == name }?.value }
        func release() { members = [] }
    }

    final class Cycler {
        let items: [Value]
        let nesting: Int
        var position = 0

        init(_ items: [Value], nesting: Int) {
            self.items = items
            self.nesting = nesting
        }
    }

    final class Joiner {
        let separator: Value
        var isUsed = false

        init(_ separator: Value) { self.separator = separator }
    }

    /// A function of the environment, or a method together with its receiver.
    final class Callable {
        enum Kind {
            case function(GlobalFunction)
            case method(Value, String)
        }
        let kind: Kind

        init(_ kind: Kind) { self.kind = kind }
    }
}

/// What may hold itself alive in a ring of references, or a long chain of values whose release would recurse; the
/// machine empties all of them when a rendering ends.
protocol Releasable: AnyObject {
    func release()
}

/// A one-way stream of values, computed as it is asked for.
final class ValueIterator {
    /// What it is called when printed.
    let name: StaticString
    let nesting: Int
    private let advance: () throws(TemplateError) -> Value?

    init(_ name: StaticString, nesting: Int, _ advance: @escaping () throws(TemplateError) -> Value?) {
        self.name = name
        self.nesting = nesting
        self.advance = advance
    }

    func next() throws(TemplateError) -> Value? { try advance() }
}

extension Value {
    /// How deeply values lie within this one; 0 for a scalar.
    var nesting: Int {
        switch self {
        case .list(let sequence), .tuple(let sequence): sequence.nesting
        case .dictionary(let dictionary): dictionary.nesting
        case .view(let view): view.dictionary.nesting + 1
        case .iterator(let iterator): iterator.nesting
        case .loop(let loop): loop.nesting
        case .cycler(let cycler): cycler.nesting
        case .joiner(let joiner): joiner.separator.nesting + 1
        case .callable(let callable):
            if case .method(let receiver, _) = callable.kind { receiver.nesting + 1 } else { 1 }
        case .namespace, .macro: 1
        case .undefined, .none, .bool, .integer, .float, .string, .range: 0
        }
    }

    static func text(_ string: String) -> Value { .string(TemplateString(string)) }

    /// The name of the value's type in messages.
    var typeName: String {
        switch self {
        case .undefined: "Undefined"
        case .none: "NoneType"
        case .bool: "bool"
        case .integer: "int"
        case .float: "float"
        case .string: "str"
        case .list: "list"
        case .tuple: "tuple"
        case .dictionary: "dict"
        case .view(let view):
            switch view.kind {
            case .keys: "dict_keys"
            case .values: "dict_values"
            case .items: "dict_items"
            }
        case .range: "range"
        case .iterator: "generator"
        case .namespace: "Namespace"
        case .callable: "function"
        case .macro: "Macro"
        case .loop: "LoopContext"
        case .cycler: "Cycler"
        case .joiner: "Joiner"
        }
    }

    /// The type as messages about missing members name it.
    var objectName: String { if case .none = self { "None" } else { "\(typeName) object" } }

    /// A whole number where the value is one; booleans count as 0 and 1.
    var integerValue: Int? {
        switch self {
        case .integer(let value): value
        case .bool(let value): value ? 1 : 0
        default: nil
        }
    }

    var stringValue: TemplateString? { if case .string(let text) = self { text } else { nil } }
    var isUndefined: Bool { if case .undefined = self { true } else { false } }
    var isNone: Bool { if case .none = self { true } else { false } }
}
