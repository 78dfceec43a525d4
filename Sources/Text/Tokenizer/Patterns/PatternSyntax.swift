/// A pattern as a tree. Groups that capture are plain groups here: nothing ever asks what they captured.
indirect enum PatternNode: Sendable {
    case set(ScalarSet)
    case sequence([PatternNode])
    case alternation([PatternNode])
    case repetition(PatternNode, minimum: Int, maximum: Int?, PatternGreed)
    case lookahead(PatternNode, isNegative: Bool)
    case lookbehind([ScalarSet], isNegative: Bool)
    case atomic(PatternNode)
    case assertion(PatternAssertion)
}

enum PatternGreed: Sendable { case greedy, lazy, possessive }

enum PatternAssertion: Sendable { case textStart, textEnd, textEndOrLastNewline, lineStart, lineEnd, wordBoundary, notWordBoundary }

/// Whose rules a pattern is written by. They differ in `$`, `^` (lines or the whole text) and in `{n,m}+`
/// (a repeated repetition, or a possessive one).
enum PatternDialect: Sendable { case oniguruma, rust }

/// Reads a regular expression of the subset that tokenizers use: literals, escapes, classes with ranges, complements,
/// nesting and intersection, properties of general categories, groups, alternation, quantifiers (greedy, lazy,
/// possessive), `(?i:…)`, atomic groups, lookahead, lookbehind of fixed width, anchors and word boundaries.
/// Anything else is refused by name.
struct PatternParser {
    private let scalars: [UInt32]
    private let part: String
    private let text: String
    private let dialect: PatternDialect
    private var position = 0
    private var ignoresCase = false
    private var depth = 0

    static func parse(_ text: String, dialect: PatternDialect, part: String) throws(TokenizerError) -> PatternNode {
        var parser = PatternParser(text, dialect: dialect, part: part)
        let node = try parser.parseAlternation()
        guard parser.position == parser.scalars.count else { throw parser.failure("an unmatched )") }
        return node
    }

    private init(_ text: String, dialect: PatternDialect, part: String) {
        scalars = text.unicodeScalars.map(\.value)
        self.text = text
        self.dialect = dialect
        self.part = part
    }

    private func failure(_ what: String) -> TokenizerError {
        TokenizerError(
            part: part,
            reason: "the pattern \"\(text)\" has \(what) at character \(position), which this matcher does not read; "
                + "only a tokenizer whose patterns it reads can be used")
    }

    private var next: UInt32? { position < scalars.count ? scalars[position] : nil }

    private func isAt(_ literal: StaticString) -> Bool {
        let count = literal.utf8CodeUnitCount
        guard position + count <= scalars.count else { return false }
        return (0..<count).allSatisfy { scalars[position + $0] == UInt32(literal.utf8Start[$0]) }
    }

    private mutating func take(_ literal: StaticString) -> Bool {
        guard isAt(literal) else { return false }
        position += literal.utf8CodeUnitCount
        return true
    }

    private mutating func parseAlternation() throws(TokenizerError) -> PatternNode {
        depth += 1
        defer { depth -= 1 }
        guard depth < 64 else { throw failure("groups nested deeper than 64") }
        let outerCase = ignoresCase
        defer { ignoresCase = outerCase }
        var branches: [PatternNode] = []
        var items: [PatternNode] = []
        while let scalar = next, scalar != 0x29 {
            if take("|") {
                branches.append(.sequence(items))
                items = []
            } else {
                items.append(try parseQuantified())
            }
        }
        branches.append(.sequence(items))
        return branches.count == 1 ? branches[0] : .alternation(branches)
    }

    private mutating func parseQuantified() throws(TokenizerError) -> PatternNode {
        var node = try parseAtom()
        while true {
            let minimum: Int
            let maximum: Int?
            var isBraced = false
            if take("?") {
                (minimum, maximum) = (0, 1)
            } else if take("*") {
                (minimum, maximum) = (0, nil)
            } else if take("+") {
                (minimum, maximum) = (1, nil)
            } else if isAt("{"), let bounds = parseBraces() {
                (minimum, maximum) = bounds
                isBraced = true
            } else {
                return node
            }
            guard minimum <= 1000, (maximum ?? 0) <= 1000, minimum <= maximum ?? minimum else {
                throw failure("a count above 1000 or out of order")
            }
            var greed = PatternGreed.greedy
            if take("?") {
                greed = .lazy
            } else if isAt("+"), !(isBraced && dialect == .oniguruma) {
                position += 1
                greed = .possessive
            }
            node = .repetition(node, minimum: minimum, maximum: maximum, greed)
        }
    }

