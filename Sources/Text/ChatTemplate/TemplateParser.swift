/// Reads tokens into statements. Nesting is bounded, so that neither reading nor running a template can exhaust the
/// stack.
struct TemplateParser {
    private let tokens: [TemplateToken]
    private var index = 0
    private var depth = 0
    private let depthLimit: Int

    init(_ tokens: [TemplateToken], depthLimit: Int) {
        self.tokens = tokens
        self.depthLimit = depthLimit
    }

    mutating func parse() throws(TemplateError) -> [StatementSyntax] { try parseBody(until: []) }

    // MARK: Tokens

    var current: TemplateToken { tokens[index] }
    var line: Int { current.line }
    var following: TemplateToken.Kind { tokens[min(index + 1, tokens.count - 1)].kind }

    func failure(_ text: String) -> TemplateError { .syntax(text, line: line) }

    @discardableResult
    mutating func next() -> TemplateToken {
        let token = current
        if index < tokens.count - 1 { index += 1 }
        return token
    }

    func isAt(_ symbol: TemplateToken.Symbol) -> Bool { current.kind == .symbol(symbol) }

    func isAt(name: String) -> Bool { current.kind == .name(name) }

    mutating func take(_ symbol: TemplateToken.Symbol) -> Bool {
        guard isAt(symbol) else { return false }
        next()
        return true
    }

    mutating func take(name: String) -> Bool {
        guard isAt(name: name) else { return false }
        next()
        return true
    }

    mutating func expect(_ kind: TemplateToken.Kind, _ what: String) throws(TemplateError) {
        guard current.kind == kind else { throw failure("expected '\(what)', got '\(current.description)'") }
        next()
    }

    mutating func expect(_ symbol: TemplateToken.Symbol) throws(TemplateError) {
        try expect(.symbol(symbol), symbol.rawValue)
    }

    mutating func expectName() throws(TemplateError) -> String {
        guard case .name(let name) = current.kind else {
            throw failure("expected a name, got '\(current.description)'")
        }
        next()
        return name
    }

    /// Runs `parse` one level deeper.
    mutating func nested<Syntax>(
        _ parse: (inout TemplateParser) throws(TemplateError) -> Syntax
    ) throws(TemplateError) -> Syntax {
        depth += 1
        defer { depth -= 1 }
        guard depth <= depthLimit else { throw tooDeep }
        return try parse(&self)
    }

    private var tooDeep: TemplateError { .limit("tags or expressions nested deeper than \(depthLimit)", line: line) }

    func make(_ kind: ExpressionSyntax.Kind, _ line: Int) throws(TemplateError) -> ExpressionSyntax {
        let expression = ExpressionSyntax(kind, line: line)
        guard expression.depth <= depthLimit else { throw tooDeep }
        return expression
    }

    // MARK: Statements

    /// Statements up to a tag named in `ends`, which becomes the current token; up to the end where `ends` is empty.
    private mutating func parseBody(until ends: [String]) throws(TemplateError) -> [StatementSyntax] {
        var body: [StatementSyntax] = []
        var output: [ExpressionSyntax] = []
        var outputLine = line
        func flush(_ body: inout [StatementSyntax]) {
            if !output.isEmpty { body.append(StatementSyntax(kind: .output(output), line: outputLine)) }
            output = []
        }
        while true {
            let start = line
            switch current.kind {
            case .data(let text):
                next()
                if output.isEmpty { outputLine = start }
                output.append(try make(.data(text), start))
            case .variableBegin:
                next()
                if output.isEmpty { outputLine = start }
                output.append(try parseTuple())
                try expect(.variableEnd, "}}")
            case .blockBegin:
                flush(&body)
                next()
                if case .name(let name) = current.kind, ends.contains(name) { return body }
                body.append(try nested { (parser) throws(TemplateError) in try parser.parseStatement(ends) })
                try expect(.blockEnd, "%}")
            case .end:
                flush(&body)
                guard ends.isEmpty else {
                    throw failure("the template ends where '\(ends.joined(separator: "' or '"))' is expected")
                }
                return body
            default: throw failure("unexpected '\(current.description)'")
            }
        }
    }

    /// The body of a tag and the end tag's name.
    private mutating func parseBlock(_ ends: String...) throws(TemplateError) -> [StatementSyntax] {
        _ = take(.colon)
        try expect(.blockEnd, "%}")
        return try parseBody(until: ends)
    }

    private mutating func parseStatement(_ ends: [String]) throws(TemplateError) -> StatementSyntax {
        let line = self.line
        let name = try expectName()
        let kind: StatementSyntax.Kind
        switch name {
        case "for": kind = try parseFor()
        case "if": kind = try parseIf()
        case "set": kind = try parseSet()
        case "with": kind = try parseWith()
        case "macro":
            let name = try parseNameTarget()
            var macro = try parseSignature()
            macro.name = name
            macro.body = try parseBlock("endmacro")
            next()
            kind = .macro(macro)
        case "call": kind = try parseCallBlock()
        case "generation":
            kind = .generation(MacroSyntax(body: try parseBlock("endgeneration")))
            next()
        case "filter":
            guard let filter = try parseFilters(nil, startsInline: true) else { throw failure("expected a filter") }
            kind = .filterBlock(filter, try parseBlock("endfilter"))
            next()
        case "print":
            var values: [ExpressionSyntax] = []
            while current.kind != .blockEnd {
                if !values.isEmpty { try expect(.comma) }
                values.append(try parseExpression())
            }
            kind = .output(values)
        case "break": kind = .leaveLoop
        case "continue": kind = .nextIteration
        case "extends", "include", "import", "from", "block", "autoescape":
            throw .unsupported("the tag '\(name)'", line: line)
        default:
            let expected = ends.isEmpty ? "" : "; expected '\(ends.joined(separator: "' or '"))'"
            throw .syntax("unknown tag '\(name)'\(expected)", line: line)
        }
        return StatementSyntax(kind: kind, line: line)
    }

