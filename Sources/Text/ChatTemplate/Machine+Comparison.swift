extension Machine {
    func equal(_ left: Value, _ right: Value) throws(TemplateError) -> Bool {
        switch (left, right) {
        case (.string(let left), .string(let right)): return left == right
        case (.undefined, .undefined), (.none, .none): return true
        case (.float(let left), .float(let right)): return left == right
        case (.float(let left), _): return right.integerValue.map { Machine.same(left, $0) } ?? false
        case (_, .float(let right)): return left.integerValue.map { Machine.same(right, $0) } ?? false
        case (.list(let left), .list(let right)), (.tuple(let left), .tuple(let right)):
            return left === right ? true : try equal(left.items, right.items)
        case (.dictionary(let left), .dictionary(let right)): return try equal(left, right)
        case (.view(let left), .view(let right)): return try equal(left, right)
        case (.range(let left), .range(let right)):
            return left.count == right.count
                && (left.count == 0 || left.start == right.start && (left.count == 1 || left.step == right.step))
        default:
            if let left = left.integerValue, let right = right.integerValue { return left == right }
            return identical(left, right)
        }
    }

    private static func same(_ float: Double, _ integer: Int) -> Bool { Int(exactly: float) == integer }

    private func equal(_ left: [Value], _ right: [Value]) throws(TemplateError) -> Bool {
        guard left.count == right.count else { return false }
        for index in left.indices {
            try step()
            if !(try equal(left[index], right[index])) { return false }
        }
        return true
    }

    private func equal(_ left: Value.Dictionary, _ right: Value.Dictionary) throws(TemplateError) -> Bool {
        if left === right { return true }
        guard left.entries.count == right.entries.count else { return false }
        for entry in left.entries {
            try step()
            guard let other = right.value(for: try entry.key.hashKey(line: line)), try equal(entry.value, other)
            else { return false }
        }
        return true
    }

    private func equal(_ left: Value.DictionaryView, _ right: Value.DictionaryView) throws(TemplateError) -> Bool {
        guard left.kind == right.kind else { return false }
        switch left.kind {
        case .values: return false
        case .items: return try equal(left.dictionary, right.dictionary)
        case .keys:
            guard left.dictionary.entries.count == right.dictionary.entries.count else { return false }
            for entry in left.dictionary.entries {
                if right.dictionary.value(for: try entry.key.hashKey(line: line)) == nil { return false }
            }
            return true
        }
    }

    /// Whether both are the same object; the constants true, false and none are one object each.
    func identical(_ left: Value, _ right: Value) -> Bool {
        switch (left, right) {
        case (.none, .none): true
        case (.bool(let left), .bool(let right)): left == right
        case (.integer(let left), .integer(let right)): left == right
        case (.string(let left), .string(let right)): left == right
        case (.list(let left), .list(let right)), (.tuple(let left), .tuple(let right)): left === right
        case (.dictionary(let left), .dictionary(let right)): left === right
        case (.range(let left), .range(let right)): left === right
        case (.iterator(let left), .iterator(let right)): left === right
        case (.namespace(let left), .namespace(let right)): left === right
        case (.callable(let left), .callable(let right)): left === right
        case (.macro(let left), .macro(let right)): left === right
        case (.loop(let left), .loop(let right)): left === right
        case (.cycler(let left), .cycler(let right)): left === right
        case (.joiner(let left), .joiner(let right)): left === right
        default: false
        }
    }

    enum Order { case before, same, after, unordered }

    /// The order of two values, for `<` and its kin and for sorting.
    func order(_ left: Value, _ right: Value, _ symbol: String) throws(TemplateError) -> Order {
        switch (left, right) {
        case (.string(let left), .string(let right)):
            return left == right ? .same : left < right ? .before : .after
        case (.list(let leftItems), .list(let rightItems)), (.tuple(let leftItems), .tuple(let rightItems)):
            for (first, second) in zip(leftItems.items, rightItems.items) {
                try step()
                if !(try equal(first, second)) { return try order(first, second, symbol) }
            }
            let (leftCount, rightCount) = (leftItems.items.count, rightItems.items.count)
            return leftCount == rightCount ? .same : leftCount < rightCount ? .before : .after
        default:
            if let left = left.integerValue, let right = right.integerValue {
                return left == right ? .same : left < right ? .before : .after
            }
            if let left = number(left), let right = number(right) {
                return left == right ? .same : left < right ? .before : left > right ? .after : .unordered
            }
            for case .undefined(let undefined) in [left, right] { throw .undefined(undefined.message, line: line) }
            throw failure("'\(symbol)' cannot compare '\(left.typeName)' with '\(right.typeName)'")
        }
    }

    /// The value as a floating-point number, where it is a number.
    func number(_ value: Value) -> Double? {
        if case .float(let value) = value { return value }
        return value.integerValue.map(Double.init)
    }

    /// Sorts without changing the order of equals. `keys` gives what to compare. O(n log n) comparisons.
    func sorted(
        _ values: [Value], reverse: Bool, by key: (Value) throws(TemplateError) -> Value
    ) throws(TemplateError) -> [Value] {
        var pairs: [(key: Value, value: Value)] = []
        for value in values { pairs.append((try key(value), value)) }
        // Descending order keeps equals in their first order too: reverse, sort, reverse again.
        if reverse { pairs.reverse() }
        var width = 1
        while width < pairs.count {
            var merged: [(key: Value, value: Value)] = []
            merged.reserveCapacity(pairs.count)
            for start in stride(from: 0, to: pairs.count, by: 2 * width) {
                let middle = min(start + width, pairs.count)
                let end = min(middle + width, pairs.count)
                var (left, right) = (start, middle)
                while left < middle, right < end {
                    try step()
                    if case .before = try order(pairs[right].key, pairs[left].key, "<") {
                        merged.append(pairs[right])
                        right += 1
                    } else {
                        merged.append(pairs[left])
                        left += 1
                    }
                }
                merged.append(contentsOf: pairs[left..<middle])
                merged.append(contentsOf: pairs[right..<end])
            }
            pairs = merged
            width *= 2
        }
        if reverse { pairs.reverse() }
        return pairs.map(\.value)
    }
}
