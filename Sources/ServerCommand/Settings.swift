internal import Inference
internal import Logging
internal import Server
internal import Tensors

/// All settings, by what they are about. Another one is a line here.
enum Settings {
    static let groups: [(title: String, settings: [Setting])] = [
        ("Models", models), ("Network", network), ("Access", access), ("Engine", engine), ("Limits", limits),
        ("Operation", operation),
    ]

    static let all = groups.flatMap(\.settings)

    private static let models = [
        Setting(
            "model", "[NAME=]PATH", "A GGUF file, a folder or a built-in model, and the name that requests call it; may be given several times. The first one is loaded at once and answers requests that name none. By default builtin:stories.",
            .many { values, draft in draft.settings.models = values.map { .init(argument: $0) } }),
        Setting(
            "models-memory", "BYTES", "The most memory of loaded models together, caches included; one that is not in use leaves for another.",
            .bytes { $1.settings.modelsMemory = $0 }),
        Setting("seed", "S", "Where randomness comes from for requests that give no seed: a number, or random for a new one each time, which the answer tells; by default 0: the same request has the same answer.", .one { text, draft throws(ServerError) in
            draft.settings.drawsSeeds = text == "random"
            guard text != "random" else { return }
            guard let seed = UInt64(text), seed < 1 << 63 else { throw ServerError("is '\(text)'; it must be a number or random") }
            draft.settings.defaults.seed = seed
        }),
        Setting("max-tokens", "N", "The most tokens of an answer whose request sets no limit; by default 16 for completions, what the context holds for conversations.", .integer(0...1 << 30) { $1.settings.defaults.maximumTokens = $0 }),
        Setting("temperature", "T", "The temperature of requests that set none; by default the model's recommendation, else 1.", .number(0...1000) { $1.settings.defaults.temperature = Float($0) }),
    ]

    private static let network = [
        Setting("host", "ADDRESS", "The address to listen on; by default 127.0.0.1, this machine only.", .text { $1.settings.host = $0 }),
        Setting("port", "P", "The port; by default 8080, 0 for any free one.", .integer(0...65_535) { $1.settings.port = $0 }),
        Setting("tls-certificate", "FILE", "Serve HTTPS with this certificate chain (PEM).", .text { $1.certificates = $0 }),
        Setting("tls-key", "FILE", "The certificate's private key (PEM).", .text { $1.key = $0 }),
        Setting("cors", "ORIGIN", "Let pages of this origin call the server: https://host[:port], or * for all; may be given several times.", .many { $1.settings.origins = $0 }),
        Setting("host-name", "NAME", "A further name of this machine under which it may be called without keys; may be given several times.", .many { $1.settings.hostNames = $0 }),
    ]

    private static let access = [
        Setting("api-key-file", "FILE", "Ask for one of the keys in this file: a key on each line, optionally followed by name=NAME and rate=REQUESTS_A_MINUTE. It is read again when it changes and on SIGHUP.", .text { $1.settings.keyFile = $0 }),
        Setting("allow-unauthenticated", nil, "Listen on a public address without keys.", .flag { $1.settings.allowsUnauthenticated = $0 }),
        Setting("rate", "N", "Requests a minute of each key that sets no rate of its own.", .number(0.001...1e9) { $1.settings.limits.ratePerMinute = $0 }),
    ]

    private static let engine = [
        Setting("threads", "K", "Threads of the forward pass; by default one for each core.", .integer(1...1024) { $1.settings.engine.threads = $0 }),
        Setting("kernels", "NAME", "Kernels: portable, avx2, avx512 or neon; by default the fastest this machine has.", .one { text, draft throws(ServerError) in
            do { draft.settings.engine.kernels = try KernelTable.named(text) } catch { throw ServerError("is '\(text)': \(error)") }
        }),
        Setting("context", "N", "The most tokens of a conversation; by default the model's own context.", .integer(1...1 << 30) { $1.settings.engine.context = $0 }),
        Setting("cache-type", "TYPE", "How keys and values are kept: f32, f16 or bf16. Part of the answer's definition.", .choice(CacheTypeName.self) { $1.settings.engine.cacheType = $0.type }),
        Setting("cache-bytes", "BYTES", "Memory for keys and values of each model; by default half of what is free.", .bytes { $1.settings.engine.cacheBytes = $0 }),
        Setting("page-size", "N", "Tokens of a page of the cache: a multiple of 16; by default 64.", .integer(16...65_536) { $1.settings.engine.pageSize = $0 }),
        Setting("token-budget", "N", "The most tokens of a step; by default 512.", .integer(1...1 << 20) { $1.settings.engine.tokenBudget = $0 }),
        Setting("max-running", "N", "The most answers under way in the engine; by default 256.", .integer(1...65_536) { $1.settings.engine.maximumRunning = $0 }),
        Setting("target-itl", "MS", "Cut prompts so that the time between two tokens of an answer stays below this many milliseconds.", .number(0.1...600_000) { $1.settings.engine.targetITL = .milliseconds($0) }),
        Setting("schedule", "NAME", "Who goes first: priority, fair, arrival or prefix; by default priority.", .choice(SchedulingOrder.self) { $1.settings.engine.scheduling = $0 }),
        Setting("evict", "NAME", "Which computed prompts leave the cache first: cost, recency or marking; by default cost.", .choice(EvictionOrder.self) { $1.settings.engine.eviction = $0 }),
        Setting("swap-bytes", "BYTES", "Memory beside the cache for pages that had to leave and will be needed.", .bytes { $1.settings.engine.swapBytes = $0 }),
        Setting("repack-cache", nil, "Keep the weights as they are laid out in a file beside the model, and map it at the next start.", .flag { $1.settings.engine.keepsPanels = $0 }),
        Setting("prefix-store", "FOLDER", "Keep computed prompts in this folder for later starts.", .text { $1.settings.engine.prefixStore = PrefixStoreConfiguration(folder: $0) }),
    ]

