extension TemplateParser {
    mutating func parseExpression() throws(TemplateError) -> ExpressionSyntax {
        try nested { (parser) throws(TemplateError) in try parser.parseConditional() }
    }

    /// One expression, or several between commas as a tuple.
    mutating func parseTuple(
        allowsCondition: Bool = true, isInParentheses: Bool = false
    ) throws(TemplateError) -> ExpressionSyntax {
        let start = line
        var items: [ExpressionSyntax] = []
        var isTuple = false
        while true {
            if !items.isEmpty { try expect(.comma) }
            if isTupleEnd { break }
            items.append(
                allowsCondition
                    ? try parseExpression()
                    : try nested { (parser) throws(TemplateError) in try parser.parseOr() })
            guard isAt(.comma) else { break }
            isTuple = true
        }
        if !isTuple {
            if let only = items.first { return only }
            guard isInParentheses else { throw failure("expected an expression, got '\(current.description)'") }
        }
        return try make(.tuple(items), start)
    }

    var isTupleEnd: Bool {
        switch current.kind {
        case .variableEnd, .blockEnd, .symbol(.closeParenthesis): true
        default: false
        }
    }

    private mutating func parseConditional() throws(TemplateError) -> ExpressionSyntax {
        let start = line
        var expression = try parseOr()
        while take(name: "if") {
            let test = try parseOr()
            let otherwise = take(name: "else") ? try parseExpression() : nil
            expression = try make(.conditional(test: test, then: expression, otherwise: otherwise), start)
        }
        return expression
    }

    private mutating func parseOr() throws(TemplateError) -> ExpressionSyntax {
        let start = line
        var operands = [try parseAnd()]
        while take(name: "or") { operands.append(try parseAnd()) }
        return operands.count == 1 ? operands[0] : try make(.or(operands), start)
    }

    private mutating func parseAnd() throws(TemplateError) -> ExpressionSyntax {
        let start = line
        var operands = [try parseNot()]
        while take(name: "and") { operands.append(try parseNot()) }
        return operands.count == 1 ? operands[0] : try make(.and(operands), start)
    }

    private mutating func parseNot() throws(TemplateError) -> ExpressionSyntax {
        let start = line
        guard take(name: "not") else { return try parseComparison() }
        let operand = try nested { (parser) throws(TemplateError) in try parser.parseNot() }
        return try make(.not(operand), start)
    }

    private mutating func parseComparison() throws(TemplateError) -> ExpressionSyntax {
        let start = line
        let first = try parseSum()
        var rest: [(ComparisonOperator, ExpressionSyntax)] = []
        while let symbol = takeComparison() { rest.append((symbol, try parseSum())) }
        return rest.isEmpty ? first : try make(.comparison(first, rest), start)
    }

    private mutating func takeComparison() -> ComparisonOperator? {
        switch current.kind {
        case .name("in"):
            next()
            return .contained
        case .name("not") where following == .name("in"):
            next()
            next()
            return .notContained
        case .symbol(let symbol):
            guard let comparison = ComparisonOperator(rawValue: symbol.rawValue) else { return nil }
            next()
            return comparison
        default: return nil
        }
    }

    private mutating func parseSum() throws(TemplateError) -> ExpressionSyntax {
        try parseChain([.add, .subtract]) { (parser) throws(TemplateError) in try parser.parseConcatenation() }
    }

    private mutating func parseConcatenation() throws(TemplateError) -> ExpressionSyntax {
        let start = line
        var parts = [try parseProduct()]
        while take(.tilde) { parts.append(try parseProduct()) }
        return parts.count == 1 ? parts[0] : try make(.concatenation(parts), start)
    }

    private mutating func parseProduct() throws(TemplateError) -> ExpressionSyntax {
        try parseChain([.multiply, .divide, .floorDivide, .remainder]) { (parser) throws(TemplateError) in
            try parser.parseChain([.power]) { (parser) throws(TemplateError) in
                try parser.parseUnary(withFilters: true)
            }
        }
    }

