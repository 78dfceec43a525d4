/// Chooses a format for every tensor such that the sum of losses is least within a budget: a multiple-choice knapsack, solved exactly.
///
/// The problem is the integer program of Hubara et al., "Improving Post Training Neural Quantization: Layer-wise Calibration and
/// Integer Programming" (arXiv 2006.10518, section 5) and Yao et al., "HAWQ-V3: Dyadic Neural Network Quantization" (arXiv
/// 2011.10680, section 3.3), whose budgets are sizes or measured times. Method: the Lagrangian dual gives a lower bound and a price for a byte
/// and a second; options and partial choices whose reduced cost exceeds what the best known choice leaves are dropped (that loses
/// no better choice); what remains goes through dynamic programming over the items, in which a partial choice that another one
/// beats in bytes, time and loss is dropped too.
///
/// The result is a function of the numbers alone.
public enum Allocator {
    /// Partial choices kept after each item. Beyond that the least promising go, and the result says how far from the optimum it
    /// may be.
    public static let standardStates = 1 << 15

    /// Solves a problem.
    ///
    /// - Parameters:
    ///   - items: at least one, each with options.
    ///   - maximumBytes: the most bytes of all together; nil for any.
    ///   - maximumSeconds: the most seconds of all together; nil for any.
    ///   - states: partial choices kept after each item.
    /// - Throws: ``AllocationError``
    /// - Complexity: O(items × options × states · log states) at worst; mostly far less.
    public static func solve(
        _ items: [AllocationItem], maximumBytes: Int? = nil, maximumSeconds: Double? = nil,
        states: Int = standardStates
    ) throws(AllocationError) -> Allocation {
        try check(items)
        let least = items.reduce(0) { $0 + $1.options.map(\.bytes).min()! }
        if let maximumBytes, least > maximumBytes { throw .bytesTooFew(least: least, budget: maximumBytes) }
        let fastest = items.reduce(0) { $0 + $1.options.map(\.seconds).min()! }
        if let maximumSeconds, fastest > maximumSeconds {
            throw .timeTooShort(least: fastest, budget: maximumSeconds)
        }
        let search = Knapsack(items, maximumBytes: maximumBytes, maximumSeconds: maximumSeconds, states: states)
        guard let (choices, bound) = search.best() else {
            throw .budgetsTooTight(bytes: maximumBytes ?? 0, seconds: maximumSeconds ?? 0)
        }
        return allocation(items, choices, lowerBound: bound)
    }

    /// The figures of a choice.
    public static func allocation(_ items: [AllocationItem], _ choices: [Int], lowerBound: Double = 0) -> Allocation {
        let taken = zip(items, choices).map { $0.options[$1] }
        let loss = taken.reduce(0) { $0 + $1.loss }
        return Allocation(
            choices: choices, bytes: taken.reduce(0) { $0 + $1.bytes }, seconds: taken.reduce(0) { $0 + $1.seconds },
            loss: loss, lowerBound: min(lowerBound, loss))
    }

    private static func check(_ items: [AllocationItem]) throws(AllocationError) {
        guard !items.isEmpty else { throw .noItems }
        for item in items {
            guard !item.options.isEmpty else { throw .noOptions(item: item.name) }
            for option in item.options {
                guard option.loss.isFinite, option.loss >= 0, option.seconds.isFinite, option.seconds >= 0,
                    option.bytes >= 0
                else { throw .impossibleOption(item: item.name, option: option.label) }
            }
        }
    }
}

/// A multiple-choice knapsack with two resources.
private struct Knapsack {
    /// An option as the search sees it: a budget that is not there costs nothing.
    private struct Option {
        var index: Int
        var bytes: Double
        var seconds: Double
        var loss: Double
        /// loss + prices · resources, less the least of its item.
        var reduced = 0.0
    }

    private struct State {
        var bytes: Double
        var seconds: Double
        var loss: Double
        /// Sum of reduced costs: with the dual's value, a lower bound of every completion.
        var reduced: Double
        var parent: Int32
        var option: Int32
    }

    private let options: [[Option]]
    private let maximumBytes: Double
    private let maximumSeconds: Double
    private let isTimed: Bool
    private let limit: Int

    init(_ items: [AllocationItem], maximumBytes: Int?, maximumSeconds: Double?, states: Int) {
        options = items.map { item in
            Self.undominated(
                item.options.enumerated().map {
                    Option(
                        index: $0, bytes: maximumBytes == nil ? 0 : Double($1.bytes),
                        seconds: maximumSeconds == nil ? 0 : $1.seconds, loss: $1.loss)
                })
        }
        self.maximumBytes = maximumBytes.map(Double.init) ?? 0
        self.maximumSeconds = maximumSeconds ?? 0
        isTimed = maximumSeconds != nil
        limit = max(states, 1)
    }

