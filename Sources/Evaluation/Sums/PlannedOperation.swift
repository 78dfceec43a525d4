/// One operation of a plan and the steps by which it may be done. See ``SolutionChecker``.
struct PlannedOperation: Sendable {
    private let operation: IntegerOperation
    private let result: Int
    /// Its operands that earlier operations of the plan give.
    private let awaited: [Int]

    /// More parts than this are not regrouped: pairs of groups grow as 3 to the number of parts.
    private static let mostParts = 8

    /// - Parameter earlier: the results of the plan's operations before it. An operand that equals one is taken to be it.
    init(_ operation: IntegerOperation, _ result: Int, earlier: [Int]) {
        self.operation = operation
        self.result = result
        awaited = [operation.left, operation.right].filter(earlier.contains)
    }

    /// Whether a step may belong to this operation, given the results of earlier steps.
    func allows(_ step: IntegerOperation, _ computed: Set<Int>) -> Bool {
        let (left, right) = (operation.left, operation.right)
        guard awaited.allSatisfy(computed.contains) else { return false }
        if step.normalized == operation.normalized { return true }
        switch (operation.symbol, step.symbol) {
        case (.plus, .plus): return allowsSum(step, [left, right], isThere: [true, true], computed)
        case (.minus, .minus): return allowsDifference(step, computed)
        case (.times, .times):
            return [(step.left, step.right), (step.right, step.left)].contains { a, b in
                b == right && Self.groups(left).contains(a) || b == left && Self.groups(right).contains(a)
            }
        case (.times, .plus):
            return [(left, right), (right, left)].contains { whole, other in
                allowsSum(step, SmallSteps.places(whole).compactMap { product($0, other) }, computed)
            }
        case (.over, .over):
            return step.right == right && Self.groups(result).contains { product($0, right) == step.left }
        case (.over, .plus): return allowsSum(step, SmallSteps.places(result), computed)
        default: return false
        }
    }

    private func product(_ left: Int, _ right: Int) -> Int? { IntegerOperation(left, .times, right).result }

    /// Whether a step adds some parts of the terms to others of them, terms being results of steps.
    private func allowsSum(_ step: IntegerOperation, _ terms: [Int], _ computed: Set<Int>) -> Bool {
        allowsSum(step, terms, isThere: terms.map(computed.contains), computed)
    }

    private func allowsSum(
        _ step: IntegerOperation, _ terms: [Int], isThere: [Bool], _ computed: Set<Int>
    ) -> Bool {
        func hasOperand(_ operand: Int) -> Bool {
            computed.contains(operand) || zip(terms, isThere).contains { $1 && Self.groups($0).contains(operand) }
        }
        guard hasOperand(step.left), hasOperand(step.right) else { return false }
        var parts: [(term: Int, value: Int)] = []
        for (index, term) in terms.enumerated() { parts += SmallSteps.places(term).map { (index, $0) } }
        if parts.count > Self.mostParts { parts = terms.enumerated().map { ($0.offset, $0.element) } }
        guard parts.count <= Self.mostParts else { return false }
        let groups = 1..<1 << parts.count
        let sums = groups.map { mask in Self.sum(parts.map(\.value), mask) }
        return groups.contains { first in
            sums[first - 1] == step.left
                && groups.contains { second in
                    guard second & first == 0, sums[second - 1] == step.right else { return false }
                    let joined = parts.indices.filter { (first | second) >> $0 & 1 == 1 }.map { parts[$0].term }
                    return Set(joined).count > 1
                }
        }
    }

    /// Whether a step takes some parts of the right number from the left one less others of them.
    private func allowsDifference(_ step: IntegerOperation, _ computed: Set<Int>) -> Bool {
        let parts = SmallSteps.places(operation.right)
        guard parts.count <= Self.mostParts, step.left == operation.left || computed.contains(step.left) else {
            return false
        }
        let sums = (0..<1 << parts.count).map { mask in Self.sum(parts, mask) }
        return sums.indices.contains { before in
            sums[before].flatMap { IntegerOperation(operation.left, .minus, $0).result } == step.left
                && sums.indices.dropFirst().contains { $0 & before == 0 && sums[$0] == step.right }
        }
    }

    /// The sums of some of a number's parts by place values, the number itself among them.
    private static func groups(_ number: Int) -> Set<Int> {
        let parts = SmallSteps.places(number)
        guard (1...mostParts).contains(parts.count) else { return [number] }
        return Set((1..<1 << parts.count).compactMap { sum(parts, $0) })
    }

    /// The sum of the parts that a mask names; nil where it overflows.
    private static func sum(_ parts: [Int], _ mask: Int) -> Int? {
        var sum = 0
        for (place, part) in parts.enumerated() where mask >> place & 1 == 1 {
            let (next, isTooLarge) = sum.addingReportingOverflow(part)
            if isTooLarge { return nil }
            sum = next
        }
        return sum
    }
}