    private mutating func parseChain(
        _ operators: [ArithmeticOperator],
        _ parse: (inout TemplateParser) throws(TemplateError) -> ExpressionSyntax
    ) throws(TemplateError) -> ExpressionSyntax {
        let start = line
        let first = try parse(&self)
        var rest: [(ArithmeticOperator, ExpressionSyntax)] = []
        while case .symbol(let symbol) = current.kind, let sign = ArithmeticOperator(rawValue: symbol.rawValue),
            operators.contains(sign)
        {
            next()
            rest.append((sign, try parse(&self)))
        }
        return rest.isEmpty ? first : try make(.arithmetic(first, rest), start)
    }

    private mutating func parseUnary(withFilters: Bool) throws(TemplateError) -> ExpressionSyntax {
        let start = line
        var expression: ExpressionSyntax
        if take(.subtract) {
            let operand = try nested { (parser) throws(TemplateError) in try parser.parseUnary(withFilters: false) }
            expression = try make(.negative(operand), start)
        } else if take(.add) {
            let operand = try nested { (parser) throws(TemplateError) in try parser.parseUnary(withFilters: false) }
            expression = try make(.positive(operand), start)
        } else {
            expression = try parsePrimary()
        }
        expression = try parsePostfix(expression)
        return withFilters ? try parseFiltersAndTests(expression) : expression
    }

    private mutating func parsePrimary() throws(TemplateError) -> ExpressionSyntax {
        let start = line
        switch current.kind {
        case .name(let name):
            next()
            switch name {
            case "true", "True": return try make(.bool(true), start)
            case "false", "False": return try make(.bool(false), start)
            case "none", "None": return try make(.none, start)
            default: return try make(.name(name), start)
            }
        case .string(var text):
            next()
            while case .string(let more) = current.kind {
                text.bytes += more.bytes
                next()
            }
            return try make(.string(text), start)
        case .integer(let value):
            next()
            return try make(.integer(value), start)
        case .float(let value):
            next()
            return try make(.float(value), start)
        case .symbol(.openParenthesis):
            next()
            let expression = try parseTuple(isInParentheses: true)
            try expect(.closeParenthesis)
            return expression
        case .symbol(.openBracket): return try parseList()
        case .symbol(.openBrace): return try parseDictionary()
        default: throw failure("unexpected '\(current.description)'")
        }
    }

    private mutating func parseList() throws(TemplateError) -> ExpressionSyntax {
        let start = line
        var items: [ExpressionSyntax] = []
        next()
        while !isAt(.closeBracket) {
            if !items.isEmpty { try expect(.comma) }
            if isAt(.closeBracket) { break }
            items.append(try parseExpression())
        }
        next()
        return try make(.list(items), start)
    }

    private mutating func parseDictionary() throws(TemplateError) -> ExpressionSyntax {
        let start = line
        var pairs: [(ExpressionSyntax, ExpressionSyntax)] = []
        next()
        while !isAt(.closeBrace) {
            if !pairs.isEmpty { try expect(.comma) }
            if isAt(.closeBrace) { break }
            let key = try parseExpression()
            try expect(.colon)
            pairs.append((key, try parseExpression()))
        }
        next()
        return try make(.dictionary(pairs), start)
    }

    private mutating func parsePostfix(_ base: ExpressionSyntax) throws(TemplateError) -> ExpressionSyntax {
        var expression = base
        while true {
            switch current.kind {
            case .symbol(.dot): expression = try parseAttribute(expression)
            case .symbol(.openBracket): expression = try parseSubscript(expression)
            case .symbol(.openParenthesis):
                let start = line
                expression = try make(.call(expression, try parseArguments()), start)
            default: return expression
            }
        }
    }

    private mutating func parseFiltersAndTests(_ base: ExpressionSyntax) throws(TemplateError) -> ExpressionSyntax {
        var expression = base
        while true {
            switch current.kind {
            case .symbol(.pipe):
                guard let filtered = try parseFilters(expression) else { return expression }
                expression = filtered
            case .name("is"): expression = try parseTest(expression)
            case .symbol(.openParenthesis):
                let start = line
                expression = try make(.call(expression, try parseArguments()), start)
            default: return expression
            }
        }
    }

