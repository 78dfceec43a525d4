internal import Inference
internal import OpenAI
internal import Text

/// What lives in an engine, as the page reads it.
enum LiveObjects {
    /// The most requests to list, and the most pages to draw.
    private static let requestLimit = 256
    private static let pageLimit = 4096

    static func pages(_ now: EngineStatistics, _ snapshot: EngineSnapshot?, size: Int) -> JSONValue {
        var members: [JSONValue.Member] = [
            JSONValue.Member(key: "total", value: .integer(now.pages)),
            JSONValue.Member(key: "free", value: .integer(now.freePages)),
            JSONValue.Member(key: "used", value: .integer(now.usedPages)),
            JSONValue.Member(key: "cached", value: .integer(now.cachedPages)),
            JSONValue.Member(key: "size", value: .integer(size)),
            JSONValue.Member(key: "bytes", value: .integer(now.pageBytes)),
        ]
        if let snapshot, snapshot.pages.count <= pageLimit {
            let map = snapshot.pages.map { page in
                page.holders > 1 ? "s" : page.holders == 1 ? "u" : page.isIndexed ? "c" : "."
            }
            members.append(JSONValue.Member(key: "map", value: .string(map.joined())))
        }
        return .object(members)
    }

    static func requests(_ snapshot: EngineSnapshot, _ model: LoadedModel) -> JSONValue {
        let now = ContinuousClock.now
        return .array(
            snapshot.requests.prefix(requestLimit).map { request in
                let name = model.liveNames[request.id]
                let statistics = request.statistics
                let state =
                    switch request.stage {
                    case .waiting: statistics.preemptions > 0 ? "preempted" : "waiting"
                    case .sample: "waiting"
                    case .prompt, .answer: "running"
                    }
                // Of a request that has not been admitted, all tokens are its prompt's.
                let prompt = request.tokens - statistics.generatedTokens
                return .members([
                    "id": .string(name?.id ?? "request-\(request.id)"), "sample": .integer(name?.sample ?? 0),
                    "state": .string(state),
                    "endpoint": .string(name?.endpoint ?? (request.isEmbedding ? "/v1/embeddings" : "/v1/batches")),
                    "priority": .string(request.priority == .interactive ? "interactive" : "batch"),
                    "prompt_tokens": .integer(prompt), "computed": .integer(request.computedTokens),
                    "generated": .integer(statistics.generatedTokens), "limit": .integer(request.limit - prompt),
                    "cached_tokens": .integer(statistics.cachedTokens), "pages": .integer(request.pages.count),
                    "age": .number(statistics.arrival.map { (now - $0) / .seconds(1) } ?? 0),
                ])
            })
    }

    /// - Parameter tokenizer: nil where texts are nobody else's business.
    static func tree(_ summary: PrefixSummary, _ tokenizer: Tokenizer?) -> JSONValue {
        let nodes = summary.branches.map { branch in
            let label = tokenizer.map { String($0.decodeText(branch.firstTokens).prefix(40)) }
            return JSONValue.members([
                "parent": .integer(branch.parent ?? -1), "pages": .integer(branch.pages.count),
                "users": .integer(branch.holders), "label": .optional(label),
            ])
        }
        let shown = summary.branches.reduce(0) { $0 + $1.pages.count }
        return .members(["nodes": .array(nodes), "omitted_pages": .integer(summary.pages - shown)])
    }
}
