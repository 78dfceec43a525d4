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

enum PatternAssertion: Sendable {
    case textStart, textEnd, textEndOrLastNewline, lineStart, lineEnd, wordBoundary, notWordBoundary
}

/// Whose rules a pattern is written by. They differ in `$`, `^` (lines or the whole text) and in `{n,m}+`
/// (a repeated repetition, or a possessive one).
enum PatternDialect: Sendable { case oniguruma, rust }

/// Reads a regular expression of the subset that tokenizers use: literals, escapes, classes with ranges, complements,
/// nesting and intersection, properties of general categories, groups, alternation, quantifiers (greedy, lazy,
/// possessive), `(?i:…)`, atomic groups, lookahead, lookbehind of fixed width, anchors and word boundaries.
/// Anything else is refused by name.
struct PatternParser {
    let scalars: [UInt32]
    let part: String
    let text: String
    let dialect: PatternDialect
    var position = 0
    var ignoresCase = false
    var depth = 0

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

    func failure(_ what: String) -> TokenizerError {
        TokenizerError(
            part: part,
            reason: "the pattern \"\(text)\" has \(what) at character \(position), which this matcher does not read; "
                + "only a tokenizer whose patterns it reads can be used")
    }

    var next: UInt32? { position < scalars.count ? scalars[position] : nil }

    func isAt(_ literal: StaticString) -> Bool {
        let count = literal.utf8CodeUnitCount
        guard position + count <= scalars.count else { return false }
        return (0..<count).allSatisfy { scalars[position + $0] == UInt32(literal.utf8Start[$0]) }
    }

    mutating func take(_ literal: StaticString) -> Bool {
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

    func literal(_ scalar: UInt32) -> ScalarSet.Expression {
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
}
