internal import OpenAI
internal import Synchronization

/// Counts requests under way and lets in no more than the server can hold.
final class Gate: Sendable {
    private struct State {
        var inside = 0
        var isDraining = false
        var refused = 0
    }

    private let state = Mutex(State())
    private let limits: ServerLimits

    init(_ limits: ServerLimits) { self.limits = limits }

    var inside: Int { state.withLock { $0.inside } }
    var isDraining: Bool { state.withLock { $0.isDraining } }

    /// Lets one in.
    ///
    /// - Parameter waiting: answers that the engine has not begun.
    /// - Throws: ``Busy`` where there is no room.
    func enter(waiting: Int) throws {
        let refusal: String? = state.withLock { state in
            if state.inside >= limits.requests {
                return "\(state.inside) requests are under way, as many as this server takes; try again later"
            }
            if waiting >= limits.queue { return "\(waiting) answers are waiting to begin; try again later" }
            state.inside += 1
            return nil
        }
        if let refusal {
            throw Busy(refusal, status: 503, type: "overloaded_error", code: "server_overloaded", retryAfter: 2)
        }
    }

    func leave() { state.withLock { $0.inside -= 1 } }

    /// From now on the server only finishes what it has begun.
    func drain() { state.withLock { $0.isDraining = true } }
}
