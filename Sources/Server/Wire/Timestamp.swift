internal import Foundation

enum Timestamp {
    /// Seconds since 1970 as `2026-01-31T12:00:00Z`.
    static func text(_ seconds: Int) -> String {
        Date(timeIntervalSince1970: Double(seconds)).ISO8601Format()
    }
}
