/// The variable `loop` within a loop.
final class Loop: Releasable {
    /// Index of the current iteration; -1 before the first.
    private(set) var index0 = -1
    /// Nesting of the recursive calls around this loop, 0 outside of them.
    let depth0: Int
    let nesting: Int
    /// Runs the loop's body over other elements, one level deeper; nil where the loop is not recursive.
    let recurse: ((Value, Int) throws(TemplateError) -> Value)?
    private let iterator: ValueIterator
    private var knownLength: Int?
    /// Elements read ahead, the next one first.
    private var ahead: ArraySlice<Value> = []
    private var before: Value?
    private var current: Value?
    private var lastChanged: [Value]?

    init(
        _ iterator: ValueIterator, length: Int?, depth0: Int,
        recurse: ((Value, Int) throws(TemplateError) -> Value)?
    ) {
        self.iterator = iterator
        knownLength = length
        self.depth0 = depth0
        nesting = iterator.nesting + 1
        self.recurse = recurse
    }

    func advance() throws(TemplateError) -> Value? {
        let read = ahead.popFirst()
        guard let item = try read == nil ? iterator.next() : read else { return nil }
        index0 += 1
        before = current
        current = item
        return item
    }

    /// Number of elements; a stream is read to its end to know it.
    func length(_ machine: Machine) throws(TemplateError) -> Int {
        if let knownLength { return knownLength }
        while let item = try iterator.next() {
            try machine.step()
            try machine.charge(16)
            ahead.append(item)
        }
        let length = index0 + 1 + ahead.count
        knownLength = length
        return length
    }

    private func peek() throws(TemplateError) -> Value? {
        if ahead.isEmpty, let item = try iterator.next() { ahead.append(item) }
        return ahead.first
    }

    /// A member of `loop` by name, or nil where it has none of that name.
    func member(_ name: String, _ machine: Machine) throws(TemplateError) -> Value? {
        switch name {
        case "index": .integer(index0 + 1)
        case "index0": .integer(index0)
        case "first": .bool(index0 == 0)
        case "last": .bool(try peek() == nil)
        case "length": .integer(try length(machine))
        case "revindex": .integer(try length(machine) - index0)
        case "revindex0": .integer(try length(machine) - index0 - 1)
        case "previtem": index0 == 0 ? .undefined(.hint("there is no previous item")) : before
        case "nextitem": try peek() ?? .undefined(.hint("there is no next item"))
        case "depth": .integer(depth0 + 1)
        case "depth0": .integer(depth0)
        case "cycle", "changed": .callable(Value.Callable(.method(.loop(self), name)))
        default: nil
        }
    }

    func cycle(_ values: [Value], _ machine: Machine) throws(TemplateError) -> Value {
        guard !values.isEmpty else { throw machine.failure("loop.cycle needs at least one value") }
        return values[max(index0, 0) % values.count]
    }

    /// Whether the values differ from those of the last call.
    func changed(_ values: [Value], _ machine: Machine) throws(TemplateError) -> Value {
        let old = lastChanged
        if old == nil { machine.retain(self) }
        if let old, old.count == values.count {
            var isSame = true
            for (first, second) in zip(old, values) where isSame { isSame = try machine.equal(first, second) }
            if isSame { return .bool(false) }
        }
        lastChanged = values
        return .bool(true)
    }

    func release() {
        lastChanged = nil
        (before, current, ahead) = (nil, nil, [])
    }
}
