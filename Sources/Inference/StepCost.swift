/// What a step takes, as measured: seconds = base + rows × a + attended slots × b, by least squares over the last steps, the
/// older the less they count. Used to choose how much to do; never part of an answer.
struct StepCost {
    /// The weight of a step one step later.
    private static let memory = 0.98

    /// Normal equations: sums of products of (1, rows, slots) and of them with the seconds.
    private var moments = SIMD16<Double>(repeating: 0)
    private var targets = SIMD3<Double>(repeating: 0)
    /// base, per row, per slot.
    private(set) var coefficients: SIMD3<Double>
    private let prior: SIMD3<Double>
    private(set) var steps = 0

    /// - Parameters:
    ///   - parameters: of the network, for a first guess.
    ///   - attentionShare: what a slot adds to a row's cost, as a part of it.
    init(parameters: Int, attentionShare: Double) {
        let row = 2 * Double(max(parameters, 1)) / 50e9
        prior = SIMD3(row, row, row * attentionShare)
        coefficients = prior
    }

    /// Seconds of a step.
    func seconds(rows: Int, slots: Int) -> Double {
        coefficients[0] + coefficients[1] * Double(rows) + coefficients[2] * Double(slots)
    }

    /// Seconds that computing tokens takes beside others: without what a step takes anyway.
    ///
    /// - Parameter first: the position of the first of them.
    func seconds(tokens: Int, from first: Int) -> Double {
        coefficients[1] * Double(tokens) + coefficients[2] * Double(tokens) * (Double(first) + Double(tokens) / 2)
    }

    /// So many rows of a step make what it takes anyway a small part of the whole: more rows would hardly be cheaper each.
    ///
    /// - Parameters:
    ///   - part: what counts as small.
    ///   - slots: that a row reads.
    func rowsWorthwhile(part: Double, slots: Double) -> Int {
        let row = coefficients[1] + coefficients[2] * slots
        return Int(min(1e6, (1 / part - 1) * coefficients[0] / max(row, 1e-12)).rounded(.up))
    }

    mutating func note(rows: Int, slots: Int, seconds: Double) {
        let x = SIMD3(1, Double(rows), Double(slots))
        for i in 0..<3 {
            for j in 0..<3 { moments[3 * i + j] = Self.memory * moments[3 * i + j] + x[i] * x[j] }
            targets[i] = Self.memory * targets[i] + x[i] * seconds
        }
        steps += 1
        solve()
    }

    /// Ridge towards the prior, scaled to each column, so that what was not tried keeps its guess; no coefficient is negative.
    private mutating func solve() {
        var a = moments
        var b = targets
        for i in 0..<3 {
            let weight = 1e-3 * moments[3 * i + i] + 1e-12
            a[3 * i + i] += weight
            b[i] += weight * prior[i]
        }
        for column in 0..<3 {
            guard a[3 * column + column] > 1e-30 else { return }
            for row in column + 1..<3 {
                let factor = a[3 * row + column] / a[3 * column + column]
                for k in column..<3 { a[3 * row + k] -= factor * a[3 * column + k] }
                b[row] -= factor * b[column]
            }
        }
        var x = SIMD3<Double>(0, 0, 0)
        for row in [2, 1, 0] {
            var sum = b[row]
            for k in row + 1..<3 { sum -= a[3 * row + k] * x[k] }
            x[row] = sum / a[3 * row + row]
        }
        for i in 0..<3 where x[i].isFinite { coefficients[i] = max(x[i], 0.01 * prior[i]) }
    }
}