    private mutating func parseAttribute(_ base: ExpressionSyntax) throws(TemplateError) -> ExpressionSyntax {
        let start = next().line
        switch next().kind {
        case .name(let name): return try make(.attribute(base, name), start)
        case .integer(let value): return try make(.item(base, try make(.integer(value), start)), start)
        default: throw .syntax("expected a name or a number after '.'", line: start)
        }
    }

    private mutating func parseSubscript(_ base: ExpressionSyntax) throws(TemplateError) -> ExpressionSyntax {
        let start = next().line
        var items: [ExpressionSyntax] = []
        while !isAt(.closeBracket) {
            if !items.isEmpty { try expect(.comma) }
            let first = isAt(.colon) ? nil : try parseExpression()
            guard take(.colon) else {
                if let first { items.append(first) }
                continue
            }
            let stop = try parseBound()
            let step = take(.colon) ? try parseBound() : nil
            guard items.isEmpty, isAt(.closeBracket) else { throw failure("a slice among several indices") }
            next()
            return try make(.slice(base, start: first, stop: stop, step: step), start)
        }
        next()
        let index = items.count == 1 ? items[0] : try make(.tuple(items), start)
        return try make(.item(base, index), start)
    }

    private mutating func parseBound() throws(TemplateError) -> ExpressionSyntax? {
        switch current.kind {
        case .symbol(.colon), .symbol(.closeBracket), .symbol(.comma): nil
        default: try parseExpression()
        }
    }

    private mutating func parseArguments() throws(TemplateError) -> ArgumentsSyntax {
        try expect(.openParenthesis)
        var arguments = ArgumentsSyntax()
        var isFirst = true
        while !isAt(.closeParenthesis) {
            if !isFirst {
                try expect(.comma)
                if isAt(.closeParenthesis) { break }
            }
            isFirst = false
            if take(.multiply) {
                guard arguments.spread == nil, arguments.keywordSpread == nil else { throw failure("misplaced '*'") }
                arguments.spread = try parseExpression()
            } else if take(.power) {
                guard arguments.keywordSpread == nil else { throw failure("misplaced '**'") }
                arguments.keywordSpread = try parseExpression()
            } else if case .name(let name) = current.kind, following == .symbol(.assign) {
                guard arguments.keywordSpread == nil, !arguments.keyword.contains(where: { $0.name == name }) else {
                    throw failure("the argument '\(name)' is given twice or after '**'")
                }
                next()
                next()
                arguments.keyword.append((name, try parseExpression()))
            } else {
                guard arguments.spread == nil, arguments.keywordSpread == nil, arguments.keyword.isEmpty else {
                    throw failure("an argument without a name after one with a name")
                }
                arguments.positional.append(try parseExpression())
            }
        }
        next()
        return arguments
    }

    private mutating func parseDottedName() throws(TemplateError) -> String {
        var name = try expectName()
        while take(.dot) { name += "." + (try expectName()) }
        return name
    }

    /// Filters after `base`; nil where there is neither a filter nor a base.
    mutating func parseFilters(
        _ base: ExpressionSyntax?, startsInline: Bool = false
    ) throws(TemplateError) -> ExpressionSyntax? {
        var expression = base
        var isInline = startsInline
        while isInline || isAt(.pipe) {
            if !isInline { next() }
            isInline = false
            let start = line
            let name = try parseDottedName()
            let arguments = isAt(.openParenthesis) ? try parseArguments() : ArgumentsSyntax()
            expression = try make(.filter(expression, name, arguments), start)
        }
        return expression
    }

    private mutating func parseTest(_ base: ExpressionSyntax) throws(TemplateError) -> ExpressionSyntax {
        let start = next().line
        let isNegated = take(name: "not")
        let name = try parseDottedName()
        var arguments = ArgumentsSyntax()
        switch current.kind {
        case .symbol(.openParenthesis): arguments = try parseArguments()
        case .name("else"), .name("or"), .name("and"): break
        case .name("is"): throw failure("several tests in a row need parentheses")
        case .name, .string, .integer, .float, .symbol(.openBracket), .symbol(.openBrace):
            let primary = try nested { (parser) throws(TemplateError) in try parser.parsePrimary() }
            arguments.positional = [try parsePostfix(primary)]
        default: break
        }
        let test = try make(.test(base, name, arguments), start)
        return isNegated ? try make(.not(test), start) : test
    }
}
