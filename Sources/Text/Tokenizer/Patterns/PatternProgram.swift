/// A pattern compiled for a matcher that backtracks over an explicit stack, so that no text can exhaust the call stack.
/// A repeated set is one instruction and one stack frame however long its run is; alternatives are tried in the order
/// written, as the tokenizers' own engines do.
struct PatternProgram: Sendable {
    enum Instruction: Sendable {
        case set(Int)
        /// A repeated set. Greedy runs give back one scalar at a time; possessive runs give back none.
        case run(set: Int, minimum: Int, maximum: Int, PatternGreed)
        case split(first: Int, second: Int)
        case jump(Int)
        /// The body ends in `accept`; after it, matching goes on at `next`.
        case lookahead(body: Int, next: Int, isNegative: Bool)
        case atomic(body: Int, next: Int)
        case lookbehind(sets: [Int], isNegative: Bool)
        case assertion(PatternAssertion)
        case accept
    }

    private(set) var instructions: [Instruction] = []
    private(set) var sets: [ScalarSet] = []
    /// Whether a match can begin with this ASCII byte; bytes from 0x80 always may.
    private(set) var canBeginWith: [Bool]
    private let wordSet: ScalarSet
    let pattern: String

    static let instructionLimit = 20_000

    init(_ pattern: String, dialect: PatternDialect = .oniguruma, part: String) throws(TokenizerError) {
        self.pattern = pattern
        wordSet = ScalarSet(
            .union([.mask(ScalarClass.marks | ScalarClass.decimalDigits | ScalarClass.connectors), .alphabetic]))
        canBeginWith = []
        let node = try PatternParser.parse(pattern, dialect: dialect, part: part)
        try compile(node, part)
        instructions.append(.accept)
        var starts = [Bool](repeating: false, count: 256)
        if Self.markBeginnings(of: node, in: &starts) { starts = [Bool](repeating: true, count: 256) }
        canBeginWith = starts
    }

    private mutating func compile(_ node: PatternNode, _ part: String) throws(TokenizerError) {
        guard instructions.count < Self.instructionLimit else {
            throw TokenizerError(part: part, reason: "the pattern \"\(pattern)\" repeats too much to compile")
        }
        switch node {
        case .set(let set):
            sets.append(set)
            instructions.append(.set(sets.count - 1))
        case .sequence(let items):
            for item in items { try compile(item, part) }
        case .alternation(let branches):
            var exits: [Int] = []
            for (index, branch) in branches.enumerated() {
                guard index < branches.count - 1 else {
                    try compile(branch, part)
                    break
                }
                let split = instructions.count
                instructions.append(.accept)
                try compile(branch, part)
                exits.append(instructions.count)
                instructions.append(.accept)
                instructions[split] = .split(first: split + 1, second: instructions.count)
            }
            for exit in exits { instructions[exit] = .jump(instructions.count) }
        case .repetition(let body, let minimum, let maximum, let greed):
            try compileRepetition(body, minimum, maximum, greed, part)
        case .lookahead(let body, let isNegative):
            let start = try compileBody(body, part)
            instructions[start] = .lookahead(body: start + 1, next: instructions.count, isNegative: isNegative)
        case .atomic(let body):
            let start = try compileBody(body, part)
            instructions[start] = .atomic(body: start + 1, next: instructions.count)
        case .lookbehind(let list, let isNegative):
            sets += list
            instructions.append(.lookbehind(sets: Array(sets.count - list.count..<sets.count), isNegative: isNegative))
        case .assertion(let assertion):
            instructions.append(.assertion(assertion))
        }
    }

    private mutating func compileBody(_ body: PatternNode, _ part: String) throws(TokenizerError) -> Int {
        let start = instructions.count
        instructions.append(.accept)
        try compile(body, part)
        instructions.append(.accept)
        return start
    }

    private mutating func compileRepetition(
        _ body: PatternNode, _ minimum: Int, _ maximum: Int?, _ greed: PatternGreed, _ part: String
    ) throws(TokenizerError) {
        if greed != .lazy, case .set(let set) = Self.unwrapped(body) {
            sets.append(set)
            instructions.append(.run(set: sets.count - 1, minimum: minimum, maximum: maximum ?? .max, greed))
            return
        }
        if greed == .possessive {
            try compile(.atomic(.repetition(body, minimum: minimum, maximum: maximum, .greedy)), part)
            return
        }
        var unused = [Bool](repeating: false, count: 256)
        guard !Self.markBeginnings(of: body, in: &unused) || maximum == 1 else {
            throw TokenizerError(
                part: part, reason: "the pattern \"\(pattern)\" repeats a group that may match nothing; rewrite it")
        }
        for _ in 0..<minimum { try compile(body, part) }
        if let maximum {
            var splits: [Int] = []
            for _ in minimum..<max(minimum, maximum) {
                splits.append(instructions.count)
                instructions.append(.accept)
                try compile(body, part)
            }
            for split in splits { patch(split, body: split + 1, exit: instructions.count, greed) }
        } else {
            let split = instructions.count
            instructions.append(.accept)
            try compile(body, part)
            instructions.append(.jump(split))
            patch(split, body: split + 1, exit: instructions.count, greed)
        }
    }

    private mutating func patch(_ split: Int, body: Int, exit: Int, _ greed: PatternGreed) {
        instructions[split] =
            greed == .lazy ? .split(first: exit, second: body) : .split(first: body, second: exit)
    }

    private static func unwrapped(_ node: PatternNode) -> PatternNode {
        if case .sequence(let items) = node, items.count == 1 { return unwrapped(items[0]) }
        return node
    }

    /// Marks the bytes that a match of `node` can begin with, and says whether it can match without reading any.
    private static func markBeginnings(of node: PatternNode, in starts: inout [Bool]) -> Bool {
        switch node {
        case .set(let set):
            for byte in 0..<UInt8(128) where set.containsASCII(byte) { starts[Int(byte)] = true }
            for byte in 128..<256 { starts[byte] = true }
            return false
        case .sequence(let items):
            for item in items where !markBeginnings(of: item, in: &starts) { return false }
            return true
        case .alternation(let branches):
            var isNullable = false
            for branch in branches where markBeginnings(of: branch, in: &starts) { isNullable = true }
            return isNullable
        case .repetition(let body, let minimum, _, _):
            return markBeginnings(of: body, in: &starts) || minimum == 0
        case .atomic(let body): return markBeginnings(of: body, in: &starts)
        case .lookahead, .lookbehind, .assertion: return true
        }
    }

    func isWord(_ scalar: UInt32) -> Bool { wordSet.contains(scalar) }
}
