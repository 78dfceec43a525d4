internal import NIOCore
internal import Synchronization

/// What is known of a client's end of a connection: whether it is still there, and whether it reads what it is sent.
final class ConnectionState: Sendable {
    private struct State {
        var isGone = false
        var nextToken = 0
        var actions: [Int: @Sendable () -> Void] = [:]
        var writingSince: ContinuousClock.Instant?
    }

    private let state = Mutex(State())

    var isGone: Bool { state.withLock { $0.isGone } }

    /// Does something when the client leaves; at once where it has.
    ///
    /// - Returns: what ``forget(_:)`` takes.
    func onGone(_ action: @escaping @Sendable () -> Void) -> Int {
        let token: Int? = state.withLock { state in
            guard !state.isGone else { return nil }
            state.nextToken += 1
            state.actions[state.nextToken] = action
            return state.nextToken
        }
        if token == nil { action() }
        return token ?? 0
    }

    func forget(_ token: Int) { state.withLock { _ = $0.actions.removeValue(forKey: token) } }

    /// The client has left, or closed its sending side, which is taken for the same.
    func leave() {
        let actions = state.withLock { state in
            state.isGone = true
            defer { state.actions.removeAll() }
            return Array(state.actions.values)
        }
        for action in actions { action() }
    }

    // MARK: Writing

    func beginWrite() { state.withLock { $0.writingSince = .now } }
    func endWrite() { state.withLock { $0.writingSince = nil } }

    /// How long the present write has been waiting for the client.
    var stalled: Duration { state.withLock { state in state.writingSince.map { .now - $0 } ?? .zero } }
}
