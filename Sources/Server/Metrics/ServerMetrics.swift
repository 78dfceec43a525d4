internal import Inference

/// What the server measures, under the names that vLLM's dashboards know.
final class ServerMetrics: Sendable {
    let registry = PrometheusRegistry()
    let requests: CounterFamily
    let finished: CounterFamily
    let firstToken: HistogramFamily
    let betweenTokens: HistogramFamily
    let queue: HistogramFamily
    let whole: HistogramFamily
    let promptTokens: HistogramFamily
    let answerTokens: HistogramFamily

    init() {
        requests = registry.counter("apus:http_requests_total", "Requests by method, path and status.")
        finished = registry.counter("vllm:request_success_total", "Answers that ended, by reason.")
        firstToken = registry.histogram(
            "vllm:time_to_first_token_seconds", "From a request's arrival to its first token.", bounds: Self.firstTokenBounds)
        betweenTokens = registry.histogram(
            "vllm:inter_token_latency_seconds", "Between two tokens of an answer.", bounds: Self.betweenBounds)
        queue = registry.histogram(
            "vllm:request_queue_time_seconds", "How long an answer waited for its first step.", bounds: Self.firstTokenBounds)
        whole = registry.histogram(
            "vllm:e2e_request_latency_seconds", "From a request's arrival to its end.", bounds: Self.wholeBounds)
        promptTokens = registry.histogram(
            "vllm:request_prompt_tokens", "Tokens of prompts.", bounds: Self.tokenBounds)
        answerTokens = registry.histogram(
            "vllm:request_generation_tokens", "Tokens of answers.", bounds: Self.tokenBounds)
    }

    private static let firstTokenBounds = [
        0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560,
    ]
    private static let betweenBounds = [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80,
    ]
    private static let wholeBounds = [
        0.1, 0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680,
    ]
    private static let tokenBounds: [Double] = [
        1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000,
    ]

    /// What the engines say of themselves at this moment.
    static func engines(_ models: [LoadedModel]) -> [PrometheusRegistry.Snapshot] {
        let all = models.map { (labels: [("model_name", $0.name)], statistics: $0.engine.statistics) }
        func figure(
            _ name: String, _ help: String, counter: Bool = false, _ value: (EngineStatistics) -> Double
        ) -> PrometheusRegistry.Snapshot {
            PrometheusRegistry.Snapshot(
                name: name, help: help, isCounter: counter, values: all.map { ($0.labels, value($0.statistics)) })
        }
        return [
            figure("vllm:num_requests_running", "Answers under way.") { Double($0.running) },
            figure("vllm:num_requests_waiting", "Answers that have not begun.") { Double($0.waiting) },
            figure("vllm:kv_cache_usage_perc", "The part of the cache's pages that answers hold, 0 to 1.") {
                Double($0.usedPages) / Double(max($0.pages, 1))
            },
            figure("vllm:prompt_tokens_total", "Tokens of prompts that were computed or found.", counter: true) {
                Double($0.prefilledTokens + $0.hitTokens)
            },
            figure("vllm:generation_tokens_total", "Tokens generated.", counter: true) { Double($0.generatedTokens) },
            figure("vllm:prefix_cache_queries_total", "Tokens looked for in the cache.", counter: true) {
                Double($0.queriedTokens)
            },
            figure("vllm:prefix_cache_hits_total", "Tokens found in the cache.", counter: true) { Double($0.hitTokens) },
            figure("vllm:num_preemptions_total", "Times an answer gave up its pages.", counter: true) {
                Double($0.preemptions)
            },
            figure("vllm:iteration_tokens_total", "Tokens that went through the network.", counter: true) {
                Double($0.rows)
            },
            figure("apus:prefilled_tokens_total", "Tokens of prompts that were computed.", counter: true) {
                Double($0.prefilledTokens)
            },
            figure("apus:engine_steps_total", "Passes through the network.", counter: true) { Double($0.steps) },
            figure("apus:engine_seconds_total", "Seconds spent in steps.", counter: true) { $0.seconds },
            figure("apus:requests_cancelled_total", "Answers that their callers took back.", counter: true) {
                Double($0.cancelled)
            },
            figure("apus:cache_pages", "Pages of the cache.") { Double($0.pages) },
            figure("apus:cache_pages_free", "Pages that nobody holds.") { Double($0.freePages) },
            figure("apus:cache_pages_kept", "Pages of prefixes that no answer uses.") { Double($0.cachedPages) },
        ]
    }
}
