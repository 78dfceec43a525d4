extension Machine {
    /// The stream of a value's elements.
    func iterate(_ value: Value) throws(TemplateError) -> ValueIterator {
        switch value {
        case .iterator(let iterator): return iterator
        case .list(let sequence), .tuple(let sequence): return stream(sequence.items, nesting: sequence.nesting)
        case .string(let text): return stream(text.elements.map { .string($0) }, nesting: 0)
        case .dictionary(let dictionary):
            return stream(dictionary.entries.map(\.key), nesting: dictionary.nesting)
        case .view(let view): return stream(try elements(view), nesting: view.dictionary.nesting + 1)
        case .range(let range):
            var index = 0
            return ValueIterator("range_iterator", nesting: 1) { () throws(TemplateError) -> Value? in
                guard index < range.count else { return nil }
                defer { index += 1 }
                return range[index]
            }
        case .undefined: return stream([], nesting: 0)
        case .loop: throw unsupported("iterating over the loop variable")
        case .none, .bool, .integer, .float, .namespace, .callable, .macro, .cycler, .joiner:
            throw failure("a value of type '\(value.typeName)' cannot be iterated over")
        }
    }

    private func stream(_ items: [Value], nesting: Int) -> ValueIterator {
        var index = 0
        return ValueIterator("iterator", nesting: nesting + 1) { () throws(TemplateError) -> Value? in
            guard index < items.count else { return nil }
            defer { index += 1 }
            return items[index]
        }
    }

    func elements(_ view: Value.DictionaryView) throws(TemplateError) -> [Value] {
        switch view.kind {
        case .keys: return view.dictionary.entries.map(\.key)
        case .values: return view.dictionary.entries.map(\.value)
        case .items:
            var pairs: [Value] = []
            for entry in view.dictionary.entries { pairs.append(try tuple([entry.key, entry.value])) }
            return pairs
        }
    }

    /// All elements of a value; an iterator is used up.
    func elements(_ value: Value) throws(TemplateError) -> [Value] {
        switch value {
        case .list(let sequence), .tuple(let sequence):
            try step(sequence.items.count)
            return sequence.items
        default:
            let iterator = try iterate(value)
            var items: [Value] = []
            while let item = try iterator.next() {
                try step()
                try charge(16)
                items.append(item)
            }
            return items
        }
    }

    /// Number of elements, where the value knows it without being used up.
    func length(_ value: Value) throws(TemplateError) -> Int? {
        switch value {
        case .string(let text): text.count
        case .list(let sequence), .tuple(let sequence): sequence.items.count
        case .dictionary(let dictionary): dictionary.entries.count
        case .view(let view): view.dictionary.entries.count
        case .range(let range): range.count
        case .undefined: 0
        case .loop(let loop): try loop.length(self)
        case .none, .bool, .integer, .float, .iterator, .namespace, .callable, .macro, .cycler, .joiner: nil
        }
    }

    func truth(_ value: Value) throws(TemplateError) -> Bool {
        switch value {
        case .undefined, .none: false
        case .bool(let value): value
        case .integer(let value): value != 0
        case .float(let value): value != 0
        case .string(let text): !text.isEmpty
        default: try length(value) != 0
        }
    }

    /// Whether `item` lies in `container`, by the rules of `in`.
    func contains(_ container: Value, _ item: Value) throws(TemplateError) -> Bool {
        switch container {
        case .string(let text):
            guard case .string(let needle) = item else {
                if case .undefined(let undefined) = item { throw .undefined(undefined.message, line: line) }
                throw failure("'in' a text requires a text on the left, not '\(item.typeName)'")
            }
            try step(text.bytes.count / 64)
            return text.bytes.firstOffset(of: needle.bytes, in: 0..<text.bytes.count) != nil
        case .dictionary(let dictionary):
            return dictionary.value(for: try item.hashKey(line: line)) != nil
        case .view(let view) where view.kind == .keys:
            return view.dictionary.value(for: try item.hashKey(line: line)) != nil
        case .range(let range):
            if case .float(let value) = item, Int(exactly: value) == nil { return false }
            let whole: Int?
            if case .float(let value) = item { whole = Int(exactly: value) } else { whole = item.integerValue }
            guard let whole, range.count > 0 else { return false }
            let last = range.start + (range.count - 1) * range.step
            guard (min(range.start, last)...max(range.start, last)).contains(whole) else { return false }
            return (whole - range.start) % range.step == 0
        default:
            let iterator = try iterate(container)
            while let candidate = try iterator.next() {
                try step()
                if try equal(candidate, item) { return true }
            }
            return false
        }
    }
}
