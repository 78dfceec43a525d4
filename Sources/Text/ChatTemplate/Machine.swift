/// The state of one rendering: what has been written, what has been used up, and the line being run.
final class Machine {
    let limits: TemplateLimits
    let now: TemplateTime
    /// The variables of the conversation and the functions of the environment.
    let globals: [String: Value]
    /// The line of the template that errors name.
    var line = 1
    /// What the innermost capture (the whole text, a macro, a `set` block) has written so far.
    var output: [UInt8] = []
    private var steps = 0
    private var memory = 0
    private var callDepth = 0
    private var releasables: [any Releasable] = []

    init(limits: TemplateLimits, now: TemplateTime, globals: [String: Value]) {
        self.limits = limits
        self.now = now
        self.globals = globals
    }

    func step(_ count: Int = 1) throws(TemplateError) {
        steps += count
        if steps > limits.steps { throw .limit("more than \(limits.steps) steps", line: line) }
    }

    /// Counts bytes before they are made.
    func charge(_ bytes: Int) throws(TemplateError) {
        let (sum, overflow) = memory.addingReportingOverflow(bytes)
        guard !overflow, sum <= limits.memoryBytes else {
            throw .limit("more than \(limits.memoryBytes) bytes of text and lists", line: line)
        }
        memory = sum
    }

    /// Counts `count` repetitions of `bytes` before they are made.
    func charge(_ bytes: Int, times count: Int) throws(TemplateError) {
        let (product, overflow) = bytes.multipliedReportingOverflow(by: count)
        try charge(overflow ? Int.max : product)
    }

    func checkNesting(_ nesting: Int) throws(TemplateError) {
        guard nesting <= limits.valueDepth else {
            throw .limit("values nested deeper than \(limits.valueDepth)", line: line)
        }
    }

    func write(_ text: TemplateString) throws(TemplateError) {
        guard output.count + text.bytes.count <= limits.outputBytes else {
            throw .limit("a text longer than \(limits.outputBytes) bytes", line: line)
        }
        output.append(contentsOf: text.bytes)
    }

    /// Runs `body` with an output of its own and returns what it wrote.
    func capture<Result>(
        _ body: () throws(TemplateError) -> Result
    ) throws(TemplateError) -> (TemplateString, Result) {
        var outer: [UInt8] = []
        swap(&outer, &output)
        defer { swap(&outer, &output) }
        let result = try body()
        try charge(output.count)
        return (TemplateString(bytes: output), result)
    }

    /// Runs `body` one call deeper; `weight` is the nesting of the code that the call runs.
    func nested<Result>(
        weight: Int, _ body: () throws(TemplateError) -> Result
    ) throws(TemplateError) -> Result {
        callDepth += weight
        defer { callDepth -= weight }
        guard callDepth <= limits.callDepth else {
            throw .limit("macro calls nested too deeply (\(limits.callDepth) levels of tags)", line: line)
        }
        return try body()
    }

    func retain(_ object: any Releasable) { releasables.append(object) }

    /// Takes apart what templates may have tied into rings or long chains.
    func releaseAll() {
        for object in releasables { object.release() }
        releasables = []
    }

    func failure(_ text: String) -> TemplateError { .operation(text, line: line) }
    func unsupported(_ text: String) -> TemplateError { .unsupported(text, line: line) }

    // MARK: Values with their cost counted

    func list(_ items: [Value]) throws(TemplateError) -> Value { .list(try sequence(items)) }
    func tuple(_ items: [Value]) throws(TemplateError) -> Value { .tuple(try sequence(items)) }

    func sequence(_ items: [Value], isGroup: Bool = false) throws(TemplateError) -> Value.Sequence {
        var nesting = 0
        for item in items { nesting = max(nesting, item.nesting) }
        try checkNesting(nesting + 1)
        try charge(16 * items.count + 32)
        return Value.Sequence(items, nesting: nesting + 1, isGroup: isGroup)
    }

    func text(_ text: TemplateString) throws(TemplateError) -> Value {
        try charge(text.bytes.count)
        return .string(text)
    }

    func iterator(
        _ name: StaticString, over value: Value, _ advance: @escaping () throws(TemplateError) -> Value?
    ) throws(TemplateError) -> Value {
        let nesting = value.nesting + 1
        try checkNesting(nesting)
        return .iterator(ValueIterator(name, nesting: nesting, advance))
    }
}
