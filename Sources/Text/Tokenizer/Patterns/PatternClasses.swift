/// The part of the parser that reads sets of scalars: escapes, properties and bracketed classes.
extension PatternParser {
    /// One escape that stands for characters, in or out of a class.
    mutating func parseClassEscape() throws(TokenizerError) -> ScalarSet.Expression {
        position += 1
        guard let scalar = next else { throw failure("a \\ at its end") }
        position += 1
        switch scalar {
        case 0x73: return .mask(ScalarClass.whiteSpace)
        case 0x53: return .mask(~ScalarClass.whiteSpace)
        case 0x64: return .mask(ScalarClass.decimalDigits)
        case 0x44: return .mask(~ScalarClass.decimalDigits)
        case 0x77: return word
        case 0x57: return .complement(word)
        case 0x70, 0x50: return try parseProperty(isNegative: scalar == 0x50)
        case 0x6E: return .range(0x0A, 0x0A)
        case 0x72: return .range(0x0D, 0x0D)
        case 0x74: return .range(0x09, 0x09)
        case 0x66: return .range(0x0C, 0x0C)
        case 0x76: return .range(0x0B, 0x0B)
        case 0x65: return .range(0x1B, 0x1B)
        case 0x61: return .range(0x07, 0x07)
        case 0x78:
            let value = take("{") ? parseHex(8) : parseHex(2)
            if let value, scalars[position - 1] != 0x7D {
                _ = take("}")
                return literal(value)
            }
            throw failure("an unreadable \\x")
        case 0x75:
            guard let value = take("{") ? parseHex(8) : parseHex(4) else { throw failure("an unreadable \\u") }
            _ = take("}")
            return literal(value)
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: throw failure("the escape \\\(Character(Unicode.Scalar(scalar)!))")
        default: return literal(scalar)
        }
    }

    private var word: ScalarSet.Expression {
        var parts: [ScalarSet.Expression] = [
            .mask(ScalarClass.marks | ScalarClass.decimalDigits | ScalarClass.connectors), .alphabetic,
        ]
        if dialect == .rust { parts.append(.range(0x200C, 0x200D)) }
        return .union(parts)
    }

    private mutating func parseHex(_ limit: Int) -> UInt32? {
        var value: UInt32?
        var count = 0
        while count < limit, let scalar = next, scalar < 128,
            let digit = Character(Unicode.Scalar(UInt8(scalar))).hexDigitValue
        {
            guard (value ?? 0) < 0x110000 else { return nil }
            value = (value ?? 0) << 4 | UInt32(digit)
            position += 1
            count += 1
        }
        return value
    }

    private mutating func parseProperty(isNegative: Bool) throws(TokenizerError) -> ScalarSet.Expression {
        var name = ""
        var isComplement = isNegative
        if take("{") {
            if take("^") { isComplement.toggle() }
            while let scalar = next, scalar != 0x7D, let valid = Unicode.Scalar(scalar) {
                name.unicodeScalars.append(valid)
                position += 1
            }
            guard take("}") else { throw failure("a \\p{ without its }") }
        } else if let scalar = next, let valid = Unicode.Scalar(scalar) {
            name.unicodeScalars.append(valid)
            position += 1
        }
        if let mask = ScalarClass.mask(name) { return .mask(isComplement ? ~mask : mask) }
        let expression: ScalarSet.Expression
        switch name {
        case "Han", "Script=Han", "script=Han": expression = .union(HanScript.ranges.map { .range($0.0, $0.1) })
        case "Alphabetic", "alpha", "Alpha": expression = .alphabetic
        case "Letter": expression = .mask(ScalarClass.letters)
        case "Number": expression = .mask(ScalarClass.numbers)
        case "Punctuation": expression = .mask(ScalarClass.punctuation)
        case "Symbol": expression = .mask(ScalarClass.symbols)
        case "Mark": expression = .mask(ScalarClass.marks)
        case "White_Space", "space", "Space": expression = .mask(ScalarClass.whiteSpace)
        default: throw failure("the property \\p{\(name)}")
        }
        return isComplement ? .complement(expression) : expression
    }

    // MARK: Classes

    mutating func parseClass() throws(TokenizerError) -> ScalarSet.Expression {
        depth += 1
        defer { depth -= 1 }
        guard depth < 64 else { throw failure("classes nested deeper than 64") }
        position += 1
        let isComplement = take("^")
        var parts: [ScalarSet.Expression] = []
        var left: ScalarSet.Expression?
        var isFirst = true
        while true {
            guard let scalar = next else { throw failure("a class without its ]") }
            if scalar == 0x5D, !isFirst { break }
            isFirst = false
            if take("&&") {
                let operand = ScalarSet.Expression.union(parts)
                left = left.map { .intersection($0, operand) } ?? operand
                parts = []
            } else if isAt("[:") {
                parts.append(try parsePosix())
            } else if scalar == 0x5B {
                parts.append(try parseClass())
            } else {
                parts.append(try parseClassItem())
            }
        }
        position += 1
        let operand = ScalarSet.Expression.union(parts)
        let whole: ScalarSet.Expression = left.map { .intersection($0, operand) } ?? operand
        return isComplement ? .complement(whole) : whole
    }

    private mutating func parseClassItem() throws(TokenizerError) -> ScalarSet.Expression {
        let first = try parseClassEdge()
        guard case .range(let low, let same) = first.plain, low == same, isAt("-"), position + 1 < scalars.count,
            scalars[position + 1] != 0x5D, scalars[position + 1] != 0x5B
        else { return first.cased }
        position += 1
        guard case .range(let high, let alsoHigh) = try parseClassEdge().plain, high == alsoHigh, high >= low else {
            throw failure("a range out of order")
        }
        guard ignoresCase else { return .range(low, high) }
        guard high - low < 4096 else { throw failure("a wide range under (?i)") }
        return .union(
            [.range(low, high)] + (low...high).flatMap { CaseFolding.variants(of: $0).map { .range($0, $0) } })
    }

    private mutating func parseClassEdge() throws(TokenizerError) -> (
        plain: ScalarSet.Expression, cased: ScalarSet.Expression
    ) {
        if next == 0x5C {
            let outerCase = ignoresCase
            ignoresCase = false
            defer { ignoresCase = outerCase }
            let plain = try parseClassEscape()
            ignoresCase = outerCase
            if case .range(let low, let high) = plain, low == high { return (plain, literal(low)) }
            return (plain, plain)
        }
        guard let scalar = next else { throw failure("a class without its ]") }
        position += 1
        return (.range(scalar, scalar), literal(scalar))
    }

    private mutating func parsePosix() throws(TokenizerError) -> ScalarSet.Expression {
        let isComplement = isAt("[:^")
        position += isComplement ? 3 : 2
        let expression: ScalarSet.Expression
        if take("punct:]") {
            let ascii: [UInt32] = [0x24, 0x2B, 0x3C, 0x3D, 0x3E, 0x5E, 0x60, 0x7C, 0x7E]
            expression = .union([.mask(ScalarClass.punctuation)] + ascii.map { .range($0, $0) })
        } else if take("alpha:]") {
            expression = .alphabetic
        } else if take("digit:]") {
            expression = .mask(ScalarClass.decimalDigits)
        } else if take("space:]") {
            expression = .mask(ScalarClass.whiteSpace)
        } else if take("alnum:]") {
            expression = .union([.alphabetic, .mask(ScalarClass.decimalDigits)])
        } else {
            throw failure("an unknown class [: … :]")
        }
        return isComplement ? .complement(expression) : expression
    }
}
