internal import Inference
internal import OpenAI
internal import Synchronization
internal import Text

/// Latencies of the last five minutes, in slots of ten seconds, and a figure of the engine for each second of them, for whoever
/// looks at them now.
final class RecentLatency: Sendable {
    enum Kind: Int, CaseIterable {
        case firstToken, betweenTokens, queue, whole

        var name: String {
            switch self {
            case .firstToken: "time_to_first_token"
            case .betweenTokens: "inter_token"
            case .queue: "queue"
            case .whole: "end_to_end"
            }
        }
    }

    /// Upper bounds in seconds, ascending: three for each factor of ten.
    static let bounds: [Double] = [
        0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100,
    ]
    private static let slotSeconds = 10
    private static let slotCount = 30
    private static let historySeconds = 300

    private struct Tally {
        var counts = Array(repeating: 0, count: RecentLatency.bounds.count + 1)
        var sum = 0.0
    }

    private struct Slot {
        var number = -1
        var tallies = Array(repeating: Tally(), count: Kind.allCases.count)
    }

    private let slots = Mutex(Array(repeating: Slot(), count: RecentLatency.slotCount))
    private let history = Mutex<[(time: Double, statistics: EngineStatistics)]>([])
    private let start = ContinuousClock.now

    private var number: Int { Int((ContinuousClock.now - start) / .seconds(Self.slotSeconds)) }

    func add(_ kind: Kind, _ seconds: Double) {
        let number = number
        let place = Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count
        slots.withLock { slots in
            let index = number % Self.slotCount
            if slots[index].number != number { slots[index] = Slot(number: number) }
            slots[index].tallies[kind.rawValue].counts[place] += 1
            slots[index].tallies[kind.rawValue].sum += seconds
        }
    }

    /// Keeps what an engine says; called once a second.
    func note(_ statistics: EngineStatistics, time: Double) {
        history.withLock { history in
            history.append((time, statistics))
            if history.count > Self.historySeconds { history.removeFirst(history.count - Self.historySeconds) }
        }
    }

    /// A histogram for each kind of latency.
    var object: JSONValue {
        let number = number
        var tallies = Array(repeating: Tally(), count: Kind.allCases.count)
        slots.withLock { slots in
            for slot in slots where slot.number >= 0 && slot.number > number - Self.slotCount {
                for kind in tallies.indices {
                    for place in tallies[kind].counts.indices {
                        tallies[kind].counts[place] += slot.tallies[kind].counts[place]
                    }
                    tallies[kind].sum += slot.tallies[kind].sum
                }
            }
        }
        let bounds = JSONValue.array(Self.bounds.map { .number($0) })
        return .object(
            [JSONValue.Member(key: "window", value: .integer(Self.slotSeconds * Self.slotCount))]
                + Kind.allCases.map { kind in
                    let tally = tallies[kind.rawValue]
                    return JSONValue.Member(
                        key: kind.name,
                        value: .members([
                            "bounds": bounds, "counts": .array(tally.counts.map { .integer($0) }),
                            "sum": .number(tally.sum),
                        ]))
                })
    }

    /// `[time, prefilled tokens, generated tokens, running, waiting, used pages]` for each second, oldest first.
    var historyObject: JSONValue {
        .array(
            history.withLock { $0 }.map { time, figures in
                .array([
                    .number(time), .integer(figures.prefilledTokens), .integer(figures.generatedTokens),
                    .integer(figures.running), .integer(figures.waiting), .integer(figures.usedPages),
                ])
            })
    }
}
