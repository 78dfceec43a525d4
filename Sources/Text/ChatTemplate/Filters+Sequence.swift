extension Filters {
    static let list: Filter = { (machine, value, arguments) throws(TemplateError) in
        _ = try arguments.positional("list", 0...0, machine)
        return try machine.list(try machine.elements(value))
    }

    static let items: Filter = { (machine, value, arguments) throws(TemplateError) in
        _ = try arguments.positional("items", 0...0, machine)
        var pairs: ValueIterator?
        return try machine.iterator("generator", over: value) { () throws(TemplateError) -> Value? in
            if pairs == nil {
                switch value {
                case .dictionary(let members):
                    pairs = try machine.iterate(.view(Value.DictionaryView(kind: .items, dictionary: members)))
                case .undefined: pairs = try machine.iterate(value)
                default: throw machine.failure("items needs an object, not a value of type '\(value.typeName)'")
                }
            }
            return try pairs?.next()
        }
    }

    static let first: Filter = { (machine, value, arguments) throws(TemplateError) in
        _ = try arguments.positional("first", 0...0, machine)
        return try machine.iterate(value).next() ?? .undefined(.hint("No first item, sequence was empty."))
    }

    static let last: Filter = { (machine, value, arguments) throws(TemplateError) in
        _ = try arguments.positional("last", 0...0, machine)
        return try reversed(value, machine).next() ?? .undefined(.hint("No last item, sequence was empty."))
    }

    /// A stream of the elements from the end; iterators have no end to begin at.
    private static func reversed(_ value: Value, _ machine: Machine) throws(TemplateError) -> ValueIterator {
        switch value {
        case .iterator, .loop: throw machine.failure("a value of type '\(value.typeName)' cannot be reversed")
        default:
            let items = try machine.elements(value)
            var index = items.count
            return ValueIterator("reversed iterator", nesting: value.nesting + 1) {
                () throws(TemplateError) -> Value? in
                guard index > 0 else { return nil }
                index -= 1
                return items[index]
            }
        }
    }

    static let reverse: Filter = { (machine, value, arguments) throws(TemplateError) in
        _ = try arguments.positional("reverse", 0...0, machine)
        switch value {
        case .string(let text): return try machine.text(text.with(text.elements.reversed().flatMap(\.bytes)))
        case .iterator: return try machine.list(try machine.elements(value).reversed())
        default:
            try machine.checkNesting(value.nesting + 1)
            return .iterator(try reversed(value, machine))
        }
    }

    static let dictionarySort: Filter = { (machine, value, arguments) throws(TemplateError) in
        let values = try arguments.bind("dictsort", ["case_sensitive", "by", "reverse"], required: 0, machine)
        let by = try plain(values[1] ?? .string("key"), machine).string
        guard by == "key" || by == "value" else { throw machine.failure("dictsort sorts by 'key' or by 'value'") }
        if case .undefined(let undefined) = value { throw .undefined(undefined.message, line: machine.line) }
        guard case .dictionary(let members) = value else { throw machine.failure("dictsort needs an object") }
        let pairs = try machine.elements(Value.DictionaryView(kind: .items, dictionary: members))
        let caseSensitive = try truth(values[0], machine)
        return try machine.list(
            try machine.sorted(pairs, reverse: try truth(values[2], machine)) { (pair) throws(TemplateError) in
                ignoringCase(try machine.item(pair, .integer(by == "key" ? 0 : 1)), caseSensitive)
            })
    }

    static let sort: Filter = { (machine, value, arguments) throws(TemplateError) in
        let values = try arguments.bind("sort", ["reverse", "case_sensitive", "attribute"], required: 0, machine)
        let caseSensitive = try truth(values[1], machine)
        // Several attributes are separated by commas.
        var paths: [[Value]] = []
        if case .string(let text) = values[2] {
            for part in text.string.split(separator: ",", omittingEmptySubsequences: false) {
                paths.append(try path(.text(String(part)), machine))
            }
        } else {
            paths = [try path(values[2] ?? .none, machine)]
        }
        let all = paths
        let elements = try machine.elements(value)
        return try machine.list(
            try machine.sorted(elements, reverse: try truth(values[0], machine)) { (item) throws(TemplateError) in
                var keys: [Value] = []
                for path in all {
                    keys.append(ignoringCase(try follow(path, from: item, fallback: nil, machine), caseSensitive))
                }
                return try machine.list(keys)
            })
    }

    static let unique: Filter = { (machine, value, arguments) throws(TemplateError) in
        let values = try arguments.bind("unique", ["case_sensitive", "attribute"], required: 0, machine)
        let caseSensitive = try truth(values[0], machine)
        let path = try path(values[1] ?? .none, machine)
        var seen: Set<HashKey> = []
        var source: ValueIterator?
        return try machine.iterator("generator", over: value) { () throws(TemplateError) -> Value? in
            if source == nil { source = try machine.iterate(value) }
            while let item = try source?.next() {
                try machine.step()
                let key = ignoringCase(try follow(path, from: item, fallback: nil, machine), caseSensitive)
                if seen.insert(try key.hashKey(line: machine.line)).inserted { return item }
            }
            return nil
        }
    }

    static func extreme(_ name: String, after: Bool) -> Filter {
        { (machine, value, arguments) throws(TemplateError) in
            let values = try arguments.bind(name, ["case_sensitive", "attribute"], required: 0, machine)
            let caseSensitive = try truth(values[0], machine)
            let path = try path(values[1] ?? .none, machine)
            let iterator = try machine.iterate(value)
            var best: (key: Value, value: Value)?
            while let item = try iterator.next() {
                try machine.step()
                let key = ignoringCase(try follow(path, from: item, fallback: nil, machine), caseSensitive)
                guard let current = best else {
                    best = (key, item)
                    continue
                }
                let order = try machine.order(key, current.key, after ? ">" : "<")
                if case .after = order, after { best = (key, item) }
                if case .before = order, !after { best = (key, item) }
            }
            return best?.value ?? .undefined(.hint("No aggregated item, sequence was empty."))
        }
    }

    static let sum: Filter = { (machine, value, arguments) throws(TemplateError) in
        let values = try arguments.bind("sum", ["attribute", "start"], required: 0, machine)
        let path = try path(values[0] ?? .none, machine)
        var total = values[1] ?? .integer(0)
        if case .string = total { throw machine.failure("sum adds numbers and lists; texts are joined with 'join'") }
        let iterator = try machine.iterate(value)
        while let item = try iterator.next() {
            try machine.step()
            total = try machine.arithmetic(.add, total, try follow(path, from: item, fallback: nil, machine))
        }
        return total
    }

    /// `map` with the name of a filter, or with `attribute=`.
    static let map: Filter = { (machine, value, arguments) throws(TemplateError) in
        var source: ValueIterator?
        var change: ((Value) throws(TemplateError) -> Value)?
        return try machine.iterator("generator", over: value) { () throws(TemplateError) -> Value? in
            if source == nil {
                guard try machine.truth(value) else { return nil }
                change = try mapping(arguments, machine)
                source = try machine.iterate(value)
            }
            guard let item = try source?.next() else { return nil }
            try machine.step()
            return try change?(item)
        }
    }

    private static func mapping(
        _ arguments: CallArguments, _ machine: Machine
    ) throws(TemplateError) -> (Value) throws(TemplateError) -> Value {
        if arguments.positional.isEmpty, arguments.keyword.contains(where: { $0.name == "attribute" }) {
            let values = try arguments.bind("map", ["attribute", "default"], required: 1, machine)
            let path = try path(values[0] ?? .none, machine)
            return { (item) throws(TemplateError) in try follow(path, from: item, fallback: values[1], machine) }
        }
        guard let name = arguments.positional.first else { throw machine.failure("map needs the name of a filter") }
        let string = try plain(name, machine).string
        guard let filter = table[string] else { throw missing(string, line: machine.line) }
        var rest = arguments
        rest.positional.removeFirst()
        return { (item) throws(TemplateError) in try filter(machine, item, rest) }
    }

    /// `select`, `reject` and their forms that look at an attribute.
    static func select(_ label: String, keeps: Bool, byAttribute: Bool) -> Filter {
        { (machine, value, arguments) throws(TemplateError) in
            var source: ValueIterator?
            var accepts: ((Value) throws(TemplateError) -> Bool)?
            return try machine.iterator("generator", over: value) { () throws(TemplateError) -> Value? in
                if source == nil {
                    guard try machine.truth(value) else { return nil }
                    accepts = try condition(label, arguments, byAttribute, machine)
                    source = try machine.iterate(value)
                }
                while let item = try source?.next() {
                    try machine.step()
                    if try accepts?(item) == keeps { return item }
                }
                return nil
            }
        }
    }

    private static func condition(
        _ label: String, _ arguments: CallArguments, _ byAttribute: Bool, _ machine: Machine
    ) throws(TemplateError) -> (Value) throws(TemplateError) -> Bool {
        var rest = arguments
        var path: [Value] = []
        if byAttribute {
            guard let attribute = rest.positional.first else {
                throw machine.failure("\(label) needs the name of an attribute")
            }
            path = try Filters.path(attribute, machine)
            rest.positional.removeFirst()
        }
        let followed = path
        guard let name = rest.positional.first else {
            return { (item) throws(TemplateError) in
                try machine.truth(try follow(followed, from: item, fallback: nil, machine))
            }
        }
        let string = try plain(name, machine).string
        guard let test = ValueTests.table[string] else {
            throw .syntax("no test named '\(string)'", line: machine.line)
        }
        rest.positional.removeFirst()
        let given = rest
        return { (item) throws(TemplateError) in
            try test(machine, try follow(followed, from: item, fallback: nil, machine), given)
        }
    }
}
