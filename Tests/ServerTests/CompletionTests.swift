import Foundation
import Testing
import Text

@testable import Server

/// Text in, text out: shapes, limits, and what must not change an answer.
@Suite struct CompletionTests {
    private static func text(_ answer: Answer, _ choice: Int = 0) -> String? {
        answer.json["choices"]?.arrayValue?[choice]["text"]?.stringValue
    }

    @Test func anAnswerAndItsStreamAreOneText() async throws {
        let server = try await TestServer.shared.value
        let whole = try await server.post(
            "/v1/completions", #"{"prompt":"Once upon a time","max_tokens":24,"temperature":0}"#)
        let stream = try await server.post(
            "/v1/completions",
            #"{"prompt":"Once upon a time","max_tokens":24,"temperature":0,"stream":true,"stream_options":{"include_usage":true}}"#)
        #expect(whole.status == 200)
        let text = try #require(Self.text(whole))
        #expect(text.count > 20)
        let pieces = stream.events.compactMap { $0["choices"]?.arrayValue?.first?["text"]?.stringValue }
        #expect(pieces.joined() == text)
        #expect(stream.body.hasSuffix("data: [DONE]\n\n"))
        #expect(stream.events.last?["usage"]?["completion_tokens"]?.intValue == 24)
        #expect(stream.events.last?["choices"]?.arrayValue?.isEmpty == true)
        #expect(whole.json["system_fingerprint"]?.stringValue?.isEmpty == false)
        #expect(whole.json["system_fingerprint"]?.stringValue == stream.events[0]["system_fingerprint"]?.stringValue)
    }

    /// A harness asks for the log-probabilities of token ids; the first token has none, and a prompt alone is enough.
    @Test(arguments: [0, 1]) func promptsAreScored(limit: Int) async throws {
        let server = try await TestServer.shared.value
        let tokens = try await server.post("/tokenize", #"{"prompt":"Once upon a time there was a dog"}"#).json["tokens"]!
        let ids = tokens.arrayValue!.map { $0.intValue! }
        let answer = try await server.post(
            "/v1/completions",
            #"{"prompt":\#(ids),"max_tokens":\#(limit),"echo":true,"logprobs":1,"temperature":0}"#)
        let logprobs = try #require(answer.json["choices"]?.arrayValue?[0]["logprobs"])
        let values = try #require(logprobs["token_logprobs"]?.arrayValue)
        #expect(values.count == ids.count + limit)
        #expect(values[0].isNull)
        #expect(values.dropFirst().allSatisfy { ($0.doubleValue ?? 1) <= 0 })
        #expect(logprobs["top_logprobs"]?.arrayValue?.count == values.count)
        #expect(answer.json["usage"]?["completion_tokens"]?.intValue == limit)
    }

    @Test func listsOfPromptsAreAnsweredInOrder() async throws {
        let server = try await TestServer.shared.value
        let list = try await server.post(
            "/v1/completions", #"{"prompt":["The cat","The dog"],"n":2,"max_tokens":8,"seed":7,"temperature":1}"#)
        #expect(list.json["choices"]?.arrayValue?.compactMap { $0["index"]?.intValue } == [0, 1, 2, 3])
        for (place, prompt) in ["The cat", "The dog"].enumerated() {
            let alone = try await server.post(
                "/v1/completions", #"{"prompt":"\#(prompt)","n":2,"max_tokens":8,"seed":7,"temperature":1}"#)
            #expect(Self.text(list, 2 * place) == Self.text(alone, 0))
            #expect(Self.text(list, 2 * place + 1) == Self.text(alone, 1))
        }
    }

    /// The same bits, whatever else runs.
    @Test func answersDoNotDependOnWhatElseRuns() async throws {
        let server = try await TestServer.shared.value
        let bodies = (0..<16).map { index in
            let temperature = index % 2 == 0 ? "0" : "1"
            return #"{"prompt":"Story number \#(index): once","max_tokens":20,"temperature":\#(temperature),"seed":\#(index),"logprobs":3}"#
        }
        var alone: [String] = []
        for body in bodies { alone.append(try await server.post("/v1/completions", body).json["choices"].map { "\($0)" } ?? "") }
        let together = try await withThrowingTaskGroup(of: (Int, String).self) { group in
            for (place, body) in bodies.enumerated().shuffled() {
                group.addTask {
                    (place, try await server.post("/v1/completions", body).json["choices"].map { "\($0)" } ?? "")
                }
            }
            var found = Array(repeating: "", count: bodies.count)
            for try await (place, text) in group { found[place] = text }
            return found
        }
        #expect(together == alone)
        #expect(Set(alone).count > 12)
    }

    /// A prompt that many send at once is computed once.
    @Test func aSharedPromptIsComputedOnce() async throws {
        let server = try await TestServer.start()
        let words = (0..<200).map { "word\($0 % 17)" }.joined(separator: " ")
        let tokens = try await server.post("/tokenize", #"{"prompt":"\#(words)"}"#).json["count"]!.intValue!
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    let answer = try await server.post("/v1/completions", #"{"prompt":"\#(words)","max_tokens":4}"#)
                    #expect(answer.status == 200)
                }
            }
            try await group.waitForAll()
        }
        let computed = try await server.counters()["counters"]?["prefilled_tokens"]?.intValue ?? .max
        // What is not a whole page is computed by each.
        #expect(computed < tokens + 8 * 17)
        let metrics = try await server.get("/metrics").body
        #expect(metrics.contains("vllm:prefix_cache_hits_total"))
        await server.stop()
    }

    // MARK: Refusals

    @Test(arguments: [
        (#"{"prompt":"x","n":1000000000}"#, "n", "invalid_value"),
        (#"{"prompt":"x","suffix":"y"}"#, "suffix", "unsupported_value"),
        (#"{"prompt":"x","best_of":4}"#, "best_of", "unsupported_value"),
        (#"{"prompt":"x","response_format":{"type":"json_object"}}"#, "response_format", "unsupported_value"),
        (#"{"prompt":"x","grammar":"root ::= x"}"#, "grammar", "unsupported_value"),
        (#"{"prompt":"x","temperature":-1}"#, "temperature", "invalid_value"),
        (#"{"prompt":[99999999]}"#, "prompt", "invalid_value"),
        (#"{"prompt":"x","service_tier":"gold"}"#, "service_tier", "invalid_value"),
        (#"{"prompt":"x","timeout":-1}"#, "timeout", "invalid_value"),
        (#"{"max_tokens":3}"#, "prompt", "invalid_value"),
    ]) func whatCannotBeServedIsNamed(body: String, parameter: String, code: String) async throws {
        let answer = try await TestServer.shared.value.post("/v1/completions", body)
        #expect(answer.status == 400)
        #expect(answer.error["param"]?.stringValue == parameter)
        #expect(answer.error["code"]?.stringValue == code)
        #expect(answer.error["message"]?.stringValue?.isEmpty == false)
    }

    @Test func aPromptThatIsTooLongSaysByHowMuch() async throws {
        let server = try await TestServer.shared.value
        let ids = Array(repeating: 300, count: 1500)
        let answer = try await server.post("/v1/completions", #"{"prompt":\#(ids)}"#)
        #expect(answer.status == 400)
        #expect(answer.error["code"]?.stringValue == "context_length_exceeded")
        let message = answer.error["message"]?.stringValue ?? ""
        #expect(message.contains("1024") && message.contains("1500") && message.contains("477"))
    }

    @Test func aModelWithoutTemplateRefusesConversations() async throws {
        let answer = try await TestServer.shared.value.post(
            "/v1/chat/completions", #"{"messages":[{"role":"user","content":"x"}]}"#)
        #expect(answer.status == 400)
        #expect(answer.error["code"]?.stringValue == "no_chat_template")
    }

    @Test func anUnknownModelIsNotFound() async throws {
        let answer = try await TestServer.shared.value.post("/v1/completions", #"{"model":"gpt-9","prompt":"x"}"#)
        #expect(answer.status == 404)
        #expect(answer.error["code"]?.stringValue == "model_not_found")
        #expect(answer.error["message"]?.stringValue?.contains("stories") == true)
    }

    /// Fields that mean nothing here are passed over and named, in a header that they cannot break.
    @Test func unknownFieldsAreNamed() async throws {
        let answer = try await TestServer.shared.value.post(
            "/v1/completions", #"{"prompt":"x","max_tokens":1,"frobnicate":1,"bad\r\nx-evil: 1":2}"#)
        #expect(answer.status == 200)
        #expect(answer.headers["x-apus-ignored"]?.contains("frobnicate") == true)
        #expect(answer.headers["x-evil"] == nil)
    }

    @Test(arguments: ["", "{", "[]", "\u{1}", "null", "{\"prompt\":\"\\ud800\"}"]) func brokenBodies(body: String) async throws {
        let answer = try await TestServer.shared.value.post("/v1/completions", body)
        #expect(answer.status == 400 || (body.contains("ud800") && answer.status == 200))
        if answer.status == 400 { #expect(answer.error["type"]?.stringValue == "invalid_request_error") }
    }

    @Test func aTimeLimitEndsAnAnswerWithWhatThereIs() async throws {
        let answer = try await TestServer.shared.value.post(
            "/v1/completions", #"{"prompt":"Once","max_tokens":1000,"ignore_eos":true,"timeout":0.02,"n":8}"#)
        #expect(answer.status == 200)
        let reasons = Set(answer.json["choices"]?.arrayValue?.compactMap { $0["finish_reason"]?.stringValue } ?? [])
        #expect(reasons.contains("deadline"))
    }

    @Test func aStopTextEndsAnAnswer() async throws {
        let server = try await TestServer.shared.value
        let plain = try await server.post("/v1/completions", #"{"prompt":"Once upon a time","max_tokens":30,"temperature":0}"#)
        let text = try #require(Self.text(plain))
        let stop = String(text.dropFirst(10).prefix(6))
        let body = try JSONSerialization.data(withJSONObject: [
            "prompt": "Once upon a time", "max_tokens": 30, "temperature": 0, "stop": ["nowhere to be found", stop],
        ])
        let stopped = try await server.post("/v1/completions", String(decoding: body, as: UTF8.self))
        let expected = text.range(of: stop).map { String(text[..<$0.lowerBound]) }
        #expect(Self.text(stopped) == expected)
        #expect(stopped.json["choices"]?.arrayValue?[0]["finish_reason"]?.stringValue == "stop")
    }

    @Test func embeddingsAreOfLengthOne() async throws {
        let answer = try await TestServer.shared.value.post("/v1/embeddings", #"{"input":["a dog","a cat"],"pooling":"mean"}"#)
        let vectors = answer.json["data"]?.arrayValue?.compactMap { $0["embedding"]?.arrayValue?.compactMap(\.doubleValue) } ?? []
        #expect(vectors.count == 2)
        for vector in vectors { #expect(abs(vector.reduce(0) { $0 + $1 * $1 } - 1) < 1e-5) }
    }

    @Test func tokensAndTextsTurnIntoEachOther() async throws {
        let server = try await TestServer.shared.value
        let text = "A dog, a cat & a \\\"bird\\\"."
        let tokens = try await server.post("/tokenize", #"{"prompt":"\#(text)","add_special_tokens":false}"#).json
        let ids = tokens["tokens"]!.arrayValue!.map { $0.intValue! }
        #expect(tokens["count"]?.intValue == ids.count)
        let back = try await server.post("/detokenize", #"{"tokens":\#(ids)}"#).json["prompt"]?.stringValue
        #expect(back?.trimmingCharacters(in: .whitespaces) == "A dog, a cat & a \"bird\".")
    }
}
