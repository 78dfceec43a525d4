/// One operation of a plan and the steps by which it may be done. See ``SolutionChecker``.
struct PlannedOperation {
    private let operation: IntegerOperation
    private let result: Int

    /// More parts than this are not regrouped: pairs of groups grow as 3 to the number of parts.
    private static let mostParts = 8

    init(_ operation: IntegerOperation, _ result: Int) {
        self.operation = operation
        self.result = result
    }

    /// Whether a step may belong to this operation, given the numbers that are there.
    func allows(_ step: IntegerOperation, _ values: Set<Int>) -> Bool {
        let (left, right) = (operation.left, operation.right)
        let areThere = values.contains(left) && values.contains(right)
        if areThere && step.normalized == operation.normalized { return true }
        switch (operation.symbol, step.symbol) {
        case (.plus, .plus): return allowsSum(step, [left, right], values)
        case (.minus, .minus): return areThere && allowsDifference(step, values)
        case (.times, .times):
            return areThere
                && [(step.left, step.right), (step.right, step.left)].contains { a, b in
                    b == right && Self.groups(left).contains(a) || b == left && Self.groups(right).contains(a)
                }
        case (.times, .plus):
            let partial = [(left, right), (right, left)].map { whole, other in
                SmallSteps.places(whole).map { IntegerOperation($0, .times, other).result ?? 0 }
            }
            return partial.contains { allowsSum(step, $0, values) }
        case (.over, .over):
            return areThere && step.right == right
                && Self.groups(result).contains { IntegerOperation($0, .times, right).result == step.left }
        case (.over, .plus): return allowsSum(step, SmallSteps.places(result), values)
        default: return false
        }
    }

    /// Whether a step adds some parts of the terms to others of them.
    private func allowsSum(_ step: IntegerOperation, _ terms: [Int], _ values: Set<Int>) -> Bool {
        func isThere(_ operand: Int) -> Bool {
            values.contains(operand)
                || terms.contains { values.contains($0) && Self.groups($0).contains(operand) }
        }
        guard isThere(step.left), isThere(step.right) else { return false }
        let places = terms.flatMap(SmallSteps.places)
        let parts = places.count <= Self.mostParts ? places : terms
        guard parts.count <= Self.mostParts else { return false }
        let all = (1 << parts.count) - 1
        let sums = (0...all).map { mask in Self.sum(parts, mask) }
        return sums.indices.dropFirst().contains { first in
            sums[first] == step.left
                && sums.indices.dropFirst().contains { $0 & first == 0 && sums[$0] == step.right }
        }
    }

    /// Whether a step takes some parts of the right number from the left one less others of them.
    private func allowsDifference(_ step: IntegerOperation, _ values: Set<Int>) -> Bool {
        let parts = SmallSteps.places(operation.right)
        guard parts.count <= Self.mostParts, values.contains(step.left) else { return false }
        let sums = (0..<1 << parts.count).map { mask in Self.sum(parts, mask) }
        return sums.indices.contains { before in
            IntegerOperation(operation.left, .minus, sums[before] ?? 0).result == step.left
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
