internal import Synchronization

/// Requests a minute of each caller: a bucket that fills evenly and holds a minute's worth, but at least one.
final class RateLimiter: Sendable {
    private struct Bucket {
        var tokens: Double
        var at: ContinuousClock.Instant
    }

    private let buckets = Mutex<[String: Bucket]>([:])

    /// Takes one request out of a caller's bucket.
    ///
    /// - Returns: nil where it was there, else seconds until the next one is.
    func take(_ caller: String, ratePerMinute rate: Double, now: ContinuousClock.Instant = .now) -> Double? {
        let size = max(1, rate)
        return buckets.withLock { buckets in
            var bucket = buckets[caller] ?? Bucket(tokens: size, at: now)
            bucket.tokens = min(size, bucket.tokens + (now - bucket.at) / .seconds(60) * rate)
            bucket.at = now
            defer { buckets[caller] = bucket }
            guard bucket.tokens >= 1 else { return (1 - bucket.tokens) * 60 / rate }
            bucket.tokens -= 1
            return nil
        }
    }
}
