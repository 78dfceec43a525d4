import Compression
import Testing

/// The allocator against every choice there is.
@Suite struct AllocatorTests {
    /// Random problems that repeat.
    struct Noise: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            var word = state
            word = (word ^ word >> 33) &* 0xFF51_AFD7_ED55_8CCD
            return word ^ word >> 33
        }
    }

    /// The least loss of all choices within the budgets, by trying each; nil where there is none.
    static func bruteForce(_ items: [AllocationItem], _ bytes: Int?, _ seconds: Double?) -> Double? {
        var best: Double?
        func go(_ item: Int, _ usedBytes: Int, _ usedSeconds: Double, _ loss: Double) {
            if let bytes, usedBytes > bytes { return }
            if let seconds, usedSeconds > seconds { return }
            guard item < items.count else {
                if loss < best ?? .infinity { best = loss }
                return
            }
            for option in items[item].options {
                go(item + 1, usedBytes + option.bytes, usedSeconds + option.seconds, loss + option.loss)
            }
        }
        go(0, 0, 0, 0)
        return best
    }

    /// - Parameter kind: 0, anything; 1, few sizes as the layers of a network have; 2, options that another beats.
    static func problem(_ noise: inout Noise, kind: Int) -> [AllocationItem] {
        (0..<Int.random(in: 1...7, using: &noise)).map { index in
            let weight = kind == 1 ? [4096, 8192, 12288].randomElement(using: &noise)! : 1000
            let scale = Double.random(in: 0.01...10, using: &noise)
            let options = (0..<Int.random(in: 1...5, using: &noise)).map { place in
                let bits = kind == 1 ? [2, 3, 4, 6, 8][place] : Int.random(in: 1...64, using: &noise)
                let loss =
                    kind == 1
                    ? scale * Double.random(in: 0.5...1, using: &noise) / Double(1 << (2 * bits))
                    : Double.random(in: 0...1, using: &noise)
                // Whole multiples, so that sums of seconds are exact in any order.
                return AllocationOption(
                    label: "\(bits)", bytes: weight * bits / 8, loss: loss,
                    seconds: Double(Int.random(in: 1...64, using: &noise)) / 1024)
            }
            return AllocationItem(name: "tensor \(index)", options: options)
        }
    }

    @Test(arguments: 0..<400) func isOptimal(_ number: Int) throws {
        var noise = Noise(state: UInt64(number) + 1)
        let items = Self.problem(&noise, kind: number % 3)
        let (least, most) = (
            items.reduce(0) { $0 + $1.options.map(\.bytes).min()! }, items.reduce(0) { $0 + $1.options.map(\.bytes).max()! }
        )
        let bytes = number % 4 == 3 ? nil : Int.random(in: least...most, using: &noise)
        let times = items.map { $0.options.map(\.seconds) }
        let seconds =
            number % 2 == 0 && bytes != nil
            ? nil
            : Double(
                Int.random(
                    in: Int(1024 * times.reduce(0) { $0 + $1.min()! })...Int(1024 * times.reduce(0) { $0 + $1.max()! }),
                    using: &noise)) / 1024
        let best = Self.bruteForce(items, bytes, seconds)
        do {
            let found = try Allocator.solve(items, maximumBytes: bytes, maximumSeconds: seconds)
            let expected = try #require(best, "a choice was found where there is none")
            #expect(abs(found.loss - expected) <= 1e-12 * max(1, expected), "\(found.loss) and not \(expected)")
            #expect(found.lowerBound <= expected + 1e-12 && found.gap < 1e-9)
            let again = Allocator.allocation(items, found.choices)
            #expect(again.bytes == found.bytes && again.loss == found.loss)
            if let bytes { #expect(found.bytes <= bytes) }
            if let seconds { #expect(found.seconds <= seconds * (1 + 1e-12)) }
        } catch {
            // Both budgets can be kept, each for itself: together they are too tight.
            #expect(best == nil)
            #expect(error as? AllocationError == .budgetsTooTight(bytes: bytes ?? 0, seconds: seconds ?? 0))
        }
    }

    /// As many items as a model of 32 layers has: the bound proves what no brute force can.
    @Test func largeProblemsAreProven() throws {
        var noise = Noise(state: 99)
        let items = (0..<224).map { index in
            let weight = [4_194_304, 1_048_576, 11_272_192][index % 3]
            let scale = Double.random(in: 0.1...3, using: &noise) * Double(weight) / 1e6
            return AllocationItem(
                name: "\(index)",
                options: [2.1, 2.6, 3.1, 3.6, 4.1, 4.6, 6.1, 8.1].map { bits in
                    AllocationOption(
                        label: "\(bits)", bytes: Int(Double(weight) * bits / 8), loss: scale * .pow2(-2 * bits),
                        seconds: 0)
                })
        }
        let parameters = (0..<224).reduce(0) { $0 + [4_194_304, 1_048_576, 11_272_192][$1 % 3] }
        for bits in [2.5, 3.3, 4.0, 5.5] {
            let budget = Int(bits * Double(parameters) / 8)
            let found = try Allocator.solve(items, maximumBytes: budget)
            #expect(found.bytes <= budget && found.gap < 1e-6, "\(bits): gap \(found.gap)")
        }
    }

    /// With little room for partial choices the result keeps the budget and tells how far off it may be.
    @Test func aShortSearchIsHonest() throws {
        for number in 0..<60 {
            var noise = Noise(state: UInt64(number) + 1000)
            let items = Self.problem(&noise, kind: 0)
            let least = items.reduce(0) { $0 + $1.options.map(\.bytes).min()! }
            let most = items.reduce(0) { $0 + $1.options.map(\.bytes).max()! }
            let budget = (least + most) / 2
            let best = try #require(Self.bruteForce(items, budget, nil))
            let found = try Allocator.solve(items, maximumBytes: budget, states: 2)
            #expect(found.bytes <= budget && found.loss >= best - 1e-12 && found.lowerBound <= best + 1e-12)
        }
    }

    @Test func refusals() {
        let option = AllocationOption(label: "Q4", bytes: 100, loss: 0.1, seconds: 0.5)
        let item = AllocationItem(name: "a", options: [option])
        #expect(throws: AllocationError.noItems) { try Allocator.solve([], maximumBytes: 10) }
        #expect(throws: AllocationError.noOptions(item: "b")) {
            try Allocator.solve([item, AllocationItem(name: "b", options: [])], maximumBytes: 10)
        }
        #expect(throws: AllocationError.bytesTooFew(least: 200, budget: 199)) {
            try Allocator.solve([item, item], maximumBytes: 199)
        }
        #expect(throws: AllocationError.timeTooShort(least: 1, budget: 0.75)) {
            try Allocator.solve([item, item], maximumSeconds: 0.75)
        }
        let broken = AllocationItem(name: "c", options: [AllocationOption(label: "Q2", bytes: 1, loss: .nan)])
        #expect(throws: AllocationError.impossibleOption(item: "c", option: "Q2")) {
            try Allocator.solve([broken], maximumBytes: 10)
        }
    }

    @Test func budgetsAreRead() throws {
        #expect(try Budget(parsing: "60%") == .part(0.6))
        #expect(try Budget(parsing: "900MB") == .bytes(900_000_000))
        #expect(try Budget(parsing: "1.5 GiB") == .bytes(1_610_612_736))
        #expect(try Budget(parsing: "4.25bpw") == .bitsPerWeight(4.25))
        #expect(try Budget(parsing: "12ms") == .seconds(0.012))
        #expect(try Budget(parsing: "60%").maximumBytes(bytes: 1000, parameters: 500) == 600)
        #expect(try Budget(parsing: "4bpw").maximumBytes(bytes: 1000, parameters: 500) == 250)
        #expect(try Budget(parsing: "12ms").maximumSeconds == 0.012)
        for text in ["", "60", "-5%", "0%", "MB", "12 parsecs", "1e5MB", "nan%"] {
            #expect(throws: AllocationError.unreadableBudget(text)) { try Budget(parsing: text) }
        }
    }
}

extension Double {
    fileprivate static func pow2(_ exponent: Double) -> Double {
        // Enough for a test: 2^whole by shifting, the rest by repeated square roots.
        var (result, rest, root) = (1.0, -exponent, 2.0)
        while rest >= 1 { (result, rest) = (result / 2, rest - 1) }
        for _ in 0..<20 {
            (root, rest) = (root.squareRoot(), rest * 2)
            if rest >= 1 { (result, rest) = (result / root, rest - 1) }
        }
        return result
    }
}
