extension Machine {
    func signed(_ value: Value, isNegative: Bool) throws(TemplateError) -> Value {
        if case .float(let number) = value { return .float(isNegative ? -number : number) }
        if let whole = value.integerValue {
            let (result, overflow) = isNegative ? (0).subtractingReportingOverflow(whole) : (whole, false)
            guard !overflow else { throw tooLarge }
            return .integer(result)
        }
        if case .undefined(let undefined) = value { throw .undefined(undefined.message, line: line) }
        throw failure("a value of type '\(value.typeName)' has no sign")
    }

    private var tooLarge: TemplateError { unsupported("whole numbers past 64 bits") }

    func arithmetic(
        _ sign: ArithmeticOperator, _ left: Value, _ right: Value
    ) throws(TemplateError) -> Value {
        if let left = left.integerValue, let right = right.integerValue { return try whole(sign, left, right) }
        if sign == .remainder, case .string(let format) = left { return try percentFormat(format, right) }
        for case .undefined(let undefined) in [left, right] { throw .undefined(undefined.message, line: line) }
        if let left = number(left), let right = number(right) { return .float(try floating(sign, left, right)) }
        switch (sign, left, right) {
        case (.add, .string(let left), .string(let right)): return try text(joined(left, right))
        case (.add, .list(let left), .list(let right)): return try list(left.items + right.items)
        case (.add, .tuple(let left), .tuple(let right)): return try tuple(left.items + right.items)
        case (.multiply, .string(let text), _):
            if let count = right.integerValue { return try repeated(text, count) }
        case (.multiply, _, .string(let text)):
            if let count = left.integerValue { return try repeated(text, count) }
        case (.multiply, .list(let sequence), _):
            if let count = right.integerValue { return try list(try repeated(sequence, count)) }
        case (.multiply, _, .list(let sequence)):
            if let count = left.integerValue { return try list(try repeated(sequence, count)) }
        case (.multiply, .tuple(let sequence), _):
            if let count = right.integerValue { return try tuple(try repeated(sequence, count)) }
        case (.multiply, _, .tuple(let sequence)):
            if let count = left.integerValue { return try tuple(try repeated(sequence, count)) }
        default: break
        }
        throw failure("'\(sign.rawValue)' cannot join '\(left.typeName)' and '\(right.typeName)'")
    }

    /// Two texts joined; where one is markup, the other is escaped.
    private func joined(_ left: TemplateString, _ right: TemplateString) -> TemplateString {
        guard left.isMarkup || right.isMarkup else { return TemplateString(bytes: left.bytes + right.bytes) }
        return TemplateString(bytes: left.escaped.bytes + right.escaped.bytes, isMarkup: true)
    }

    private func repeated(_ text: TemplateString, _ count: Int) throws(TemplateError) -> Value {
        guard count > 0 else { return .string(text.with([])) }
        try charge(text.bytes.count, times: count)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.bytes.count * count)
        for _ in 0..<(text.isEmpty ? 0 : count) { bytes += text.bytes }
        return .string(text.with(bytes))
    }

    private func repeated(_ sequence: Value.Sequence, _ count: Int) throws(TemplateError) -> [Value] {
        guard count > 0, !sequence.items.isEmpty else { return [] }
        try charge(16 * sequence.items.count, times: count)
        var items: [Value] = []
        for _ in 0..<count { items += sequence.items }
        return items
    }

    private func whole(_ sign: ArithmeticOperator, _ left: Int, _ right: Int) throws(TemplateError) -> Value {
        let (result, overflow): (Int, Bool)
        switch sign {
        case .add: (result, overflow) = left.addingReportingOverflow(right)
        case .subtract: (result, overflow) = left.subtractingReportingOverflow(right)
        case .multiply: (result, overflow) = left.multipliedReportingOverflow(by: right)
        case .divide:
            guard right != 0 else { throw failure("a division by zero") }
            return .float(Double(left) / Double(right))
        case .floorDivide, .remainder:
            guard right != 0 else { throw failure("a division by zero") }
            guard right != -1 else { return try whole(sign == .remainder ? .multiply : .subtract, 0, left) }
            let (quotient, remainder) = left.quotientAndRemainder(dividingBy: right)
            // Rounds down, and the remainder takes the divisor's sign.
            let isBelow = remainder != 0 && (remainder < 0) != (right < 0)
            if sign == .floorDivide { return .integer(isBelow ? quotient - 1 : quotient) }
            return .integer(isBelow ? remainder + right : remainder)
        case .power: return try power(left, right)
        }
        guard !overflow else { throw tooLarge }
        return .integer(result)
    }

    private func power(_ base: Int, _ exponent: Int) throws(TemplateError) -> Value {
        if exponent < 0 {
            guard base != 0 else { throw failure("zero has no negative power") }
            guard exponent != Int.min, case .integer(let inverse) = try power(base, -exponent),
                inverse.magnitude < 1 << 53
            else { throw unsupported("negative powers below 2^-53") }
            return .float(1 / Double(inverse))
        }
        if base == 0 || base == 1 { return .integer(exponent == 0 ? 1 : base) }
        if base == -1 { return .integer(exponent % 2 == 0 ? 1 : -1) }
        guard exponent < 64 else { throw tooLarge }
        var result = 1
        for _ in 0..<exponent {
            let (product, overflow) = result.multipliedReportingOverflow(by: base)
            guard !overflow else { throw tooLarge }
            result = product
        }
        return .integer(result)
    }

    private func floating(
        _ sign: ArithmeticOperator, _ left: Double, _ right: Double
    ) throws(TemplateError) -> Double {
        switch sign {
        case .add: return left + right
        case .subtract: return left - right
        case .multiply: return left * right
        case .divide:
            guard right != 0 else { throw failure("a division by zero") }
            return left / right
        case .floorDivide:
            guard right != 0 else { throw failure("a division by zero") }
            // From the remainder, as the quotient itself may round up to the next whole number.
            let remainder = flooredRemainder(left, right)
            let quotient = (left - remainder) / right
            guard quotient != 0 else { return left / right < 0 ? -0.0 : 0 }
            let floor = quotient.rounded(.down)
            return quotient - floor > 0.5 ? floor + 1 : floor
        case .remainder:
            guard right != 0 else { throw failure("a division by zero") }
            return flooredRemainder(left, right)
        case .power:
            switch right {
            case 0: return 1
            case 1: return left
            case 2: return left * left
            case 0.5 where left >= 0: return left.squareRoot()
            default: throw unsupported("powers of floating-point numbers other than 0, 0.5, 1 and 2")
            }
        }
    }

    private func flooredRemainder(_ left: Double, _ right: Double) -> Double {
        let remainder = left.truncatingRemainder(dividingBy: right)
        if remainder == 0 { return right < 0 ? -0.0 : 0 }
        return (remainder < 0) != (right < 0) ? remainder + right : remainder
    }
}
