extension TemplateCompiler {
    func compile(_ expressions: [ExpressionSyntax], _ frame: Frame) throws(TemplateError) -> [Evaluation] {
        var code: [Evaluation] = []
        for expression in expressions { code.append(try compile(expression, frame)) }
        return code
    }

    func compile(_ arguments: ArgumentsSyntax, _ frame: Frame) throws(TemplateError) -> ArgumentsCode {
        var code = ArgumentsCode()
        code.positional = try compile(arguments.positional, frame)
        for (name, value) in arguments.keyword { code.keyword.append((name, try compile(value, frame))) }
        if let spread = arguments.spread { code.spread = try compile(spread, frame) }
        if let spread = arguments.keywordSpread { code.keywordSpread = try compile(spread, frame) }
        return code
    }

    func compile(_ expression: ExpressionSyntax, _ frame: Frame) throws(TemplateError) -> Evaluation {
        let line = expression.line
        switch expression.kind {
        case .data(let text), .string(let text): return { _ in .string(text) }
        case .integer(let value): return { _ in .integer(value) }
        case .float(let value): return { _ in .float(value) }
        case .bool(let value): return { _ in .bool(value) }
        case .none: return { _ in .none }
        case .name(let name): return compileName(name, frame)
        case .tuple(let items):
            let items = try compile(items, frame)
            return { (activation) throws(TemplateError) in
                try activation.machine.tuple(try items.evaluate(activation))
            }
        case .list(let items):
            let items = try compile(items, frame)
            return { (activation) throws(TemplateError) in try activation.machine.list(try items.evaluate(activation)) }
        case .dictionary(let pairs): return try compileDictionary(pairs, frame)
        case .attribute(let base, let name):
            let base = try compile(base, frame)
            let key = TemplateString(name)
            return { (activation) throws(TemplateError) in
                let value = try base(activation)
                activation.machine.line = line
                return try activation.machine.attribute(value, name, key)
            }
        case .item(let base, let index):
            let (base, index) = (try compile(base, frame), try compile(index, frame))
            return { (activation) throws(TemplateError) in
                let (value, key) = (try base(activation), try index(activation))
                activation.machine.line = line
                return try activation.machine.item(value, key)
            }
        case .slice(let base, let start, let stop, let step):
            return try compileSlice(base, [start, stop, step], frame, line)
        case .call(let callee, let arguments): return try compileCall(callee, arguments, frame, line)
        case .filter(let input, let name, let arguments):
            return try compileFilter(input, name, arguments, frame, line)
        case .test(let input, let name, let arguments): return try compileTest(input, name, arguments, frame, line)
        default: return try compileOperator(expression, frame)
        }
    }

    private func compileOperator(_ expression: ExpressionSyntax, _ frame: Frame) throws(TemplateError) -> Evaluation {
        let line = expression.line
        switch expression.kind {
        case .negative(let operand), .positive(let operand):
            let operand = try compile(operand, frame)
            let isNegative = if case .negative = expression.kind { true } else { false }
            return { (activation) throws(TemplateError) in
                let value = try operand(activation)
                activation.machine.line = line
                return try activation.machine.signed(value, isNegative: isNegative)
            }
        case .not(let operand):
            let operand = try compile(operand, frame)
            return { (activation) throws(TemplateError) in
                .bool(!(try activation.machine.truth(try operand(activation))))
            }
        case .arithmetic(let first, let rest): return try compileArithmetic(first, rest, frame, line)
        case .concatenation(let parts):
            let parts = try compile(parts, frame)
            return { (activation) throws(TemplateError) in
                let machine = activation.machine
                var text = TemplateString(bytes: [])
                // Every part is evaluated before any is printed.
                for value in try parts.evaluate(activation) { text.bytes += try machine.describe(value).bytes }
                return try machine.text(text)
            }
        case .comparison(let first, let rest): return try compileComparison(first, rest, frame, line)
        case .and(let operands), .or(let operands):
            let operands = try compile(operands, frame)
            let stopsAt = if case .or = expression.kind { true } else { false }
            return { (activation) throws(TemplateError) in
                var value = Value.none
                for operand in operands {
                    value = try operand(activation)
                    if try activation.machine.truth(value) == stopsAt { break }
                }
                return value
            }
        case .conditional(let test, let then, let otherwise):
            var inner = frame
            inner.isConditional = true
            let (test, then) = (try compile(test, inner), try compile(then, inner))
            let last: Evaluation? = if let otherwise { try compile(otherwise, inner) } else { nil }
            return { (activation) throws(TemplateError) in
                if try activation.machine.truth(try test(activation)) { return try then(activation) }
                return try last?(activation)
                    ?? .undefined(.hint("the condition on line \(line) is false and has no 'else'"))
            }
        default: throw .syntax("an expression of no known kind", line: line)
        }
    }