    private mutating func parseFor() throws(TemplateError) -> StatementSyntax.Kind {
        let target = try parseTarget()
        guard take(name: "in") else { throw failure("expected 'in', got '\(current.description)'") }
        let iterable = try parseTuple(allowsCondition: false)
        let test = take(name: "if") ? try parseExpression() : nil
        let isRecursive = take(name: "recursive")
        let body = try parseBlock("endfor", "else")
        var otherwise: [StatementSyntax] = []
        if next().kind == .name("else") {
            otherwise = try parseBlock("endfor")
            next()
        }
        return .loop(
            LoopSyntax(
                target: target, iterable: iterable, test: test, isRecursive: isRecursive, body: body,
                otherwise: otherwise))
    }

    private mutating func parseIf() throws(TemplateError) -> StatementSyntax.Kind {
        var branches: [(test: ExpressionSyntax, body: [StatementSyntax])] = []
        while true {
            let test = try parseTuple(allowsCondition: false)
            branches.append((test, try parseBlock("elif", "else", "endif")))
            let end = next().kind
            if end == .name("elif") { continue }
            guard end == .name("else") else { return .condition(branches, otherwise: []) }
            let otherwise = try parseBlock("endif")
            next()
            return .condition(branches, otherwise: otherwise)
        }
    }

    private mutating func parseSet() throws(TemplateError) -> StatementSyntax.Kind {
        let target = try parseTarget(allowsMembers: true)
        if take(.assign) { return .set(target, try parseTuple()) }
        let filter = try parseFilters(nil)
        let body = try parseBlock("endset")
        next()
        return .setBlock(target, filter: filter, body)
    }

    private mutating func parseWith() throws(TemplateError) -> StatementSyntax.Kind {
        var assignments: [(TargetSyntax, ExpressionSyntax)] = []
        while current.kind != .blockEnd {
            if !assignments.isEmpty { try expect(.comma) }
            let target = try parseTarget()
            try expect(.assign)
            assignments.append((target, try parseExpression()))
        }
        let body = try parseBlock("endwith")
        next()
        return .with(assignments, body)
    }

    private mutating func parseCallBlock() throws(TemplateError) -> StatementSyntax.Kind {
        var macro = isAt(.openParenthesis) ? try parseSignature() : MacroSyntax()
        let call = try parseExpression()
        guard case .call = call.kind else { throw failure("expected a call in the tag 'call'") }
        macro.body = try parseBlock("endcall")
        next()
        return .callBlock(call, macro)
    }

    private mutating func parseSignature() throws(TemplateError) -> MacroSyntax {
        var macro = MacroSyntax()
        try expect(.openParenthesis)
        while !isAt(.closeParenthesis) {
            if !macro.parameters.isEmpty { try expect(.comma) }
            let name = try parseNameTarget()
            guard !macro.parameters.contains(where: { $0.name == name }) else {
                throw failure("two parameters named '\(name)'")
            }
            if take(.assign) {
                macro.parameters.append((name, try parseExpression()))
            } else if macro.parameters.last?.fallback != nil {
                throw failure("the parameter '\(name)' needs a default, as the one before has one")
            } else {
                macro.parameters.append((name, nil))
            }
        }
        next()
        return macro
    }

    // MARK: Assignment targets

    private static let constants: Set = ["true", "false", "none", "True", "False", "None"]

    private mutating func parseNameTarget() throws(TemplateError) -> String {
        let name = try expectName()
        guard !Self.constants.contains(name) else { throw failure("'\(name)' cannot be assigned to") }
        return name
    }

    private mutating func parseTarget(allowsMembers: Bool = false) throws(TemplateError) -> TargetSyntax {
        var targets: [TargetSyntax] = []
        var isTuple = false
        while true {
            if isTuple, isTupleEnd { break }
            targets.append(try parseSingleTarget(allowsMembers))
            guard take(.comma) else { break }
            isTuple = true
        }
        return isTuple ? .tuple(targets) : targets[0]
    }

    private mutating func parseSingleTarget(_ allowsMembers: Bool) throws(TemplateError) -> TargetSyntax {
        guard take(.openParenthesis) else {
            let name = try parseNameTarget()
            guard allowsMembers, take(.dot) else { return .name(name) }
            return .member(name, try expectName())
        }
        if take(.closeParenthesis) { return .tuple([]) }
        // Inside parentheses a target is read as an expression, so members of a namespace are none.
        let target = try nested { (parser) throws(TemplateError) in try parser.parseTarget() }
        try expect(.closeParenthesis)
        return target
    }
}
