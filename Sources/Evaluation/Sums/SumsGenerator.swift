internal import Inference

/// As many problems as one likes: each is a function of seed, split, level and index, and stays what it is for ever.
///
/// ```swift
/// let generator = SumsGenerator(seed: 7, split: .test)
/// for problem in generator.problems(levels: 4...6).prefix(10) { print(problem.question) }
/// ```
public struct SumsGenerator: Sendable {
    /// Levels of difficulty.
    ///
    /// | level | operations | terms up to | factors up to (the other has one digit) | results up to |
    /// |---|---|---|---|---|
    /// | 1 | 1 | 20 | 9 | 81 |
    /// | 2 | 1–2 | 60 | 20 | 200 |
    /// | 3 | 2 | 100 | 50 | 500 |
    /// | 4 | 3 | 100 | 60 | 700 |
    /// | 5 | 3–4 | 300 | 99 | 999 |
    /// | 6 | 4–5 | 600 | 99 | 1,999 |
    public static let levels = 1...6
    /// What is measured where no level is named.
    public static let harderHalf = 4...6

    public let seed: UInt64
    public let split: SumsSplit

    public init(seed: UInt64, split: SumsSplit) {
        self.seed = seed
        self.split = split
    }

    /// The problem at an index. Two indices may give the same question; ``problems(levels:)`` leaves such out.
    ///
    /// - Parameters:
    ///   - level: one of ``levels``.
    ///   - index: 0 ..< 2^32.
    /// - Complexity: some tens of microseconds; a test question takes 16 attempts on average.
    public func problem(level: Int, index: Int) -> SumsProblem {
        precondition(Self.levels.contains(level), "there is no level \(level)")
        var attempt: UInt32 = 0
        while true {
            var draft = ProblemDraft(
                size: .of(level), noise: ProblemNoise(seed: seed, level: level, index: index, attempt: attempt))
            if let problem = draft.problem(level: level), problem.split == split { return problem }
            attempt += 1
        }
    }

    /// Problems in the order of their indices, levels in turn, each question once.
    ///
    /// - Parameter levels: which levels, in the order of their turns; a level may have several.
    public func problems(levels: some Sequence<Int>) -> SumsSequence {
        SumsSequence(generator: self, levels: Array(levels))
    }
}

/// Different problems without end; see ``SumsGenerator/problems(levels:)``.
public struct SumsSequence: Sequence, IteratorProtocol, Sendable {
    private let generator: SumsGenerator
    private let levels: [Int]
    private var indices: [Int: Int] = [:]
    private var turn = 0
    private var known: Set<UInt64> = []

    fileprivate init(generator: SumsGenerator, levels: [Int]) {
        precondition(!levels.isEmpty)
        self.generator = generator
        self.levels = levels
    }

    public mutating func next() -> SumsProblem? {
        let level = levels[turn % levels.count]
        turn += 1
        while true {
            let index = indices[level, default: 0]
            // Only after 2^32 problems of a level.
            guard index <= Int(UInt32.max) else { return nil }
            indices[level] = index + 1
            let problem = generator.problem(level: level, index: index)
            if known.insert(SumsSplit.hash(problem.question)).inserted { return problem }
        }
    }
}

/// What a level allows.
struct ProblemSize {
    /// Operations of the plan.
    var operations: ClosedRange<Int>
    /// The largest number that a question states.
    var number: Int
    /// The largest result of an operation.
    var result: Int
    /// The largest factor besides one of a single digit.
    var factor: Int

    static func of(_ level: Int) -> ProblemSize {
        switch level {
        case 1: ProblemSize(operations: 1...1, number: 20, result: 81, factor: 9)
        case 2: ProblemSize(operations: 1...2, number: 60, result: 200, factor: 20)
        case 3: ProblemSize(operations: 2...2, number: 100, result: 500, factor: 50)
        case 4: ProblemSize(operations: 3...3, number: 100, result: 700, factor: 60)
        case 5: ProblemSize(operations: 3...4, number: 300, result: 999, factor: 99)
        default: ProblemSize(operations: 4...5, number: 600, result: 1999, factor: 99)
        }
    }
}

/// Random choices of one attempt at a problem: Philox of (index, level, a word that tells these numbers from those of
/// sampling, attempt and draw).
struct ProblemNoise {
    private let key: SIMD2<UInt32>
    private let address: SIMD2<UInt32>
    private let attempt: UInt32
    private let mark: UInt32
    private var block: UInt32 = 0
    private var words: [UInt32] = []

    /// - Parameter mark: the word that tells these numbers from others'; the default is `SUMS`.
    init(seed: UInt64, level: Int, index: Int, attempt: UInt32, mark: UInt32 = 0x5355_4D53) {
        key = SIMD2(UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
        address = SIMD2(UInt32(index), UInt32(level))
        self.attempt = attempt
        self.mark = mark
    }

    private mutating func word() -> UInt32 {
        if words.isEmpty {
            let four = Philox.block(
                counter: SIMD4(address.x, address.y, mark, attempt << 12 | block), key: key)
            words = [four.w, four.z, four.y, four.x]
            block += 1
        }
        return words.removeLast()
    }

    /// A number of the range, each about equally likely (to the size of the range in 2^32).
    mutating func number(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + Int((UInt64(word()) * UInt64(range.count)) >> 32)
    }

    mutating func choice<Element>(_ elements: [Element]) -> Element { elements[number(0...elements.count - 1)] }

    /// True once in `times`.
    mutating func once(in times: Int) -> Bool { number(1...times) == 1 }
}