    private func compileName(_ name: String, _ frame: Frame) -> Evaluation {
        let (hops, slot) = address(name, frame)
        if hops == 0 {
            return { (activation) throws(TemplateError) in activation.slots[slot] ?? .undefined(.name(name)) }
        }
        return { (activation) throws(TemplateError) in
            activation.outer(hops).slots[slot] ?? .undefined(.name(name))
        }
    }

    private func compileDictionary(
        _ pairs: [(ExpressionSyntax, ExpressionSyntax)], _ frame: Frame
    ) throws(TemplateError) -> Evaluation {
        var compiled: [(Evaluation, Evaluation)] = []
        for (key, value) in pairs { compiled.append((try compile(key, frame), try compile(value, frame))) }
        let all = compiled
        return { (activation) throws(TemplateError) in
            let machine = activation.machine
            var builder = DictionaryBuilder()
            for (key, value) in all {
                try builder.set(try key(activation), try value(activation), line: machine.line)
            }
            return try builder.build(machine)
        }
    }

    private func compileSlice(
        _ base: ExpressionSyntax, _ bounds: [ExpressionSyntax?], _ frame: Frame, _ line: Int
    ) throws(TemplateError) -> Evaluation {
        let base = try compile(base, frame)
        var compiled: [Evaluation?] = []
        for bound in bounds {
            if let bound { compiled.append(try compile(bound, frame)) } else { compiled.append(nil) }
        }
        let all = compiled
        return { (activation) throws(TemplateError) in
            let value = try base(activation)
            var bounds: [Value] = []
            for bound in all { bounds.append(try bound?(activation) ?? .none) }
            activation.machine.line = line
            return try activation.machine.slice(value, bounds)
        }
    }

    private func compileCall(
        _ callee: ExpressionSyntax, _ arguments: ArgumentsSyntax, _ frame: Frame, _ line: Int
    ) throws(TemplateError) -> Evaluation {
        let arguments = try compile(arguments, frame)
        if case .attribute(let base, let name) = callee.kind {
            // A method called where it is named: no need to make a value of it first.
            let base = try compile(base, frame)
            let key = TemplateString(name)
            return { (activation) throws(TemplateError) in
                let machine = activation.machine
                let receiver = try base(activation)
                machine.line = line
                if machine.hasMethod(receiver, name) {
                    let values = try arguments.evaluate(activation)
                    machine.line = line
                    return try machine.callMethod(receiver, name, values)
                }
                let function = try machine.attribute(receiver, name, key)
                let values = try arguments.evaluate(activation)
                machine.line = line
                return try machine.call(function, values)
            }
        }
        let function = try compile(callee, frame)
        return { (activation) throws(TemplateError) in
            let function = try function(activation)
            let values = try arguments.evaluate(activation)
            activation.machine.line = line
            return try activation.machine.call(function, values)
        }
    }

