public import Inference
public import OpenAI

/// Everything that a server is told before it begins.
public struct ServerSettings: Sendable {
    /// The address to listen on: a host name or an IP address.
    public var host = "127.0.0.1"
    /// 0 lets the system choose one.
    public var port = 8080
    /// The models that requests can name, at least one; the first one is loaded at once and answers requests that name none.
    public var models: [NamedModel]
    /// The most bytes that loaded models may take together, caches included; nil for what the machine has.
    public var modelsMemory: Int?
    public var engine = EngineConfiguration()
    /// What requests get where they say nothing.
    public var defaults = RequestDefaults()
    /// Whether a request that gives no seed gets a new one each time; the answer tells it.
    public var drawsSeeds = false
    /// A file of API keys; nil for none.
    public var keyFile: String?
    /// Whether a public address may be served without keys.
    public var allowsUnauthenticated = false
    /// Files of a certificate chain and its private key, both PEM; nil for plain HTTP.
    public var tls: (certificates: String, key: String)?
    /// Origins whose pages may call the server besides its own: `https://host[:port]`, or `*` for all.
    public var origins: [String] = []
    /// Further names by which the server may be called where it asks for no key.
    public var hostNames: [String] = []
    /// A folder for files, batches and responses; nil for none of these.
    public var stateFolder: String?
    public var limits = ServerLimits()
    /// Whether requests' texts are logged.
    public var logsPrompts = false
    public var servesPage = true
    /// Where traces go, by OTLP over HTTP: `http://host:port/v1/traces`; nil for nowhere.
    public var traceEndpoint: String?

    public init(models: [NamedModel]) {
        precondition(!models.isEmpty, "a server needs a model")
        self.models = models
        defaults.ignoresUnknownFields = true
    }

    /// A model and the name by which requests ask for it.
    public struct NamedModel: Sendable, Equatable {
        public var name: String
        /// A GGUF file, a folder or a built-in model.
        public var path: String

        public init(name: String, path: String) {
            self.name = name
            self.path = path
        }

        /// From `NAME=PATH`, or a path, which is then known by its last part without `.gguf`.
        public init(argument: String) {
            let isNamed = argument.firstIndex(of: "=").map { !argument[..<$0].contains("/") } ?? false
            if isNamed, let sign = argument.firstIndex(of: "=") {
                self.init(name: String(argument[..<sign]), path: String(argument[argument.index(after: sign)...]))
                return
            }
            let last = argument.split(separator: "/").last.map(String.init) ?? argument
            let isFile = last.lowercased().hasSuffix(".gguf")
            self.init(name: isFile ? String(last.dropLast(5)) : last, path: argument)
        }
    }
}

/// How much of everything a client may take.
public struct ServerLimits: Sendable {
    /// Bytes of a request's body, and of a file that is uploaded.
    public var bodyBytes = 32 << 20
    public var fileBytes = 512 << 20
    /// Bytes of files that one key may keep.
    public var keptFileBytes = 16 << 30
    /// Tokens of one request's prompts together; nil for what the context says of each.
    public var promptTokens: Int?
    /// Answers to one prompt: `n`.
    public var samples = 128
    /// Answers that one request may ask for in all.
    public var choices = 1024
    /// Requests under way, and of these those that wait for the engine.
    public var requests = 1024
    public var queue = 512
    /// Seconds that a request may wait for its first step in the engine.
    public var queueSeconds = 600.0
    /// Seconds that an answer may take in all; nil for any.
    public var answerSeconds: Double?
    public var connections = 2048
    /// Headers of a request: bytes of all, and their number.
    public var headerBytes = 64 << 10
    public var headers = 200
    /// Seconds for a request's head, and between two requests of a connection.
    public var idleSeconds = 60.0
    /// Seconds for a body, besides one for each 64 KiB.
    public var bodySeconds = 30.0
    /// Seconds that a client may take to read what was sent to it.
    public var writeSeconds = 60.0
    /// Seconds between two signs of life while an answer is being prepared.
    public var keepAliveSeconds = 5.0
    /// Requests a minute of each key that sets no rate of its own; nil for any.
    public var ratePerMinute: Double?
    /// Seconds that answers under way have to end once the server is asked to stop.
    public var drainSeconds = 30.0
    /// Days that stored responses are kept.
    public var responseDays = 30

    public init() {}
}
