/// A value as a key: numbers are equal across their kinds, as `1 == 1.0 == true`.
enum HashKey: Hashable {
    case none
    case undefined
    case integer(Int)
    case float(Double)
    case string(TemplateString)
    case tuple([HashKey])
    case object(ObjectIdentifier)
}

extension Value {
    /// An object of a template: its members in the order in which they were first set.
    final class Dictionary {
        let entries: [(key: Value, value: Value)]
        let nesting: Int
        /// Position by key; only for objects too large to search one by one.
        private let index: [HashKey: Int]?

        fileprivate init(entries: [(key: Value, value: Value)], nesting: Int, index: [HashKey: Int]?) {
            self.entries = entries
            self.nesting = nesting
            self.index = index
        }

        func value(for key: TemplateString) -> Value? {
            if let index { return index[.string(key)].map { entries[$0].value } }
            for entry in entries {
                if case .string(let candidate) = entry.key, candidate == key { return entry.value }
            }
            return nil
        }

        func value(for key: HashKey) -> Value? {
            if case .string(let text) = key { return value(for: text) }
            if let index { return index[key].map { entries[$0].value } }
            for entry in entries where (try? entry.key.hashKey(line: 0)) == key { return entry.value }
            return nil
        }
    }

    /// The value as a key of an object; lists and objects cannot be keys.
    func hashKey(line: Int) throws(TemplateError) -> HashKey {
        switch self {
        case .undefined: return .undefined
        case .none: return .none
        case .bool(let value): return .integer(value ? 1 : 0)
        case .integer(let value): return .integer(value)
        case .float(let value):
            if let whole = Int(exactly: value) { return .integer(whole) }
            return .float(value)
        case .string(let text): return .string(text)
        case .tuple(let sequence):
            var keys: [HashKey] = []
            for item in sequence.items { keys.append(try item.hashKey(line: line)) }
            return .tuple(keys)
        case .range(let range): return .object(ObjectIdentifier(range))
        case .iterator(let iterator): return .object(ObjectIdentifier(iterator))
        case .namespace(let namespace): return .object(ObjectIdentifier(namespace))
        case .callable(let callable): return .object(ObjectIdentifier(callable))
        case .macro(let macro): return .object(ObjectIdentifier(macro))
        case .loop(let loop): return .object(ObjectIdentifier(loop))
        case .cycler(let cycler): return .object(ObjectIdentifier(cycler))
        case .joiner(let joiner): return .object(ObjectIdentifier(joiner))
        case .list, .dictionary, .view:
            throw .operation("a value of type '\(typeName)' cannot be a key", line: line)
        }
    }
}

/// Collects members of an object; a key set again keeps its place and takes the new value.
struct DictionaryBuilder {
    private var entries: [(key: Value, value: Value)] = []
    private var index: [HashKey: Int] = [:]
    private var nesting = 0

    var count: Int { entries.count }

    mutating func set(_ key: Value, _ value: Value, line: Int) throws(TemplateError) {
        let hashed = try key.hashKey(line: line)
        nesting = max(nesting, key.nesting, value.nesting)
        if let position = index[hashed] {
            entries[position].value = value
        } else {
            index[hashed] = entries.count
            entries.append((key, value))
        }
    }

    func build(_ machine: Machine) throws(TemplateError) -> Value {
        try machine.checkNesting(nesting + 1)
        try machine.charge(32 * entries.count + 32)
        return .dictionary(
            Value.Dictionary(entries: entries, nesting: nesting + 1, index: entries.count > 8 ? index : nil))
    }
}