    private func compileFilter(
        _ input: ExpressionSyntax?, _ name: String, _ arguments: ArgumentsSyntax, _ frame: Frame, _ line: Int
    ) throws(TemplateError) -> Evaluation {
        let base: Evaluation
        if let input {
            base = try compile(input, frame)
        } else {
            let slot = frame.captureSlot ?? 0
            base = { (activation) throws(TemplateError) in activation.slots[slot] ?? .string("") }
        }
        let arguments = try compile(arguments, frame)
        guard let filter = Filters.table[name] else {
            let error = Filters.missing(name, line: line)
            guard frame.isConditional else { throw error }
            return { (_) throws(TemplateError) in throw error }
        }
        return { (activation) throws(TemplateError) in
            let machine = activation.machine
            let value = try base(activation)
            let values = try arguments.evaluate(activation)
            machine.line = line
            try machine.step()
            return try filter(machine, value, values)
        }
    }

    private func compileTest(
        _ input: ExpressionSyntax, _ name: String, _ arguments: ArgumentsSyntax, _ frame: Frame, _ line: Int
    ) throws(TemplateError) -> Evaluation {
        let base = try compile(input, frame)
        let arguments = try compile(arguments, frame)
        guard let test = ValueTests.table[name] else {
            let error = TemplateError.syntax("no test named '\(name)'", line: line)
            guard frame.isConditional else { throw error }
            return { (_) throws(TemplateError) in throw error }
        }
        return { (activation) throws(TemplateError) in
            let machine = activation.machine
            let value = try base(activation)
            let values = try arguments.evaluate(activation)
            machine.line = line
            return .bool(try test(machine, value, values))
        }
    }

    private func compileArithmetic(
        _ first: ExpressionSyntax, _ rest: [(ArithmeticOperator, ExpressionSyntax)], _ frame: Frame, _ line: Int
    ) throws(TemplateError) -> Evaluation {
        let first = try compile(first, frame)
        var compiled: [(ArithmeticOperator, Evaluation)] = []
        for (sign, operand) in rest { compiled.append((sign, try compile(operand, frame))) }
        let all = compiled
        return { (activation) throws(TemplateError) in
            var value = try first(activation)
            for (sign, operand) in all {
                let right = try operand(activation)
                activation.machine.line = line
                value = try activation.machine.arithmetic(sign, value, right)
            }
            return value
        }
    }

    private func compileComparison(
        _ first: ExpressionSyntax, _ rest: [(ComparisonOperator, ExpressionSyntax)], _ frame: Frame, _ line: Int
    ) throws(TemplateError) -> Evaluation {
        let first = try compile(first, frame)
        var compiled: [(ComparisonOperator, Evaluation)] = []
        for (sign, operand) in rest { compiled.append((sign, try compile(operand, frame))) }
        let all = compiled
        return { (activation) throws(TemplateError) in
            var left = try first(activation)
            for (sign, operand) in all {
                let right = try operand(activation)
                activation.machine.line = line
                if !(try activation.machine.compare(sign, left, right)) { return .bool(false) }
                left = right
            }
            return .bool(true)
        }
    }
}

extension [Evaluation] {
    func evaluate(_ activation: Activation) throws(TemplateError) -> [Value] {
        var values: [Value] = []
        values.reserveCapacity(count)
        for evaluation in self { values.append(try evaluation(activation)) }
        return values
    }
}

extension Machine {
    func compare(_ sign: ComparisonOperator, _ left: Value, _ right: Value) throws(TemplateError) -> Bool {
        switch sign {
        case .equal: return try equal(left, right)
        case .notEqual: return !(try equal(left, right))
        case .contained: return try contains(right, left)
        case .notContained: return !(try contains(right, left))
        case .less, .lessOrEqual, .greater, .greaterOrEqual:
            switch try order(left, right, sign.rawValue) {
            case .before: return sign == .less || sign == .lessOrEqual
            case .same: return sign == .lessOrEqual || sign == .greaterOrEqual
            case .after: return sign == .greater || sign == .greaterOrEqual
            case .unordered: return false
            }
        }
    }
}