    private static let limits = [
        Setting("max-body", "BYTES", "The most bytes of a request; by default 32Mi.", .bytes { $1.settings.limits.bodyBytes = $0 }),
        Setting("max-file", "BYTES", "The most bytes of an uploaded file; by default 512Mi.", .bytes { $1.settings.limits.fileBytes = $0 }),
        Setting("max-kept-files", "BYTES", "The most bytes of files that one key may keep; by default 16Gi.", .bytes { $1.settings.limits.keptFileBytes = $0 }),
        Setting("max-prompt-tokens", "N", "The most tokens of one request's prompts together.", .integer(1...1 << 30) { $1.settings.limits.promptTokens = $0 }),
        Setting("max-n", "N", "The most answers to one prompt; by default 128.", .integer(1...65_536) { $1.settings.limits.samples = $0 }),
        Setting("max-choices", "N", "The most answers of one request; by default 1024.", .integer(1...65_536) { $1.settings.limits.choices = $0 }),
        Setting("max-requests", "N", "The most requests under way; by default 1024. More are refused with 503.", .integer(1...1 << 20) { $1.settings.limits.requests = $0 }),
        Setting("max-queue", "N", "The most answers that wait to begin; by default 512.", .integer(1...1 << 20) { $1.settings.limits.queue = $0 }),
        Setting("queue-timeout", "S", "Seconds after which a request that has not begun is given up; by default 600.", .number(0.1...1e6) { $1.settings.limits.queueSeconds = $0 }),
        Setting("answer-timeout", "S", "Seconds after which an answer ends with what there is.", .number(0.1...1e6) { $1.settings.limits.answerSeconds = $0 }),
        Setting("max-connections", "N", "The most connections; by default 2048. Further ones wait.", .integer(1...1 << 20) { $1.settings.limits.connections = $0 }),
        Setting("max-headers", "N", "The most headers of a request; by default 200.", .integer(8...100_000) { $1.settings.limits.headers = $0 }),
        Setting("max-header-bytes", "BYTES", "The most bytes of a request's headers; by default 64Ki.", .bytes { $1.settings.limits.headerBytes = $0 }),
        Setting("idle-timeout", "S", "Seconds for a request's head, and of rest between requests; by default 60.", .number(0.1...86_400) { $1.settings.limits.idleSeconds = $0 }),
        Setting("body-timeout", "S", "Seconds for a body, besides one for each 64 KiB; by default 30.", .number(0.1...86_400) { $1.settings.limits.bodySeconds = $0 }),
        Setting("write-timeout", "S", "Seconds that a client may take to read what it was sent; by default 60.", .number(0.1...86_400) { $1.settings.limits.writeSeconds = $0 }),
        Setting("keep-alive", "S", "Seconds between two signs of life of a stream that has nothing to say; by default 5.", .number(0.1...3600) { $1.settings.limits.keepAliveSeconds = $0 }),
        Setting("drain-timeout", "S", "Seconds that answers under way have to end after SIGTERM; by default 30.", .number(0...86_400) { $1.settings.limits.drainSeconds = $0 }),
        Setting("keep-responses", "DAYS", "Days that stored responses are kept; by default 30.", .integer(0...36_500) { $1.settings.limits.responseDays = $0 }),
    ]

    private static let operation = [
        Setting("state", "FOLDER", "Where files, batches and responses are kept; by default apus/serve-PORT in $XDG_STATE_HOME or ~/.local/state.", .text { $1.settings.stateFolder = $0 }),
        Setting("no-state", nil, "Keep no files, batches or responses.", .flag { $1.keepsState = !$0 }),
        Setting("no-page", nil, "Do not serve the page at /.", .flag { $1.settings.servesPage = !$0 }),
        Setting("log-level", "LEVEL", "debug, info, warning or error; by default info.", .choice(LogLevel.self) { $1.logLevel = Logger.Level(rawValue: $0.rawValue) ?? .info }),
        Setting("log-format", "FORMAT", "text or json; by default text.", .choice(LogFormat.self) { $1.logsJSON = $0 == .json }),
        Setting("log-prompts", nil, "Log requests' bodies too. They hold what users wrote.", .flag { $1.settings.logsPrompts = $0 }),
        Setting("trace-endpoint", "URL", "Send a trace of each request to this OpenTelemetry collector: http://HOST:PORT/v1/traces.", .text { $1.settings.traceEndpoint = $0 }),
    ]
}
