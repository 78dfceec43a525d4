/// An expression as written, with the line it begins on.
struct ExpressionSyntax {
    indirect enum Kind {
        /// Text between tags.
        case data(TemplateString)
        case string(TemplateString)
        case integer(Int)
        case float(Double)
        case bool(Bool)
        case none
        case name(String)
        case tuple([ExpressionSyntax])
        case list([ExpressionSyntax])
        case dictionary([(ExpressionSyntax, ExpressionSyntax)])
        case attribute(ExpressionSyntax, String)
        case item(ExpressionSyntax, ExpressionSyntax)
        case slice(ExpressionSyntax, start: ExpressionSyntax?, stop: ExpressionSyntax?, step: ExpressionSyntax?)
        case call(ExpressionSyntax, ArgumentsSyntax)
        /// A nil input is what the enclosing `filter` or `set` block wrote.
        case filter(ExpressionSyntax?, String, ArgumentsSyntax)
        case test(ExpressionSyntax, String, ArgumentsSyntax)
        case negative(ExpressionSyntax)
        case positive(ExpressionSyntax)
        case not(ExpressionSyntax)
        /// Operators of one precedence, applied from left to right.
        case arithmetic(ExpressionSyntax, [(ArithmeticOperator, ExpressionSyntax)])
        case concatenation([ExpressionSyntax])
        case comparison(ExpressionSyntax, [(ComparisonOperator, ExpressionSyntax)])
        case and([ExpressionSyntax])
        case or([ExpressionSyntax])
        case conditional(test: ExpressionSyntax, then: ExpressionSyntax, otherwise: ExpressionSyntax?)
    }

    let kind: Kind
    let line: Int
    /// 1 + the depth of the deepest part: what evaluating the expression needs of the stack.
    let depth: Int

    init(_ kind: Kind, line: Int) {
        self.kind = kind
        self.line = line
        var depth = 0
        Self.visitParts(of: kind) { depth = max(depth, $0.depth) }
        self.depth = depth + 1
    }

    /// Calls `visit` on the direct parts, in the order in which they are evaluated.
    func visitParts(_ visit: (ExpressionSyntax) -> Void) { Self.visitParts(of: kind, visit) }

    private static func visitParts(of kind: Kind, _ visit: (ExpressionSyntax) -> Void) {
        switch kind {
        case .data, .string, .integer, .float, .bool, .none, .name: break
        case .tuple(let items), .list(let items), .concatenation(let items), .and(let items), .or(let items):
            items.forEach(visit)
        case .dictionary(let pairs):
            for (key, value) in pairs {
                visit(key)
                visit(value)
            }
        case .attribute(let base, _), .negative(let base), .positive(let base), .not(let base): visit(base)
        case .item(let base, let index):
            visit(base)
            visit(index)
        case .slice(let base, let start, let stop, let step):
            visit(base)
            for part in [start, stop, step] { part.map(visit) }
        case .call(let base, let arguments), .test(let base, _, let arguments):
            visit(base)
            arguments.visitParts(visit)
        case .filter(let base, _, let arguments):
            base.map(visit)
            arguments.visitParts(visit)
        case .arithmetic(let first, let rest):
            visit(first)
            for (_, operand) in rest { visit(operand) }
        case .comparison(let first, let rest):
            visit(first)
            for (_, operand) in rest { visit(operand) }
        case .conditional(let test, let then, let otherwise):
            visit(test)
            visit(then)
            otherwise.map(visit)
        }
    }
}

struct ArgumentsSyntax {
    var positional: [ExpressionSyntax] = []
    var keyword: [(name: String, value: ExpressionSyntax)] = []
    /// `*values` and `**members`.
    var spread: ExpressionSyntax?
    var keywordSpread: ExpressionSyntax?

    func visitParts(_ visit: (ExpressionSyntax) -> Void) {
        positional.forEach(visit)
        for (_, value) in keyword { visit(value) }
        spread.map(visit)
        keywordSpread.map(visit)
    }
}

enum ArithmeticOperator: String {
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    case floorDivide = "//"
    case remainder = "%"
    case power = "**"
}

enum ComparisonOperator: String {
    case equal = "=="
    case notEqual = "!="
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
    case contained = "in"
    case notContained = "not in"
}

/// What a value can be assigned to.
indirect enum TargetSyntax {
    case name(String)
    case tuple([TargetSyntax])
    /// A member of a namespace.
    case member(String, String)

    var names: [String] {
        switch self {
        case .name(let name): [name]
        case .tuple(let targets): targets.flatMap(\.names)
        case .member: []
        }
    }

    var namespaces: [String] {
        switch self {
        case .name: []
        case .tuple(let targets): targets.flatMap(\.namespaces)
        case .member(let name, _): [name]
        }
    }
}

/// The parameters and the body of a macro, of a `call` block, or of a `generation` block.
struct MacroSyntax {
    var name: String?
    var parameters: [(name: String, fallback: ExpressionSyntax?)] = []
    var body: [StatementSyntax] = []
}

struct StatementSyntax {
    indirect enum Kind {
        case output([ExpressionSyntax])
        case set(TargetSyntax, ExpressionSyntax)
        case setBlock(TargetSyntax, filter: ExpressionSyntax?, [StatementSyntax])
        case loop(LoopSyntax)
        case condition([(test: ExpressionSyntax, body: [StatementSyntax])], otherwise: [StatementSyntax])
        case with([(TargetSyntax, ExpressionSyntax)], [StatementSyntax])
        case macro(MacroSyntax)
        case callBlock(ExpressionSyntax, MacroSyntax)
        case generation(MacroSyntax)
        case filterBlock(ExpressionSyntax, [StatementSyntax])
        case leaveLoop
        case nextIteration
    }

    let kind: Kind
    let line: Int
}

struct LoopSyntax {
    var target: TargetSyntax
    var iterable: ExpressionSyntax
    var test: ExpressionSyntax?
    var isRecursive: Bool
    var body: [StatementSyntax]
    var otherwise: [StatementSyntax]
}
