import Foundation
import Logging
import Synchronization
import TestKit
import Text

@testable import Server

/// A server as a process of its own, so that neither waits for the other's threads.
final class TestServer: Sendable {
    let port: Int
    let log: LogLines
    private let process: ChildProcess

    /// Lines of a log.
    final class LogLines: Sendable {
        private let lines = Mutex<[String]>([])
        func add(_ line: String) { lines.withLock { $0.append(line) } }
        var all: [String] { lines.withLock { $0 } }
    }

    private init(port: Int, log: LogLines, process: ChildProcess) {
        self.port = port
        self.log = log
        self.process = process
    }

    deinit { process.terminate() }

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

    /// What the settings are on the command line, as far as tests change them.
    private static func arguments(_ settings: ServerSettings, json: Bool) -> [String] {
        let plain = ServerLimits()
        let limits = settings.limits
        var arguments = ["--port", "0", "--threads", "2", "--page-size", "16", "--log-format", json ? "json" : "text"]
        for model in settings.models { arguments += ["--model", "\(model.name)=\(model.path)"] }
        for origin in settings.origins { arguments += ["--cors", origin] }
        arguments += settings.stateFolder.map { ["--state", $0] } ?? ["--no-state"]
        func add(_ name: String, _ value: (some Any)?) { if let value { arguments += ["--\(name)", "\(value)"] } }
        add("cache-bytes", settings.engine.cacheBytes)
        add("models-memory", settings.modelsMemory)
        add("api-key-file", settings.keyFile)
        if limits.bodyBytes != plain.bodyBytes { add("max-body", limits.bodyBytes) }
        if limits.requests != plain.requests { add("max-requests", limits.requests) }
        if limits.idleSeconds != plain.idleSeconds { add("idle-timeout", limits.idleSeconds) }
        if limits.bodySeconds != plain.bodySeconds { add("body-timeout", limits.bodySeconds) }
        if limits.writeSeconds != plain.writeSeconds { add("write-timeout", limits.writeSeconds) }
        return arguments
    }

    private static let repository = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private static let executable = BuildProducts.executable("apus-serve")

    /// Begins to serve; the first model is loaded when this returns.
    ///
    /// - Throws: ``ClientError`` with what the server said where it ends instead.
    static func start(json: Bool = false, _ change: (inout ServerSettings) -> Void = { _ in }) async throws -> TestServer {
        let arguments = arguments(settings(change), json: json)
        return try await blocking {
            guard let executable else { throw ClientError("apus-serve is not among the build products") }
            let (lines, ready, box) = (LogLines(), DispatchSemaphore(value: 0), PortBox())
            let process = try ChildProcess(
                executable, arguments,
                environment: ProcessInfo.processInfo.environment
                    .filter { !$0.key.hasPrefix("APUS_") }
                    .merging(["APUS_MODELS": repository.appendingPathComponent("Models").path]) { $1 },
                line: { line in
                    lines.add(line)
                    if let place = line.range(of: "http://127.0.0.1:") {
                        box.port = Int(line[place.upperBound...].prefix { $0.isNumber })
                    }
                    if line.contains(" ready ") || line.contains(#""message":"ready""#) {
                        box.isReady = true
                        ready.signal()
                    }
                },
                end: { ready.signal() })
            ready.wait()
            guard box.isReady, let port = box.port else {
                _ = process.wait()
                throw ClientError("the server ended: \(lines.all.joined())")
            }
            return TestServer(port: port, log: lines, process: process)
        }
    }

    private final class PortBox: Sendable {
        private let value = Mutex<(port: Int?, isReady: Bool)>((nil, false))
        var port: Int? {
            get { value.withLock { $0.port } }
            set { value.withLock { $0.port = newValue } }
        }
        var isReady: Bool {
            get { value.withLock { $0.isReady } }
            set { value.withLock { $0.isReady = newValue } }
        }
    }

    /// Asks the server to end, as an operator does, and waits until it has. Returns its exit status.
    @discardableResult
    func stop() async -> Int32 {
        process.terminate()
        let status = try? await Self.blocking { [process] in process.wait() }
        return status ?? -1
    }

    /// One that most tests share: the storyteller, no keys, no state.
    static let shared = Task { try await TestServer.start() }

    /// The engine's figures of a model.
    func counters(_ model: String = "stories") async throws -> JSONValue {
        let port = port
        return try await Self.blocking { try Self.counters(port, model) }
    }

    static func counters(_ port: Int, _ model: String = "stories") throws -> JSONValue {
        try call(port, "GET", "/apus/engine").json["models"]?.arrayValue?.first { $0["id"]?.stringValue == model } ?? .null
    }

    /// Waits until something holds; false where it does not within the time.
    static func waits(_ seconds: Double = 60, until condition: () async throws -> Bool) async throws -> Bool {
        let end = ContinuousClock.now + .seconds(seconds)
        var tries = 0
        // A try may wait long for its turn among other tests.
        while ContinuousClock.now < end || tries < 20 {
            if try await condition() { return true }
            tries += 1
            try await Task.sleep(for: .milliseconds(20))
        }
        return false
    }

    /// The same on a thread that may block.
    static func waits(_ seconds: Double = 60, blocking condition: () throws -> Bool) throws -> Bool {
        let end = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < end {
            if try condition() { return true }
            usleep(5000)
        }
        return false
    }
}
