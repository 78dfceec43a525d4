/// Filters that cut a sequence into several.
extension Filters {
    static let groupBy: Filter = { (machine, value, arguments) throws(TemplateError) in
        let values = try arguments.bind("groupby", ["attribute", "default", "case_sensitive"], required: 1, machine)
        let path = try path(values[0] ?? .none, machine)
        let caseSensitive = try truth(values[2], machine)
        func key(_ item: Value) throws(TemplateError) -> Value {
            ignoringCase(try follow(path, from: item, fallback: values[1], machine), caseSensitive)
        }
        let elements = try machine.elements(value)
        var groups: [(key: Value, items: [Value])] = []
        for item in try machine.sorted(elements, reverse: false, by: key) {
            let itemKey = try key(item)
            if let last = groups.last, try machine.equal(last.key, itemKey) {
                groups[groups.count - 1].items.append(item)
            } else {
                groups.append((itemKey, [item]))
            }
        }
        var result: [Value] = []
        for group in groups {
            // A group is named as its first element writes it.
            let name =
                caseSensitive ? group.key : try follow(path, from: group.items[0], fallback: values[1], machine)
            result.append(.tuple(try machine.sequence([name, try machine.list(group.items)], isGroup: true)))
        }
        return try machine.list(result)
    }

    static let batch: Filter = { (machine, value, arguments) throws(TemplateError) in
        let values = try arguments.bind("batch", ["linecount", "fill_with"], required: 1, machine)
        let size = try integer(values[0], 0, machine)
        let elements = try machine.elements(value)
        var lines: [[Value]] = []
        var line: [Value] = []
        for element in elements {
            if line.count == size {
                lines.append(line)
                line = []
            }
            line.append(element)
        }
        if !line.isEmpty {
            if let fill = values[1], !fill.isNone, line.count < size {
                try machine.charge(16, times: size - line.count)
                line += [Value](repeating: fill, count: size - line.count)
            }
            lines.append(line)
        }
        return try stream(lines, machine)
    }

    static let slice: Filter = { (machine, value, arguments) throws(TemplateError) in
        let values = try arguments.bind("slice", ["slices", "fill_with"], required: 1, machine)
        let count = try integer(values[0], 0, machine)
        guard count != 0 else { throw machine.failure("slice cannot make 0 slices") }
        let elements = try machine.elements(value)
        guard count > 0 else { return try stream([], machine) }
        try machine.charge(48, times: count)
        try machine.step(count)
        let (size, extra) = elements.count.quotientAndRemainder(dividingBy: count)
        var slices: [[Value]] = []
        var start = 0
        for index in 0..<count {
            let end = start + size + (index < extra ? 1 : 0)
            var slice = Array(elements[start..<end])
            if let fill = values[1], !fill.isNone, index >= extra { slice.append(fill) }
            slices.append(slice)
            start = end
        }
        return try stream(slices, machine)
    }

    private static func stream(_ lists: [[Value]], _ machine: Machine) throws(TemplateError) -> Value {
        var values: [Value] = []
        for list in lists { values.append(try machine.list(list)) }
        let whole = try machine.list(values)
        let iterator = try machine.iterate(whole)
        return try machine.iterator("generator", over: whole) { () throws(TemplateError) in try iterator.next() }
    }
}
