/// How many rows a step may have so that answers under way get their next token in time.
///
/// Chunks never change a bit (law 2), so what the clock says may decide how a prompt is cut. The size follows from what steps were
/// measured to take; how far the slow ones lie above that is measured too.
struct Pace {
    /// Seconds between two tokens of an answer; nil for no limit.
    let target: Double?
    /// How much longer than estimated a step may well take: the recent worst, slowly forgotten.
    private var overrun = 1.1

    /// So many rows a prompt gets at least in each step, or it would never end.
    static let minimumChunk = 16

    init(target: Duration?) {
        self.target = target?.seconds
    }

    /// The rows of the next step.
    ///
    /// - Parameters:
    ///   - limit: the most that the engine has room for.
    ///   - running: those whose answers wait, and those whose prompts are cut.
    func budget(_ limit: Int, _ running: [TokenSequence], _ cost: StepCost) -> Int {
        guard let target else { return limit }
        var (rows, slots, first) = (0, 0, 0)
        for sequence in running {
            if sequence.gap == 1 && sequence.generatedCount > 0 {
                rows += 1
                slots += sequence.tokens.count
            } else if sequence.gap > 1 {
                first = max(first, sequence.computed)
            }
        }
        guard rows > 0 else { return limit }
        func seconds(_ chunk: Int) -> Double {
            cost.seconds(rows: rows + chunk, slots: slots + chunk * first + chunk * chunk / 2)
        }
        var chunk = Self.minimumChunk
        while rows + chunk + 16 <= limit, seconds(chunk + 16) * overrun <= target { chunk += 16 }
        return min(limit, rows + chunk)
    }

    /// Learns from a step.
    mutating func note(estimated: Double, taken: Double) {
        guard target != nil, estimated > 0 else { return }
        overrun = min(2, max(1.02, overrun * 0.995, taken / estimated * 1.01))
    }
}
