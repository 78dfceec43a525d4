/// A function that every template may call by name.
enum GlobalFunction: String, CaseIterable, Sendable {
    case range, dict, namespace, cycler, joiner, lipsum
    case raiseException = "raise_exception"
    case strftimeNow = "strftime_now"
}

extension Machine {
    /// Methods that a sandbox refuses, as they change their object.
    static func refusedMethods(_ value: Value) -> Set<String>? {
        switch value {
        case .list: ["append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"]
        case .dictionary: ["clear", "pop", "popitem", "setdefault", "update"]
        default: nil
        }
    }

    func hasMethod(_ value: Value, _ name: String) -> Bool {
        switch value {
        case .string: StringMethods.table[name] != nil || StringMethods.refused.contains(name)
        case .dictionary:
            switch name {
            case "get", "items", "keys", "values", "copy", "fromkeys": true
            default: false
            }
        case .list: name == "index" || name == "count" || name == "copy"
        case .tuple, .range: name == "index" || name == "count"
        case .cycler: name == "next" || name == "reset"
        case .float: name == "is_integer"
        case .integer, .bool: name == "bit_length" || name == "bit_count"
        case .callable(let callable):
            if case .function(.dict) = callable.kind { name == "fromkeys" } else { false }
        default: false
        }
    }

    func call(_ callee: Value, _ arguments: CallArguments) throws(TemplateError) -> Value {
        try step()
        switch callee {
        case .macro(let macro): return try macro.call(arguments, self)
        case .callable(let callable):
            switch callable.kind {
            case .function(let function): return try call(function, arguments)
            case .method(let receiver, let name): return try callMethod(receiver, name, arguments)
            }
        case .loop(let loop):
            guard let recurse = loop.recurse else { throw failure("only a loop marked 'recursive' can be called") }
            return try recurse(try arguments.positional("loop", 1...1, self)[0], loop.depth0 + 1)
        case .joiner(let joiner):
            _ = try arguments.positional("joiner", 0...0, self)
            defer { joiner.isUsed = true }
            return joiner.isUsed ? joiner.separator : .string("")
        case .undefined(let undefined): throw .undefined(undefined.message, line: line)
        default: throw failure("a value of type '\(callee.typeName)' cannot be called")
        }
    }

    func callMethod(
        _ receiver: Value, _ name: String, _ arguments: CallArguments
    ) throws(TemplateError) -> Value {
        try step()
        switch receiver {
        case .string(let text):
            guard let method = StringMethods.table[name] else { throw unsupported("the method '\(name)' of a text") }
            return try method(self, text, arguments)
        case .dictionary(let dictionary): return try callMethod(dictionary, name, arguments)
        case .list(let sequence), .tuple(let sequence):
            if name == "copy" { return .list(sequence) }
            return try search(sequence.items, name, arguments)
        case .range: return try search(try elements(receiver), name, arguments)
        case .loop(let loop):
            guard arguments.keyword.isEmpty else { throw failure("loop.\(name) takes no arguments by name") }
            return name == "cycle"
                ? try loop.cycle(arguments.positional, self) : try loop.changed(arguments.positional, self)
        case .cycler(let cycler):
            let item = cycler.items[cycler.position]
            cycler.position = name == "reset" ? 0 : (cycler.position + 1) % cycler.items.count
            return name == "reset" ? .none : item
        case .float(let value): return .bool(value.isFinite && value.rounded() == value)
        case .integer, .bool:
            let magnitude = (receiver.integerValue ?? 0).magnitude
            return .integer(name == "bit_count" ? magnitude.nonzeroBitCount : 64 - magnitude.leadingZeroBitCount)
        case .callable: return try fromKeys(arguments)
        default: throw failure("a value of type '\(receiver.typeName)' has no method '\(name)'")
        }
    }

    private func callMethod(
        _ dictionary: Value.Dictionary, _ name: String, _ arguments: CallArguments
    ) throws(TemplateError) -> Value {
        switch name {
        case "get":
            let values = try arguments.positional("get", 1...2, self)
            if case .string(let key) = values[0] {
                return dictionary.value(for: key) ?? (values.count > 1 ? values[1] : .none)
            }
            return dictionary.value(for: try values[0].hashKey(line: line)) ?? (values.count > 1 ? values[1] : .none)
        case "fromkeys": return try fromKeys(arguments)
        default:
            _ = try arguments.positional(name, 0...0, self)
            switch name {
            case "items": return .view(Value.DictionaryView(kind: .items, dictionary: dictionary))
            case "keys": return .view(Value.DictionaryView(kind: .keys, dictionary: dictionary))
            case "values": return .view(Value.DictionaryView(kind: .values, dictionary: dictionary))
            default: return .dictionary(dictionary)
            }
        }
    }

