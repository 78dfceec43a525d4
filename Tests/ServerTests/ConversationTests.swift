import Foundation
import Testing
import Text

@testable import Server

/// Conversations, through each API that has them. The model is a small talker of the repository.
@Suite struct ConversationTests {
    private static let shared = Task {
        try await TestServer.start { settings in
            settings.models = [.init(name: "chat", path: "builtin:chat")]
            settings.stateFolder = FileManager.default.temporaryDirectory.path + "/apus-chat-\(UUID().uuidString)"
        }
    }

    private static let messages = #""messages":[{"role":"user","content":"Hello"}]"#

    @Test func oneTextThroughAllAPIs() async throws {
        let server = try await Self.shared.value
        let chat = try await server.post("/v1/chat/completions", "{\(Self.messages),\"max_tokens\":12,\"temperature\":0}")
        let text = try #require(chat.json["choices"]?.arrayValue?[0]["message"]?["content"]?.stringValue)
        #expect(!text.isEmpty)
        let pieces = try await server.post(
            "/v1/chat/completions", "{\(Self.messages),\"max_tokens\":12,\"temperature\":0,\"stream\":true}")
        #expect(pieces.events.compactMap { $0["choices"]?.arrayValue?.first?["delta"]?["content"]?.stringValue }.joined() == text)
        #expect(pieces.events[0]["choices"]?.arrayValue?[0]["delta"]?["role"]?.stringValue == "assistant")
        let message = try await server.post("/v1/messages", "{\(Self.messages),\"max_tokens\":12,\"temperature\":0}")
        #expect(message.json["content"]?.arrayValue?[0]["text"]?.stringValue == text)
        let response = try await server.post("/v1/responses", #"{"input":"Hello","max_output_tokens":12,"temperature":0}"#)
        #expect(response.json["output"]?.arrayValue?[0]["content"]?.arrayValue?[0]["text"]?.stringValue == text)
        let counted = try await server.post("/v1/messages/count_tokens", "{\(Self.messages)}")
        #expect(counted.json["input_tokens"]?.intValue == chat.json["usage"]?["prompt_tokens"]?.intValue)
        let template = try await server.post("/apply-template", "{\(Self.messages)}")
        #expect(template.json["prompt"]?.stringValue?.contains("Hello") == true)
    }

    @Test func theAnthropicStreamHasItsEvents() async throws {
        let server = try await Self.shared.value
        let stream = try await server.post(
            "/v1/messages", "{\(Self.messages),\"max_tokens\":5,\"temperature\":0,\"stream\":true}")
        let types = stream.events.compactMap { $0["type"]?.stringValue }
        #expect(types.first == "message_start" && types.last == "message_stop")
        #expect(types.contains("content_block_delta"))
        let delta = try #require(stream.events.first { $0["type"]?.stringValue == "message_delta" })
        #expect(delta["delta"]?["stop_reason"]?.stringValue == "max_tokens")
        #expect(delta["usage"]?["output_tokens"]?.intValue == 5)
    }

    @Test func aStopSequenceIsTold() async throws {
        let server = try await Self.shared.value
        let answer = try await server.post(
            "/v1/messages", "{\(Self.messages),\"max_tokens\":20,\"temperature\":0,\"stop_sequences\":[\"e\"]}")
        #expect(answer.json["stop_reason"]?.stringValue == "stop_sequence")
        #expect(answer.json["stop_sequence"]?.stringValue == "e")
    }

    @Test(arguments: [
        (#"{"messages":[{"role":"user","content":"x"}]}"#, "max_tokens"),
        (#"{"max_tokens":5,"messages":[{"role":"system","content":"x"}]}"#, "role"),
        (#"{"max_tokens":5,"messages":[{"role":"user","content":"x"}],"tools":[{"name":"f"}]}"#, "tools"),
        (#"{"max_tokens":5,"messages":[{"role":"user","content":[{"type":"image"}]}]}"#, "image"),
    ]) func theAnthropicErrors(body: String, word: String) async throws {
        let answer = try await Self.shared.value.post("/v1/messages", body)
        #expect(answer.status == 400)
        #expect(answer.json["type"]?.stringValue == "error")
        #expect(answer.json["error"]?["type"]?.stringValue == "invalid_request_error")
        #expect(answer.json["error"]?["message"]?.stringValue?.contains(word) == true)
    }

    @Test func aResponseGoesOnFromAnother() async throws {
        let server = try await Self.shared.value
        let first = try await server.post(
            "/v1/responses", #"{"input":"My name is Ann.","instructions":"Be kind.","max_output_tokens":12,"temperature":0}"#)
        let id = try #require(first.json["id"]?.stringValue)
        let text = try #require(first.json["output"]?.arrayValue?[0]["content"]?.arrayValue?[0]["text"]?.stringValue)
        let second = try await server.post(
            "/v1/responses", #"{"input":"Hello","previous_response_id":"\#(id)","max_output_tokens":12,"temperature":0}"#)
        let messages = try JSONSerialization.data(withJSONObject: [
            "messages": [
                ["role": "user", "content": "My name is Ann."], ["role": "assistant", "content": text],
                ["role": "user", "content": "Hello"],
            ], "max_tokens": 12, "temperature": 0,
        ])
        // Instructions are not handed on.
        let chat = try await server.post("/v1/chat/completions", String(decoding: messages, as: UTF8.self))
        #expect(
            second.json["output"]?.arrayValue?[0]["content"]?.arrayValue?[0]["text"]?.stringValue
                == chat.json["choices"]?.arrayValue?[0]["message"]?["content"]?.stringValue)
        #expect(second.json["usage"]?["input_tokens"]?.intValue == chat.json["usage"]?["prompt_tokens"]?.intValue)
        #expect(try await server.get("/v1/responses/\(id)").json["id"]?.stringValue == id)
        #expect(try await server.get("/v1/responses/\(id)/input_items").json["data"]?.arrayValue?.count == 1)
        #expect(try await server.send("DELETE", "/v1/responses/\(id)").json["deleted"]?.boolValue == true)
        #expect(try await server.get("/v1/responses/\(id)").status == 404)
        #expect(try await server.post("/v1/responses", #"{"input":"x","previous_response_id":"\#(id)"}"#).status == 404)
    }

    @Test func theEventsOfAResponseAreNumbered() async throws {
        let stream = try await Self.shared.value.post(
            "/v1/responses", #"{"input":"Hello","max_output_tokens":6,"temperature":0,"stream":true}"#)
        #expect(stream.events.compactMap { $0["sequence_number"]?.intValue } == Array(0..<stream.events.count))
        let types = stream.events.compactMap { $0["type"]?.stringValue }
        #expect(types.first == "response.created")
        #expect(["response.completed", "response.incomplete"].contains(types.last))
        let deltas = stream.events.filter { $0["type"]?.stringValue == "response.output_text.delta" }
        let done = stream.events.first { $0["type"]?.stringValue == "response.output_text.done" }
        #expect(deltas.compactMap { $0["delta"]?.stringValue }.joined() == done?["text"]?.stringValue)
    }

    @Test(arguments: [
        (#"{"messages":[{"role":"user","content":"x"}],"tools":[{"type":"function"}]}"#, "tools"),
        (#"{"messages":[{"role":"user","content":"x"}],"response_format":{"type":"json_schema"}}"#, "response_format"),
        (#"{"messages":[]}"#, "messages"),
        (#"{"messages":[{"role":"user","content":[{"type":"image_url"}]}]}"#, "messages[0].content[0]"),
        (#"{"messages":[{"role":"user","content":"x"}],"top_logprobs":2}"#, "top_logprobs"),
    ]) func whatIsNotSupportedIsNamed(body: String, parameter: String) async throws {
        let answer = try await Self.shared.value.post("/v1/chat/completions", body)
        #expect(answer.status == 400)
        #expect(answer.error["param"]?.stringValue == parameter)
    }

    /// Two models in memory for one: each is loaded when it is asked for, and the other leaves.
    @Test func modelsShareAMemory() async throws {
        let server = try await TestServer.start { settings in
            settings.models = [.init(name: "stories", path: "builtin:stories"), .init(name: "chat", path: "builtin:chat")]
            settings.engine.cacheBytes = 16 << 20
            settings.modelsMemory = 48 << 20
        }
        func loaded() async throws -> [String] {
            try await server.get("/v1/models").json["data"]?.arrayValue?
                .filter { $0["loaded"]?.boolValue == true }.compactMap { $0["id"]?.stringValue } ?? []
        }
        #expect(try await loaded() == ["stories"])
        let prompt = #"{"prompt":"Once upon a time","max_tokens":8,"temperature":0}"#
        let before = try await server.post("/v1/completions", prompt).json["choices"].map { "\($0)" }
        #expect(try await server.post("/v1/chat/completions", "{\"model\":\"chat\",\(Self.messages),\"max_tokens\":2}").status == 200)
        #expect(try await loaded() == ["chat"])
        #expect(try await server.post("/v1/completions", prompt).json["choices"].map { "\($0)" } == before)
        #expect(try await loaded() == ["stories"])
        await server.stop()
    }
}
