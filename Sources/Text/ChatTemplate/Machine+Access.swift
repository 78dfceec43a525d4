extension Machine {
    /// `value.name`: a method or property of the value's type if it has one of that name, else its member.
    func attribute(_ value: Value, _ name: String, _ key: TemplateString) throws(TemplateError) -> Value {
        if case .undefined(let undefined) = value { throw .undefined(undefined.message, line: line) }
        if let property = try property(value, name) { return property }
        switch value {
        case .dictionary(let dictionary):
            if let member = dictionary.value(for: key) { return member }
        case .namespace(let namespace):
            if let member = namespace.get(key) { return member }
        default: break
        }
        return .undefined(.member(name, of: value.objectName))
    }

    /// `value[key]`: the element or member; a text that names none falls back to the type's methods.
    func item(_ value: Value, _ key: Value) throws(TemplateError) -> Value {
        switch value {
        case .undefined(let undefined): throw .undefined(undefined.message, line: line)
        case .dictionary(let dictionary):
            if case .string(let name) = key {
                if let member = dictionary.value(for: name) { return member }
            } else if let hash = try? key.hashKey(line: line), let member = dictionary.value(for: hash) {
                return member
            }
        case .list(let sequence), .tuple(let sequence):
            if let index = key.integerValue, let index = position(index, sequence.items.count) {
                return sequence.items[index]
            }
        case .string(let text):
            if let index = key.integerValue, let index = position(index, text.count) {
                return .string(text.scalars(index..<index + 1))
            }
        case .range(let range):
            if let index = key.integerValue, let index = position(index, range.count) { return range[index] }
        default: break
        }
        guard case .string(let name) = key else {
            return .undefined(.element(try representation(key).string, of: value.objectName))
        }
        let string = name.string
        if let property = try property(value, string) { return property }
        if case .namespace(let namespace) = value, let member = namespace.get(name) { return member }
        return .undefined(.member(string, of: value.objectName))
    }

    /// An index counted from the end where negative, or nil where there is no such element.
    private func position(_ index: Int, _ count: Int) -> Int? {
        let position = index < 0 ? index + count : index
        return (0..<count).contains(position) ? position : nil
    }

    /// A method or property of the value's type.
    private func property(_ value: Value, _ name: String) throws(TemplateError) -> Value? {
        if hasMethod(value, name) { return .callable(Value.Callable(.method(value, name))) }
        if let refused = Machine.refusedMethods(value), refused.contains(name) {
            return .undefined(.hint("the method '\(name)' of '\(value.typeName)' changes its object and is refused"))
        }
        switch value {
        case .loop(let loop): if let member = try loop.member(name, self) { return member }
        case .macro(let macro): if let member = try macroProperty(macro.code, name) { return member }
        case .cycler(let cycler):
            switch name {
            case "current": return cycler.items[cycler.position]
            case "items": return try tuple(cycler.items)
            case "pos": return .integer(cycler.position)
            default: break
            }
        case .joiner(let joiner):
            if name == "sep" { return joiner.separator }
            if name == "used" { return .bool(joiner.isUsed) }
        case .tuple(let sequence) where sequence.isGroup:
            if name == "grouper" { return sequence.items[0] }
            if name == "list" { return sequence.items[1] }
        case .range(let range):
            if name == "start" { return .integer(range.start) }
            if name == "stop" { return .integer(range.stop) }
            if name == "step" { return .integer(range.step) }
        case .integer, .bool, .float: if let member = numberProperty(value, name) { return member }
        default: break
        }
        guard name.hasPrefix("__"), name.hasSuffix("__") else { return nil }
        if case .namespace = value { return nil }
        if case .dictionary(let members) = value, members.value(for: TemplateString(name)) != nil { return nil }
        return .undefined(.hint("access to attribute '\(name)' of '\(value.typeName)' object is unsafe"))
    }

    private func numberProperty(_ value: Value, _ name: String) -> Value? {
        let zero: Value = if case .float = value { .float(0) } else { .integer(0) }
        let itself: Value = if case .float = value { value } else { .integer(value.integerValue ?? 0) }
        return switch name {
        case "real": itself
        case "imag": zero
        case "numerator" where value.integerValue != nil: itself
        case "denominator" where value.integerValue != nil: .integer(1)
        default: nil
        }
    }

    private func macroProperty(_ code: MacroCode, _ name: String) throws(TemplateError) -> Value? {
        switch name {
        case "name": code.name.map { .text($0) } ?? Value.none
        case "arguments": try tuple(code.parameters.map { .text($0.name) })
        case "catch_kwargs": .bool(code.keywordSlot != nil)
        case "catch_varargs": .bool(code.positionalSlot != nil)
        case "caller": .bool(code.callerSlot != nil)
        case "explicit_caller": .bool(code.parameters.contains { $0.name == "caller" })
        default: nil
        }
    }

    /// `value[start:stop:step]`.
    func slice(_ value: Value, _ bounds: [Value]) throws(TemplateError) -> Value {
        func positions(_ count: Int) throws(TemplateError) -> [Int] { try slicePositions(bounds, count) }
        switch value {
        case .undefined(let undefined): throw .undefined(undefined.message, line: line)
        case .list(let sequence): return try list(try positions(sequence.items.count).map { sequence.items[$0] })
        case .tuple(let sequence): return try tuple(try positions(sequence.items.count).map { sequence.items[$0] })
        case .string(let text):
            let selected = try positions(text.count)
            if let first = selected.first, selected.count == 1 || selected[1] == first + 1 {
                return try self.text(text.scalars(first..<first + selected.count))
            }
            let elements = text.elements
            return try self.text(text.with(selected.flatMap { elements[$0].bytes }))
        case .range(let range):
            let selected = try positions(range.count)
            return .range(range.part(selected))
        default: throw failure("a value of type '\(value.typeName)' cannot be sliced")
        }
    }

    private func slicePositions(_ bounds: [Value], _ count: Int) throws(TemplateError) -> [Int] {
        var numbers: [Int?] = []
        for bound in bounds {
            guard bound.isNone || bound.integerValue != nil else { throw failure("a slice needs whole numbers") }
            numbers.append(bound.integerValue)
        }
        // A step past the ends picks the first element alone, however long it is.
        let step = min(max(numbers[2] ?? 1, -count - 1), count + 1)
        guard step != 0 else { throw failure("a slice cannot have the step 0") }
        func clamped(_ bound: Int, _ lower: Int, _ upper: Int) -> Int {
            min(max(bound < 0 ? bound + count : bound, lower), upper)
        }
        try self.step(count / 16)
        if step > 0 {
            let start = clamped(numbers[0] ?? 0, 0, count)
            let stop = clamped(numbers[1] ?? count, 0, count)
            return start < stop ? Array(stride(from: start, to: stop, by: step)) : []
        }
        let start = numbers[0].map { clamped($0, -1, count - 1) } ?? count - 1
        let stop = numbers[1].map { clamped($0, -1, count - 1) } ?? -1
        return start > stop ? Array(stride(from: start, to: stop, by: step)) : []
    }
}

extension Value.IntegerRange {
    /// The elements at `positions`, which lie evenly, as a range again.
    fileprivate func part(_ positions: [Int]) -> Value.IntegerRange {
        guard let first = positions.first else {
            return Value.IntegerRange(start: start, stop: start, step: step, count: 0)
        }
        let step = positions.count > 1 ? (positions[1] - first) * step : step
        let start = start + first * self.step
        let stop = start &+ positions.count &* step
        return Value.IntegerRange(start: start, stop: stop, step: step, count: positions.count)
    }
}