    private func fromKeys(_ arguments: CallArguments) throws(TemplateError) -> Value {
        let values = try arguments.positional("fromkeys", 1...2, self)
        var builder = DictionaryBuilder()
        for key in try elements(values[0]) {
            try builder.set(key, values.count > 1 ? values[1] : .none, line: line)
        }
        return try builder.build(self)
    }

    /// `index` and `count` of a sequence.
    private func search(
        _ items: [Value], _ name: String, _ arguments: CallArguments
    ) throws(TemplateError) -> Value {
        let values = try arguments.positional(name, 1...(name == "index" ? 3 : 1), self)
        var range = 0..<items.count
        if values.count > 1 {
            var bounds = [0, items.count]
            for (place, value) in values.dropFirst().enumerated() {
                guard let bound = value.integerValue else { throw failure("index needs whole numbers as bounds") }
                bounds[place] = min(max(bound < 0 ? bound + items.count : bound, 0), items.count)
            }
            range = bounds[0]..<max(bounds[0], bounds[1])
        }
        var count = 0
        for position in range {
            try step()
            guard try equal(items[position], values[0]) else { continue }
            if name == "index" { return .integer(position) }
            count += 1
        }
        guard name == "count" else { throw failure("the value is not in the list") }
        return .integer(count)
    }

    private func call(_ function: GlobalFunction, _ arguments: CallArguments) throws(TemplateError) -> Value {
        switch function {
        case .range: return try makeRange(try arguments.positional("range", 1...3, self))
        case .dict: return try makeDictionary("dict", arguments)
        case .namespace:
            guard case .dictionary(let members) = try makeDictionary("namespace", arguments) else { return .none }
            let namespace = Value.Namespace()
            retain(namespace)
            for entry in members.entries {
                guard case .string(let name) = entry.key else { throw failure("members of a namespace need names") }
                try setMember(namespace, name, entry.value)
            }
            return .namespace(namespace)
        case .cycler:
            guard !arguments.positional.isEmpty else { throw failure("cycler needs at least one value") }
            let items = try sequence(try arguments.positional("cycler", 1...Int.max, self))
            return .cycler(Value.Cycler(items.items, nesting: items.nesting))
        case .joiner:
            let separator = try arguments.bind("joiner", ["sep"], required: 0, self)[0] ?? .string(", ")
            try checkNesting(separator.nesting + 1)
            return .joiner(Value.Joiner(separator))
        case .lipsum: throw unsupported("the function 'lipsum', which is random")
        case .raiseException:
            let message = try arguments.bind("raise_exception", ["message"], required: 1, self)[0] ?? .none
            throw .raised(try describe(message).string, line: line)
        case .strftimeNow:
            let format = try arguments.bind("strftime_now", ["format"], required: 1, self)[0] ?? .none
            guard case .string(let format) = format else { throw failure("strftime_now needs a text") }
            return try text(TemplateString(try now.formatted(format.string, self)))
        }
    }

    private func makeRange(_ values: [Value]) throws(TemplateError) -> Value {
        var numbers: [Int] = []
        for value in values {
            guard let number = value.integerValue else { throw failure("range needs whole numbers") }
            numbers.append(number)
        }
        let (start, stop) = numbers.count == 1 ? (0, numbers[0]) : (numbers[0], numbers[1])
        let step = numbers.count > 2 ? numbers[2] : 1
        guard step != 0 else { throw failure("range cannot have the step 0") }
        var count = 0
        if step > 0 ? start < stop : start > stop {
            let (distance, overflow) = stop.subtractingReportingOverflow(start)
            guard !overflow, step != Int.min else { throw .limit("a range of too many elements", line: line) }
            let last = (distance - step.signum()) / step
            guard last < limits.rangeLength else {
                throw .limit("a range of more than \(limits.rangeLength) elements", line: line)
            }
            count = last + 1
        }
        let (_, overflow) = step.multipliedReportingOverflow(by: max(count, 1))
        guard !overflow else { throw .limit("a range past 64 bits", line: line) }
        return .range(Value.IntegerRange(start: start, stop: stop, step: step, count: count))
    }

    /// An object from another object or from pairs, and from named arguments.
    private func makeDictionary(_ callee: String, _ arguments: CallArguments) throws(TemplateError) -> Value {
        var builder = DictionaryBuilder()
        guard arguments.positional.count <= 1 else {
            throw failure("\(callee) takes at most one argument without name")
        }
        if let source = arguments.positional.first {
            if case .undefined(let undefined) = source { throw .undefined(undefined.message, line: line) }
            if case .dictionary(let members) = source {
                for entry in members.entries { try builder.set(entry.key, entry.value, line: line) }
            } else {
                for pair in try elements(source) {
                    let parts = try elements(pair)
                    guard parts.count == 2 else { throw failure("\(callee) needs pairs of key and value") }
                    try builder.set(parts[0], parts[1], line: line)
                }
            }
        }
        for (name, value) in arguments.keyword { try builder.set(.text(name), value, line: line) }
        return try builder.build(self)
    }
}