    private mutating func parseBraces() -> (Int, Int?)? {
        let start = position
        position += 1
        let low = parseNumber()
        var high = low
        var hasComma = false
        if take(",") {
            hasComma = true
            high = parseNumber()
        }
        guard take("}"), low != nil || high != nil else {
            position = start
            return nil
        }
        return (low ?? 0, hasComma ? high : low)
    }

    private mutating func parseNumber() -> Int? {
        var value: Int?
        while let scalar = next, (0x30...0x39).contains(scalar), (value ?? 0) < 100_000 {
            value = (value ?? 0) * 10 + Int(scalar - 0x30)
            position += 1
        }
        return value
    }

    private mutating func parseAtom() throws(TokenizerError) -> PatternNode {
        guard let scalar = next else { throw failure("an unfinished end") }
        switch scalar {
        case 0x28: return try parseGroup()
        case 0x5B: return .set(ScalarSet(try parseClass()))
        case 0x5C: return try parseEscape()
        case 0x2E:
            position += 1
            return .set(ScalarSet(.complement(.range(0x0A, 0x0A))))
        case 0x5E:
            position += 1
            return .assertion(dialect == .oniguruma ? .lineStart : .textStart)
        case 0x24:
            position += 1
            return .assertion(dialect == .oniguruma ? .lineEnd : .textEnd)
        case 0x2A, 0x2B, 0x3F: throw failure("a quantifier with nothing before it")
        default:
            position += 1
            return .set(ScalarSet(literal(scalar)))
        }
    }

    private mutating func parseGroup() throws(TokenizerError) -> PatternNode {
        position += 1
        let outerCase = ignoresCase
        var wrap: (PatternNode) -> PatternNode = { $0 }
        var isLookbehind = false
        var isNegative = false
        if take("?") {
            if take(":") {
            } else if take("=") {
                wrap = { .lookahead($0, isNegative: false) }
            } else if take("!") {
                wrap = { .lookahead($0, isNegative: true) }
            } else if take(">") {
                wrap = { .atomic($0) }
            } else if take("<=") {
                isLookbehind = true
            } else if take("<!") {
                isLookbehind = true
                isNegative = true
            } else if take("i:") {
                ignoresCase = true
            } else if take("-i:") {
                ignoresCase = false
            } else if take("i)") {
                // Holds to the end of the group around it, which puts the outer setting back.
                ignoresCase = true
                return .sequence([])
            } else {
                throw failure("a group of an unknown kind")
            }
        }
        let body = try parseAlternation()
        ignoresCase = outerCase
        guard take(")") else { throw failure("a group without its )") }
        if isLookbehind {
            guard let sets = fixedSets(body) else { throw failure("a lookbehind that is no plain run of characters") }
            return .lookbehind(sets, isNegative: isNegative)
        }
        return wrap(body)
    }

    private func fixedSets(_ node: PatternNode) -> [ScalarSet]? {
        switch node {
        case .set(let set): return [set]
        case .sequence(let items):
            var sets: [ScalarSet] = []
            for item in items {
                guard let inner = fixedSets(item) else { return nil }
                sets += inner
            }
            return sets
        default: return nil
        }
    }

    private func literal(_ scalar: UInt32) -> ScalarSet.Expression {
        guard ignoresCase else { return .range(scalar, scalar) }
        return .union(CaseFolding.variants(of: scalar).map { .range($0, $0) })
    }

    private mutating func parseEscape() throws(TokenizerError) -> PatternNode {
        if take("\\b") { return .assertion(.wordBoundary) }
        if take("\\B") { return .assertion(.notWordBoundary) }
        if take("\\A") { return .assertion(.textStart) }
        if take("\\z") { return .assertion(.textEnd) }
        if take("\\Z") { return .assertion(.textEndOrLastNewline) }
        return .set(ScalarSet(try parseClassEscape()))
    }

    /// One escape that stands for characters, in or out of a class.
    private mutating func parseClassEscape() throws(TokenizerError) -> ScalarSet.Expression {
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
            if let value, scalars[position - 1] != 0x7D { _ = take("}"); return literal(value) }
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

    private mutating func parseClass() throws(TokenizerError) -> ScalarSet.Expression {
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
