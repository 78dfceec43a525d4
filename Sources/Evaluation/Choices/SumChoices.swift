/// Arithmetic: the result of a step of a solution, among three near misses.
///
/// The problem is one of ``SumsGenerator``'s test questions, the step one of its reference solution, at random; the steps before
/// it are given, and the step as far as its equals sign. A near miss differs from the result by 1, 2, 10 or 100, or has two of its digits
/// exchanged.
public struct SumChoices: ChoiceTask {
    public static let name = "sum-choices"
    public static let summary = "the result of a step of arithmetic among three near misses"
    public static let groupedBy = "level"

    public let style = ChoiceStyle.answer
    public let levels: [Int]
    public let seed: UInt64

    /// - Parameters:
    ///   - levels: of 1...6, taking turns.
    ///   - seed: which problems, steps and near misses.
    public init(levels: [Int] = Array(SumsGenerator.levels), seed: UInt64 = 0) {
        self.levels = levels
        self.seed = seed
    }

    public func questions(_ count: Int) -> [ChoiceQuestion] {
        SumsGenerator(seed: seed, split: .test).problems(levels: levels).prefix(count).enumerated()
            .map { question($1, index: $0) }
    }

    private func question(_ problem: SumsProblem, index: Int) -> ChoiceQuestion {
        var noise = ProblemNoise(seed: seed, level: problem.level, index: index, attempt: 0, mark: choiceMark)
        let steps = problem.steps
        let place = noise.number(0...steps.count - 1)
        // A step of a problem has a result.
        let result = steps[place].result!
        let (choices, answer) = noise.placing(result, among: noise.some(3, of: Self.nearMisses(result)))
        let before = problem.stepLines[..<place].map { $0 + "\n" }.joined()
        return ChoiceQuestion(
            question: problem.question, beginning: before + "\(place + 1). \(steps[place].text) =",
            choices: choices.map { " \($0)" }, answer: answer, group: "\(problem.level)")
    }

    /// Wrong results that look like the right one: at least four, ascending.
    static func nearMisses(_ result: Int) -> [Int] {
        var misses = Set([1, 2, 10].flatMap { [result - $0, result + $0] })
        if result >= 100 { misses.formUnion([result - 100, result + 100]) }
        let digits = Array(String(result))
        for place in digits.indices.dropFirst() {
            var swapped = digits
            swapped.swapAt(place - 1, place)
            if swapped[0] != "0", let number = Int(String(swapped)) { misses.insert(number) }
        }
        misses.remove(result)
        return misses.filter { $0 >= 0 }.sorted()
    }
}
