internal import Foundation

/// Progress of long work with its rate and the time left: on a terminal only, a few times a second.
final class ProgressMeter: @unchecked Sendable {
    private var total: Int
    private let unit: String
    private let start = ContinuousClock.now
    private let lock = NSLock()
    private var lastShown: ContinuousClock.Instant?

    init(total: Int, unit: String) {
        self.total = total
        self.unit = unit
    }

    func report(_ done: Int) {
        lock.withLock {
            let now = ContinuousClock.now
            if let lastShown, now - lastShown < .milliseconds(200) { return }
            lastShown = now
            let elapsed = seconds(now - start)
            let rate = Double(done) / max(elapsed, 1e-9)
            let left = rate > 0 ? Double(max(total - done, 0)) / rate : 0
            Console.progress(
                String(
                    format: "%d of %d %@ (%.0f %%), %.0f a second, %.0f s left", done, total, unit,
                    100 * Double(done) / Double(max(total, 1)), rate, left))
        }
    }

    /// Progress of work whose extent shows only on the way.
    func report(_ done: Int, of total: Int) {
        lock.withLock { self.total = total }
        report(done)
    }

    func end() { Console.endProgress() }

    private func seconds(_ duration: Duration) -> Double {
        Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
    }
}
