/// How many of a pool's threads are worth using on a machine that others use too.
///
/// A region ends with its slowest thread. Where other programs want the processors, the system puts a helper aside in the middle of its
/// part, for milliseconds, and everybody waits; a step of hundreds of regions then takes longer on two threads than on one. So a
/// long wait lets one more thread rest for a while. Then one more is tried, and when that leads to a long wait soon, the next
/// rest is twice as long: a machine that stays busy costs a trial now and then, one that becomes free is used again at once.
///
/// Times are in nanoseconds of one clock.
struct ThreadRestraint {
    /// A wait for helpers that is taken for a thread put aside, where half the caller's own work is less; a slice of time is some milliseconds.
    static let longWait: UInt64 = 500_000
    /// Of a rest, after a long wait on a machine that seemed free.
    static let shortestRest: UInt64 = 16_000_000
    /// Of a rest, at most.
    static let longestRest: UInt64 = 256_000_000

    let threads: Int
    /// Threads that may work now, at least 1.
    private(set) var limit: Int
    private var rest = Self.shortestRest
    private var restUntil: UInt64 = 0
    private var lastTrial: UInt64?

    init(threads: Int) {
        self.threads = threads
        limit = threads
    }

    /// Notes that helpers were waited for, for `wait` until `now`, after the caller itself had worked for `work`.
    mutating func waited(_ wait: UInt64, afterWork work: UInt64, at now: UInt64) {
        // Four parts a thread: a quarter of a region may wait for the last of them.
        guard wait >= max(Self.longWait, work / 2) else { return }
        // One more thread was tried not long ago: the machine is still busy.
        let soon = lastTrial.map { now - $0 < rest } ?? false
        rest = soon ? min(2 * rest, Self.longestRest) : Self.shortestRest
        limit = max(1, limit - 1)
        restUntil = now + rest
    }

    /// Threads for a region that begins now: one more than before when a rest is over.
    mutating func admitted(at now: UInt64) -> Int {
        if limit < threads, now >= restUntil {
            limit += 1
            lastTrial = now
            // After one that goes well the next follows soon.
            restUntil = now + Self.shortestRest
        }
        return limit
    }
}
