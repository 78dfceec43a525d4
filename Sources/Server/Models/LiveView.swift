internal import Foundation
internal import Inference
internal import Synchronization

/// What lives in a model's engine, for whoever looks on: asked of the engine no more than once a second, however many look.
actor LiveView {
    struct Look: Sendable {
        var snapshot: EngineSnapshot
        /// Seconds since 1970.
        var time: Double
    }

    private var latest: Look?
    private var isAsking = false

    /// The latest look, no older than a second, unless a long step is under way: then the one before it. nil where there is none yet.
    func look(_ engine: Engine) async -> Look? {
        func isFresh() -> Bool { latest.map { Date().timeIntervalSince1970 - $0.time < 0.9 } ?? false }
        for _ in 0..<50 where !isFresh() {
            if !isAsking {
                isAsking = true
                Task {
                    let snapshot = await engine.snapshot(branches: 200)
                    take(snapshot)
                }
            }
            try? await Task.sleep(for: .milliseconds(20))
        }
        return latest
    }

    private func take(_ snapshot: EngineSnapshot) {
        latest = Look(snapshot: snapshot, time: Date().timeIntervalSince1970)
        isAsking = false
    }
}

/// By which name a request is known outside the engine.
final class LiveNames: Sendable {
    struct Name: Sendable {
        /// The id that the response has.
        var id: String
        var sample: Int
        var endpoint: String
    }

    private let names = Mutex<[Int: Name]>([:])

    subscript(request: Int) -> Name? { names.withLock { $0[request] } }

    func add(_ requests: [(Int, Name)]) { names.withLock { for (id, name) in requests { $0[id] = name } } }

    func remove(_ requests: [Int]) { names.withLock { for id in requests { $0[id] = nil } } }
}