    /// Options that no other of the item beats in everything; of equal ones the first.
    private static func undominated(_ options: [Option]) -> [Option] {
        options.enumerated().filter { place, option in
            !options.enumerated().contains { other, rival in
                let isNoWorse =
                    rival.bytes <= option.bytes && rival.seconds <= option.seconds && rival.loss <= option.loss
                let isBetter = rival.bytes < option.bytes || rival.seconds < option.seconds || rival.loss < option.loss
                return isNoWorse && (isBetter || other < place)
            }
        }.map(\.element)
    }

    // MARK: The dual

    private struct Prices { var byte = 0.0, second = 0.0 }

    private func cost(_ option: Option, _ prices: Prices) -> Double {
        option.loss + prices.byte * option.bytes + prices.second * option.seconds
    }

    /// Each item's cheapest option at these prices, the smaller one of equals.
    private func cheapest(_ prices: Prices) -> [Option] {
        options.map { item in
            item.min {
                let (a, b) = (cost($0, prices), cost($1, prices))
                return a != b ? a < b : ($0.bytes, $0.seconds) < ($1.bytes, $1.seconds)
            }!
        }
    }

    private func dual(_ prices: Prices) -> Double {
        cheapest(prices).reduce(-prices.byte * maximumBytes - prices.second * maximumSeconds) { $0 + cost($1, prices) }
    }

    /// Prices that (nearly) maximise the dual: each by bisection on the sign of its slope, the other held, in turns.
    private func bestPrices() -> Prices {
        var prices = Prices()
        for _ in 0..<(isTimed && maximumBytes > 0 ? 24 : 1) {
            prices.byte = price { Prices(byte: $0, second: prices.second) } excess: { $0.bytes } maximum: { maximumBytes }
            guard isTimed else { break }
            prices.second = price { Prices(byte: prices.byte, second: $0) } excess: { $0.seconds } maximum: { maximumSeconds }
        }
        return prices
    }

    private func price(
        _ prices: (Double) -> Prices, excess resource: (Option) -> Double, maximum: () -> Double
    ) -> Double {
        func isOver(_ price: Double) -> Bool {
            cheapest(prices(price)).reduce(0) { $0 + resource($1) } > maximum()
        }
        guard isOver(0) else { return 0 }
        // A price at which a unit is worth more than all losses.
        var high = 1e-30
        while isOver(high), high < 1e30 { high *= 16 }
        var low = high / 16
        for _ in 0..<60 {
            let middle = (low * high).squareRoot()
            if isOver(middle) { low = middle } else { high = middle }
        }
        return high
    }

    // MARK: Search

    /// The best choice and a lower bound of every choice's loss; nil where no choice keeps the budgets.
    func best() -> (choices: [Int], bound: Double)? {
        let prices = bestPrices()
        let floor = dual(prices)
        var reduced = options.map { item in
            let least = item.map { cost($0, prices) }.min()!
            return item.map { option in
                var option = option
                option.reduced = cost(option, prices) - least
                return option
            }
        }
        var known = firstChoice(prices)
        // An option that alone costs more than is between the dual and the best known choice is in no better one.
        if let known {
            let gap = known.loss - floor
            reduced = reduced.map { item in item.filter { $0.reduced <= gap * (1 + 1e-9) + 1e-300 } }
        }
        let found = search(reduced, floor: floor, prices: prices, known: known?.loss ?? .infinity)
        if let better = found.choices { known = (better, loss(better)) }
        guard let known else { return nil }
        return (known.choices, min(known.loss, max(floor, found.bound)))
    }

    private func loss(_ choices: [Int]) -> Double {
        zip(options, choices).reduce(0) { sum, pair in sum + pair.0.first { $0.index == pair.1 }!.loss }
    }

    private func keeps(_ bytes: Double, _ seconds: Double) -> Bool {
        bytes <= maximumBytes && seconds <= maximumSeconds * (1 + 1e-12)
    }

    /// A choice to begin with: cheapest at the prices, repaired to keep the budgets, then improved while there is room.
    private func firstChoice(_ prices: Prices) -> (choices: [Int], loss: Double)? {
        var taken = cheapest(prices)
        var (bytes, seconds) = (taken.reduce(0) { $0 + $1.bytes }, taken.reduce(0) { $0 + $1.seconds })
        func change(_ item: Int, _ option: Option) {
            bytes += option.bytes - taken[item].bytes
            seconds += option.seconds - taken[item].seconds
            taken[item] = option
        }
        // Rising prices reach a choice that keeps the budgets, where one does.
        var factor = 1.0
        while !keeps(bytes, seconds), factor < 1e12 {
            factor *= 1.5
            taken = cheapest(Prices(byte: max(prices.byte, 1e-30) * factor, second: max(prices.second, 1e-30) * factor))
            (bytes, seconds) = (taken.reduce(0) { $0 + $1.bytes }, taken.reduce(0) { $0 + $1.seconds })
        }
        guard keeps(bytes, seconds) else { return nil }
        while true {
            var best: (item: Int, option: Option, gain: Double)?
            for (item, all) in options.enumerated() {
                for option in all where option.loss < taken[item].loss {
                    guard keeps(bytes + option.bytes - taken[item].bytes, seconds + option.seconds - taken[item].seconds)
                    else { continue }
                    let gain = taken[item].loss - option.loss
                    if gain > best?.gain ?? 0 { best = (item, option, gain) }
                }
            }
            guard let best else { break }
            change(best.item, best.option)
        }
        return (taken.map(\.index), taken.reduce(0) { $0 + $1.loss })
    }

