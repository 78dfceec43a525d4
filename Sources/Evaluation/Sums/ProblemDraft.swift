/// A problem in the making: its plan and its sentences so far.
struct ProblemDraft {
    /// The numbers drawn do not fit the level; the next attempt will.
    struct Impossible: Error {}

    let size: ProblemSize
    var noise: ProblemNoise
    private(set) var plan: [IntegerOperation] = []
    var sentences: [String] = []

    init(size: ProblemSize, noise: ProblemNoise) {
        self.size = size
        self.noise = noise
    }

    /// One attempt; nil where the numbers did not work out.
    mutating func problem(level: Int) -> SumsProblem? {
        let count = noise.number(size.operations)
        do throws(Impossible) {
            if noise.once(in: 3) { try writeExpression(count) } else { try writeStory(count) }
        } catch {
            return nil
        }
        guard plan.count == count else { return nil }
        let problem = SumsProblem(level: level, question: sentences.joined(separator: " "), plan: plan)
        // A step that comes twice would be ambiguous to check.
        let steps = problem.steps.map(\.normalized)
        return Set(steps).count == steps.count ? problem : nil
    }

    /// Adds an operation to the plan and returns its result.
    mutating func apply(_ left: Int, _ symbol: IntegerOperation.Symbol, _ right: Int) throws(Impossible) -> Int {
        let operation = IntegerOperation(left, symbol, right)
        guard let result = operation.result, (1...size.result).contains(result) else { throw Impossible() }
        if symbol == .times || symbol == .over {
            // One digit times at most two; so no split has more than three steps.
            let (few, many) = symbol == .times ? (min(left, right), max(left, right)) : (right, result)
            guard (2...9).contains(few), (2...99).contains(many) else { throw Impossible() }
        }
        plan.append(operation)
        return result
    }

    // MARK: Numbers

    /// A number that a question states, small ones somewhat more often.
    mutating func term() -> Int {
        noise.number(2...(noise.once(in: 3) ? max(10, size.number / 4) : size.number))
    }

    /// A number from 1 that leaves something of `value`.
    mutating func term(below value: Int) throws(Impossible) -> Int {
        guard value >= 2 else { throw Impossible() }
        return noise.number(1...min(value - 1, size.number))
    }

    mutating func digit() -> Int { noise.number(2...9) }

    /// The factor beside `digit`, so that the product fits the level.
    mutating func factor(beside digit: Int) -> Int {
        noise.number(2...max(2, min(size.factor, size.result / digit)))
    }

    /// A digit that divides `value` and leaves a quotient of 2...99, and does not undo a product just made.
    mutating func divisor(of value: Int) throws(Impossible) -> Int {
        let product = plan.last.flatMap { $0.symbol == .times ? $0 : nil }
        let divisors = (2...9).filter {
            value % $0 == 0 && (2...99).contains(value / $0) && $0 != product?.left && $0 != product?.right
        }
        guard !divisors.isEmpty else { throw Impossible() }
        return noise.choice(divisors)
    }

    // MARK: Expressions

    private static let frames: [(before: String, after: String)] = [
        ("What is ", "?"), ("Compute ", "."), ("Work out ", "."), ("", " = ?"), ("Find the value of ", "."),
    ]

    private mutating func writeExpression(_ count: Int) throws(Impossible) {
        let frame = noise.choice(Self.frames)
        sentences = [frame.before + (try expression(count)).text + frame.after]
    }

    /// A part of an expression, as it is written and what it is worth.
    private struct Expression {
        var text: String
        var value: Int
        /// Of its last operation; nil for a number.
        var symbol: IntegerOperation.Symbol?

        /// Brackets where the usual order of operations would read something else.
        func text(within symbol: IntegerOperation.Symbol, onRight: Bool) -> String {
            guard let own = self.symbol else { return text }
            let (inner, outer) = (Self.rank(own), Self.rank(symbol))
            return inner > outer || inner == outer && !onRight ? text : "(\(text))"
        }

        private static func rank(_ symbol: IntegerOperation.Symbol) -> Int {
            symbol == .plus || symbol == .minus ? 0 : 1
        }
    }

    private mutating func expression(_ count: Int) throws(Impossible) -> Expression {
        if count == 1 { return try leaves() }
        if count >= 3, noise.once(in: 3) {
            let left = noise.number(1...count - 2)
            return try combined(try expression(left), try expression(count - 1 - left))
        }
        let inner = try expression(count - 1)
        if noise.once(in: 4) {
            let number = term()
            return try combined(Expression(text: "\(number)", value: number), inner)
        }
        // The number beside what is there already, so that every operation has its turn.
        let symbol = noise.choice(IntegerOperation.Symbol.allCases)
        let number: Int
        switch symbol {
        case .plus: number = term()
        case .minus: number = try term(below: inner.value)
        case .times: number = digit()
        case .over: number = try divisor(of: inner.value)
        }
        return try joined(inner, symbol, Expression(text: "\(number)", value: number))
    }

    private mutating func leaves() throws(Impossible) -> Expression {
        let symbol = noise.choice(IntegerOperation.Symbol.allCases)
        var (left, right) = (0, 0)
        switch symbol {
        case .plus: (left, right) = (term(), term())
        case .minus:
            left = term()
            right = try term(below: left)
        case .times:
            right = digit()
            left = factor(beside: right)
            if noise.once(in: 2) { swap(&left, &right) }
        case .over:
            right = digit()
            left = factor(beside: right) * right
        }
        return try joined(
            Expression(text: "\(left)", value: left), symbol, Expression(text: "\(right)", value: right))
    }

    /// Two parts by an operation that works for their values.
    private mutating func combined(_ left: Expression, _ right: Expression) throws(Impossible) -> Expression {
        var symbols: [IntegerOperation.Symbol] = [.plus]
        if left.value > right.value { symbols.append(.minus) }
        if min(left.value, right.value) < 10 { symbols.append(.times) }
        if (2...9).contains(right.value), left.value % right.value == 0 { symbols.append(.over) }
        return try joined(left, noise.choice(symbols), right)
    }

    private mutating func joined(
        _ left: Expression, _ symbol: IntegerOperation.Symbol, _ right: Expression
    ) throws(Impossible) -> Expression {
        let value = try apply(left.value, symbol, right.value)
        let text =
            "\(left.text(within: symbol, onRight: false)) \(symbol.rawValue) \(right.text(within: symbol, onRight: true))"
        return Expression(text: text, value: value, symbol: symbol)
    }
}
