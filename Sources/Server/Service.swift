internal import Foundation
internal import Logging
internal import OpenAI
internal import Synchronization

/// What all endpoints share.
final class Service: Sendable {
    let settings: ServerSettings
    let log: Logger
    let pool: ModelPool
    let gate: Gate
    let keys: KeyRing?
    let rates = RateLimiter()
    let metrics = ServerMetrics()
    let state: ServerState?
    let page: PageFiles?
    private let deskBox = Mutex<BatchDesk?>(nil)
    let tracer: Tracer?
    /// Seconds since 1970 when the server began.
    let startTime = Date().timeIntervalSince1970

    /// - Throws: ``ServerError`` where a file that the settings name cannot be used.
    init(_ settings: ServerSettings, log: Logger) throws {
        self.settings = settings
        self.log = log
        pool = ModelPool(settings, log: log)
        gate = Gate(settings.limits)
        keys = try settings.keyFile.map { try KeyRing(path: $0) }
        state = try settings.stateFolder.map { try ServerState(folder: $0, settings: settings, log: log) }
        page = settings.servesPage ? PageFiles.find() : nil
        tracer = try settings.traceEndpoint.map { try Tracer(endpoint: $0, log: log) }
    }

    /// What requests get where they say nothing.
    var defaults: RequestDefaults {
        var defaults = settings.defaults
        defaults.ignoresUnknownFields = true
        defaults.maximumSamples = settings.limits.samples
        // As many bits as every reader of JSON keeps.
        if settings.drawsSeeds { defaults.seed = UInt64.random(in: 0..<1 << 53) }
        return defaults
    }

    /// Who runs batches; there once the server runs.
    var desk: BatchDesk? {
        get { deskBox.withLock { $0 } }
        set { deskBox.withLock { $0 = newValue } }
    }

    /// Whose a request is, for the engine's fairness: between several keys the keys are treated alike; with one key or none, those that
    /// it speaks for.
    func user(of exchange: Exchange, named user: String?) -> String? {
        isFairByKey ? exchange.caller.owner : (user ?? exchange.caller.name)
    }

    /// Whether fairness is between keys, not between those that they speak for.
    var isFairByKey: Bool { (keys?.count ?? 0) > 1 }

    /// The state, where the server keeps one.
    func requireState() throws -> ServerState {
        guard let state else {
            throw APIError(
                "this server keeps no files, batches or responses; start it with --state FOLDER", status: 501,
                type: "server_error", code: "no_state")
        }
        return state
    }

    static var now: Int { Int(Date().timeIntervalSince1970) }
    static let version = "0.1.0"
}