    /// Dynamic programming over the items.
    ///
    /// - Parameter known: the loss of a choice that is known; only better ones are of interest.
    /// - Returns: a better choice, if there is one, and a lower bound of what was dropped for want of room.
    private func search(
        _ options: [[Option]], floor: Double, prices: Prices, known: Double
    ) -> (choices: [Int]?, bound: Double) {
        // What the items after each need at least, and what they cost at the prices.
        var needed = [(bytes: 0.0, seconds: 0.0)]
        for item in options.reversed() {
            let last = needed.last!
            needed.append(
                (last.bytes + (item.map(\.bytes).min() ?? 0), last.seconds + (item.map(\.seconds).min() ?? 0)))
        }
        needed.reverse()
        var tails = [(bytes: 0.0, seconds: 0.0, loss: 0.0)]
        for item in options.reversed() {
            let last = tails.last!
            guard let best = item.min(by: { $0.reduced < $1.reduced }) else { return (nil, .infinity) }
            tails.append((last.bytes + best.bytes, last.seconds + best.seconds, last.loss + best.loss))
        }
        tails.reverse()
        var incumbent = known
        var bound = Double.infinity
        var stages: [[State]] = [[State(bytes: 0, seconds: 0, loss: 0, reduced: 0, parent: -1, option: -1)]]
        for (item, all) in options.enumerated() {
            var next: [State] = []
            for (parent, state) in stages[item].enumerated() {
                for (place, option) in all.enumerated() {
                    let made = State(
                        bytes: state.bytes + option.bytes, seconds: state.seconds + option.seconds,
                        loss: state.loss + option.loss, reduced: state.reduced + option.reduced,
                        parent: Int32(parent), option: Int32(place))
                    guard keeps(made.bytes + needed[item + 1].bytes, made.seconds + needed[item + 1].seconds) else {
                        continue
                    }
                    next.append(made)
                    // The cheapest completion at the prices may keep the budgets: then it bounds the rest.
                    let tail = tails[item + 1]
                    if keeps(made.bytes + tail.bytes, made.seconds + tail.seconds) {
                        incumbent = min(incumbent, made.loss + tail.loss)
                    }
                }
            }
            // A completion that only equals the best known one is kept until the end, so that it can be told.
            let most = incumbent + abs(incumbent) * 1e-12
            next.removeAll { floor + $0.reduced > most }
            next = undominated(next)
            if next.count > limit {
                let sorted = next.sorted { ($0.reduced, $0.bytes, $0.parent) < ($1.reduced, $1.bytes, $1.parent) }
                bound = min(bound, floor + sorted[limit].reduced)
                next = undominated(Array(sorted[..<limit]))
            }
            stages.append(next)
        }
        let end = stages.last!
        guard let best = end.indices.min(by: { end[$0].loss < end[$1].loss }), end[best].loss < known else {
            return (nil, min(bound, end.isEmpty ? .infinity : known))
        }
        var choices = [Int](repeating: 0, count: options.count)
        var place = best
        for item in options.indices.reversed() {
            let state = stages[item + 1][place]
            choices[item] = options[item][Int(state.option)].index
            place = Int(state.parent)
        }
        return (choices, min(bound, end[best].loss))
    }

    /// States that no other beats in everything, in ascending bytes.
    private func undominated(_ states: [State]) -> [State] {
        let sorted = states.sorted {
            ($0.bytes, $0.seconds, $0.loss, $0.parent, $0.option) < ($1.bytes, $1.seconds, $1.loss, $1.parent, $1.option)
        }
        var kept: [State] = []
        // Ascending seconds, descending loss: the best of all states so far, none of which has more bytes.
        var stairs: [(seconds: Double, loss: Double)] = []
        for state in sorted {
            var (low, high) = (0, stairs.count)
            while low < high {
                let middle = (low + high) / 2
                if stairs[middle].seconds <= state.seconds { low = middle + 1 } else { high = middle }
            }
            if low > 0, stairs[low - 1].loss <= state.loss { continue }
            kept.append(state)
            var end = low
            while end < stairs.count, stairs[end].loss >= state.loss { end += 1 }
            // An entry of the same time has more loss and is replaced.
            let start = low > 0 && stairs[low - 1].seconds == state.seconds ? low - 1 : low
            stairs.replaceSubrange(start..<end, with: [(state.seconds, state.loss)])
        }
        return kept
    }
}
