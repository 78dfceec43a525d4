import Foundation
import Logging
import Synchronization
import Text

@testable import Server

/// A server on a port of its own.
final class TestServer: Sendable {
    let port: Int
    let log: LogLines
    private let task: Task<Void, any Error>

    /// Lines of a log.
    final class LogLines: Sendable {
        private let lines = Mutex<[String]>([])
        func add(_ line: String) { lines.withLock { $0.append(line) } }
        var all: [String] { lines.withLock { $0 } }
    }

    private init(port: Int, log: LogLines, task: Task<Void, any Error>) {
        self.port = port
        self.log = log
        self.task = task
    }

    deinit { task.cancel() }

    /// Tests of a server over sockets wait for limits of a second and less, which a machine that runs all other suites beside them
    /// does not keep: they run by themselves, where `APUS_SERVER_TESTS` is set.
    static let isAskedFor = ProcessInfo.processInfo.environment["APUS_SERVER_TESTS"] != nil

    static let stories = ServerSettings.NamedModel(name: "stories", path: "builtin:stories")

    static func settings(_ change: (inout ServerSettings) -> Void = { _ in }) -> ServerSettings {
        var settings = ServerSettings(models: [stories])
        settings.port = 0
        settings.engine.threads = 2
        settings.engine.cacheBytes = 64 << 20
        settings.engine.pageSize = 16
        change(&settings)
        return settings
    }

    /// Begins to serve; the first model is loaded when this returns.
    static func start(json: Bool = false, _ change: (inout ServerSettings) -> Void = { _ in }) async throws -> TestServer {
        let lines = LogLines()
        let handler = LineLogHandler(json: json) { lines.add($0) }
        let server = try ApusServer(settings(change), log: Logger(label: "test") { _ in handler })
        let (ports, continuation) = AsyncThrowingStream<Int, any Error>.makeStream()
        let task = Task {
            do {
                try await server.run(signals: false) { continuation.yield($0) }
                continuation.finish()
            } catch {
                continuation.finish(throwing: error)
                throw error
            }
        }
        var iterator = ports.makeAsyncIterator()
        guard let port = try await iterator.next() else { throw ClientError("the server ended before it was ready") }
        return TestServer(port: port, log: lines, task: task)
    }

    /// Ends the server and waits until it has.
    func stop() async {
        task.cancel()
        _ = await task.result
    }

    /// One that most tests share: the storyteller, no keys, no state.
    static let shared = Task { try await TestServer.start() }

    /// The engine's figures of a model.
    func counters(_ model: String = "stories") async throws -> JSONValue {
        let view = try await get("/apus/engine").json
        return view["models"]?.arrayValue?.first { $0["id"]?.stringValue == model } ?? .null
    }

    /// Waits until something holds; false where it does not within the time.
    static func waits(_ seconds: Double = 20, until condition: () async throws -> Bool) async throws -> Bool {
        let end = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < end {
            if try await condition() { return true }
            try await Task.sleep(for: .milliseconds(20))
        }
        return false
    }
}
