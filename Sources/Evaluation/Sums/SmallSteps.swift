/// How an operation is done on paper: the steps that a solution shows.
///
/// Numbers here are not negative. An operation that a pupil knows by heart is one step; others are split by place values.
enum SmallSteps {
    /// The steps of an operation in order; the last one's result is the operation's.
    ///
    /// - Sums and differences take the right number in two parts, tens and more first, unless it has one digit besides
    ///   zeros, or both numbers are small and nothing is carried.
    /// - Products take the number of several digits by places and add the parts up, unless nothing is carried.
    /// - Quotients above 10 take the dividend in the two parts that give the quotient's tens and ones, unless the divisor
    ///   divides every digit.
    static func of(_ operation: IntegerOperation) -> [IntegerOperation] {
        let (left, right) = (operation.left, operation.right)
        switch operation.symbol {
        case .plus:
            let isEasy = left < 20 && right < 20 || left < 100 && right < 100 && left % 10 + right % 10 < 10
            if isEasy || places(left).count < 2 || places(right).count < 2 { return [operation] }
            let ones = right % 10
            if ones == 0 { return [operation] }
            return [
                IntegerOperation(left, .plus, right - ones), IntegerOperation(left + right - ones, .plus, ones),
            ]
        case .minus:
            let isEasy = left < 20 || left < 100 && left % 10 >= right % 10
            let ones = right % 10
            if isEasy || places(right).count < 2 || ones == 0 { return [operation] }
            return [
                IntegerOperation(left, .minus, right - ones), IntegerOperation(left - right + ones, .minus, ones),
            ]
        case .times:
            let (many, few, isTurned) = left >= right ? (left, right, false) : (right, left, true)
            let parts = places(many)
            // Nothing is carried: 31 * 3.
            let isEasy = parts.allSatisfy { String($0).first!.wholeNumberValue! * few < 10 }
            if parts.count < 2 || isEasy { return [operation] }
            func product(_ part: Int) -> IntegerOperation {
                isTurned ? IntegerOperation(few, .times, part) : IntegerOperation(part, .times, few)
            }
            var steps = parts.map(product)
            var sum = parts[0] * few
            for part in parts.dropFirst() {
                steps.append(IntegerOperation(sum, .plus, part * few))
                sum += part * few
            }
            return steps
        case .over:
            let quotient = left / right
            let ones = quotient % 10
            // Every digit by itself: 96 / 3.
            let isEasy = String(left).allSatisfy { $0.wholeNumberValue! % right == 0 }
            if quotient <= 10 || ones == 0 || isEasy { return [operation] }
            return [
                IntegerOperation(left - ones * right, .over, right), IntegerOperation(ones * right, .over, right),
                IntegerOperation(quotient - ones, .plus, ones),
            ]
        }
    }

    /// What a number's digits stand for, greatest first, without zeros: 305 gives 300 and 5.
    static func places(_ number: Int) -> [Int] {
        var parts: [Int] = []
        var rest = number
        var unit = 1
        while rest > 0 {
            if rest % 10 > 0 { parts.append(rest % 10 * unit) }
            rest /= 10
            // Wraps only after the last place of the largest numbers.
            unit &*= 10
        }
        return parts.reversed()
    }
}
