import Foundation
import Inference
import OpenAI
import Testing
import Text

@testable import Apus

/// From the bodies of requests to the engine's requests, and from its events to bodies of responses.
@Suite struct RequestTests {
    static let served = Result {
        let model = try LanguageModel.load("builtin:stories")
        let template = try ChatTemplate(
            "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}{{ mood }}{% if add_generation_prompt %}<bot>{% endif %}")
        return ServedModel(
            name: "stories", tokenizer: model.tokenizer, template: template, endOfGeneration: model.endOfGeneration,
            recommended: RecommendedSampling(temperature: 0.6, topP: 0.9), vocabulary: model.shape.vocabulary)
    }

    static func completion(_ json: String, _ defaults: RequestDefaults = RequestDefaults()) throws -> GenerationTask {
        try GenerationTask(
            completion: JSONValue(parsing: Array(json.utf8)), model: served.get(), defaults: defaults)
    }

    static func chat(_ json: String) throws -> GenerationTask {
        try GenerationTask(
            chat: JSONValue(parsing: Array(json.utf8)), model: served.get(), defaults: RequestDefaults())
    }

    @Test func everySamplingFieldArrives() throws {
        let task = try Self.completion(
            """
            {"prompt": [5, 6], "temperature": 0.5, "top_p": 0.7, "top_k": 9, "min_p": 0.125, "typical_p": 0.75, "top_n_sigma": 2,
             "dynatemp_range": 0.25, "dynatemp_exponent": 2, "xtc_probability": 0.5, "xtc_threshold": 0.25,
             "repetition_penalty": 1.5, "presence_penalty": 0.5, "frequency_penalty": -0.5, "repeat_last_n": 33,
             "dry_multiplier": 0.5, "dry_base": 2, "dry_allowed_length": 3, "dry_penalty_last_n": 44,
             "no_repeat_ngram_size": 4, "min_tokens": 2, "stop_token_ids": [7], "ignore_eos": true,
             "logit_bias": {"5": 1.5, "6": false}, "logprobs": 2, "n": 3, "seed": -1, "stop": ["x", ""], "max_tokens": 9,
             "mirostat": 0, "mirostat_tau": 4, "mirostat_eta": 0.5, "adaptive_decay": 0.5, "adaptive_target": null,
             "samplers": ["penalties", "dry", "top_n_sigma", "top_k", "typ_p", "top_p", "min_p", "xtc", "temperature"],
             "user": "me", "model": "any"}
            """)
        var expected = SamplingParameters()
        (expected.temperature, expected.topP, expected.topK, expected.minP) = (0.5, 0.7, 9, 0.125)
        (expected.typicalP, expected.topNSigma) = (0.75, 2)
        (expected.dynamicTemperatureRange, expected.dynamicTemperatureExponent) = (0.25, 2)
        (expected.xtcProbability, expected.xtcThreshold, expected.repetitionPenalty) = (0.5, 0.25, 1.5)
        (expected.presencePenalty, expected.frequencyPenalty, expected.penaltyLastN) = (0.5, -0.5, 33)
        (expected.dryMultiplier, expected.dryBase, expected.dryAllowedLength, expected.dryPenaltyLastN) = (0.5, 2, 3, 44)
        (expected.noRepeatNGram, expected.minTokens, expected.stopTokens) = (4, 2, [7])
        (expected.ignoresEndOfGeneration, expected.logitBias, expected.logprobs) = (true, [5: 1.5, 6: -.infinity], 2)
        (expected.mirostatTau, expected.mirostatEta, expected.adaptiveDecay) = (4, 0.5, 0.5)
        expected.order = [.penalties, .dry, .topNSigma, .topK, .typicalP, .topP, .minP, .xtc, .temperature]
        #expect(task.sampling == expected)
        #expect(task.prompts == [[5, 6]] && task.samples == 3 && task.choices == 3)
        #expect(task.seed == .max && task.stop == ["x"] && task.maximumTokens == 9)
        let request = task.request(choice: 2, model: try Self.served.get())
        #expect(request.sampleIndex == 2 && request.prompt == [5, 6] && request.stop != nil)
    }

    /// Body, then the caller's defaults, then the model's recommendation, then the API.
    @Test func whatIsNotSaidHasAnOrder() throws {
        #expect(try Self.completion("{\"prompt\":\"a\"}").sampling.temperature == 0.6)
        #expect(try Self.completion("{\"prompt\":\"a\"}").sampling.topP == 0.9)
        #expect(try Self.completion("{\"prompt\":\"a\"}").maximumTokens == 16)
        #expect(try Self.chat("{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}").maximumTokens == nil)
        var defaults = RequestDefaults()
        (defaults.temperature, defaults.maximumTokens, defaults.seed) = (0.3, 7, 5)
        let task = try Self.completion("{\"prompt\":\"a\"}", defaults)
        #expect(task.sampling.temperature == 0.3 && task.maximumTokens == 7 && task.seed == 5)
        let said = try Self.completion("{\"prompt\":\"a\",\"temperature\":0,\"max_tokens\":0,\"seed\":1}", defaults)
        #expect(said.sampling.temperature == 0 && said.maximumTokens == 0 && said.seed == 1)
    }

    @Test func conversationsGoThroughTheTemplate() throws {
        let served = try Self.served.get()
        let task = try Self.chat(
            """
            {"messages": [{"role": "system", "content": "Be kind."},
              {"role": "user", "content": [{"type": "text", "text": "Hello"}, {"type": "text", "text": "you"}]}],
             "max_completion_tokens": 5, "logprobs": true, "top_logprobs": 4, "chat_template_kwargs": {"mood": "!"},
             "metadata": {"a": "b"}, "store": false, "tools": [], "tool_choice": "none", "response_format": {"type": "text"}}
            """)
        let text = "<system>Be kind.<user>Hello\nyou!<bot>"
        #expect(task.prompts == [served.tokenizer.encode(text, special: true)])
        #expect(task.maximumTokens == 5 && task.sampling.logprobs == 4)
    }

    @Test(arguments: [
        ("{\"messages\":\"hi\"}", "messages"), ("{\"messages\":[7]}", "messages[0]"),
        ("{\"messages\":[{\"content\":\"a\"}]}", "messages[0].role"),
        ("{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\"}]}]}", "messages[0].content[0]"),
        ("{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"tools\":[{}]}", "tools"),
        ("{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"response_format\":{\"type\":\"json_object\"}}", "response_format"),
        ("{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"top_logprobs\":3}", "top_logprobs"),
        ("{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"max_tokens\":3,\"max_completion_tokens\":4}", "max_tokens"),
        ("{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"stream_options\":{}}", "stream_options"),
        ("{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"prompt\":\"a\"}", "prompt"),
    ]) func refusalsNameTheField(body: String, field: String) throws {
        do {
            _ = try Self.chat(body)
            Issue.record("\(body) was taken")
        } catch let error as APIError {
            #expect(error.parameter == field && error.status == 400 && !error.message.isEmpty)
        }
    }

    /// Runs a task alone and gives the body of its response as Foundation reads it.
    static func answer(_ task: GenerationTask) async throws -> [String: Any] {
        let served = try served.get()
        let model = try LanguageModel.load("builtin:stories")
        var choices: [ChoiceAssembler] = []
        for choice in 0..<task.choices {
            var assembler = ChoiceAssembler(task, choice: choice, model: served)
            var text = ""
            let request = task.request(choice: choice, model: served)
            for try await event in try model.engine.submit(request, endOfGeneration: served.endOfGeneration) {
                text += assembler.take(event)
            }
            #expect(text == assembler.text && assembler.isFinished)
            choices.append(assembler)
        }
        let header = ResponseHeader(id: "7", created: 9, model: "stories")
        return try #require(
            try JSONSerialization.jsonObject(with: Data(task.response(choices, header).jsonBytes)) as? [String: Any])
    }

    @Test func aChatResponseHasTheApisShape() async throws {
        let body = try await Self.answer(
            Self.chat(
                "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"max_tokens\":6,\"logprobs\":true,\"top_logprobs\":2,\"n\":2}"))
        #expect(body["object"] as? String == "chat.completion" && body["id"] as? String == "chatcmpl-7")
        #expect(body["created"] as? Int == 9 && body["model"] as? String == "stories")
        let choices = try #require(body["choices"] as? [[String: Any]])
        #expect(choices.map { $0["index"] as? Int } == [0, 1])
        for choice in choices {
            let message = try #require(choice["message"] as? [String: Any])
            #expect(message["role"] as? String == "assistant")
            let content = try #require((choice["logprobs"] as? [String: Any])?["content"] as? [[String: Any]])
            #expect(content.count == 6 && choice["finish_reason"] as? String == "length")
            let bytes = content.flatMap { $0["bytes"] as? [Int] ?? [] }.map { UInt8($0) }
            // An answer is a text of its own: no space at its beginning is lost, the bytes are the text.
            #expect(String(decoding: bytes, as: UTF8.self) == message["content"] as? String)
            for token in content {
                let top = try #require(token["top_logprobs"] as? [[String: Any]])
                #expect(top.count == 2)
                let logprob = try #require(token["logprob"] as? Double)
                #expect(try #require(top[0]["logprob"] as? Double) >= logprob - 1e-6)
            }
        }
        let usage = try #require(body["usage"] as? [String: Any])
        #expect(usage["completion_tokens"] as? Int == 12)
        #expect((usage["prompt_tokens_details"] as? [String: Any])?["cached_tokens"] as? Int == 0)
        #expect(
            usage["total_tokens"] as? Int == (usage["prompt_tokens"] as? Int ?? 0) + (usage["completion_tokens"] as? Int ?? 0))
    }

    @Test func anEchoedCompletionHasThePromptsLogprobs() async throws {
        let body = try await Self.answer(
            Self.completion(
                "{\"prompt\":[\"Once upon a time\",\"One day\"],\"max_tokens\":4,\"logprobs\":1,\"echo\":true,\"temperature\":0}"))
        let choices = try #require(body["choices"] as? [[String: Any]])
        #expect(choices.count == 2)
        for (choice, prompt) in zip(choices, ["Once upon a time", "One day"]) {
            let text = try #require(choice["text"] as? String)
            #expect(text.hasPrefix(prompt) && text.count > prompt.count)
            let logprobs = try #require(choice["logprobs"] as? [String: Any])
            let tokens = try #require(logprobs["tokens"] as? [String])
            let values = try #require(logprobs["token_logprobs"] as? [Any])
            let offsets = try #require(logprobs["text_offset"] as? [Int])
            #expect(values[0] is NSNull && values.dropFirst().allSatisfy { ($0 as? Double ?? 1) <= 0 })
            #expect(tokens.count == values.count && tokens.count == offsets.count)
            // Each token but the first, which begins the text, stands where its offset says.
            let scalars = Array(text.unicodeScalars)
            for (token, offset) in zip(tokens, offsets).dropFirst() {
                #expect(Array(scalars[offset...].prefix(token.unicodeScalars.count)) == Array(token.unicodeScalars))
            }
        }
    }

    @Test func jsonIsWrittenAsItIsRead() throws {
        let text = "quote \" back \\ line \n tab \t nul \0 bell \u{7} é 漢 🐟 \u{2028} /"
        let value = JSONValue.members([
            "text": .string(text), "list": .array([.integer(.min), .integer(.max), .number(0.1), .bool(true), .null]),
            "float": .float(0.1), "tiny": .float(.leastNonzeroMagnitude), "nan": .float(.nan), "empty": .members([:]),
        ])
        let read = try #require(
            try JSONSerialization.jsonObject(with: Data(value.jsonBytes)) as? [String: Any])
        #expect(read["text"] as? String == text)
        #expect((read["list"] as? [Any])?[1] as? Int == .max)
        #expect(value.jsonText.contains("\"float\":0.1,") && read["nan"] is NSNull)
        #expect(Float(read["tiny"] as? Double ?? 0) == .leastNonzeroMagnitude)
        let again = try JSONValue(parsing: value.jsonBytes)
        #expect(again.jsonBytes == value.jsonBytes)
    }

    @Test func vectorsAreWrittenInBothWays() throws {
        let served = try Self.served.get()
        for count in 1...5 {
            let vector = (0..<count).map { Float($0) * 0.37 - 1 }
            let task = try EmbeddingTask(
                JSONValue(parsing: Array("{\"input\":\"a\",\"encoding_format\":\"base64\"}".utf8)), model: served)
            let text = try #require(task.response([vector], model: "m")["data"]?.arrayValue?[0]["embedding"]?.stringValue)
            let data = vector.reduce(into: Data()) { data, value in
                withUnsafeBytes(of: value.bitPattern.littleEndian) { data.append(contentsOf: $0) }
            }
            #expect(text == data.base64EncodedString())
        }
        let plain = try EmbeddingTask(JSONValue(parsing: Array("{\"input\":[\"a\",[5,6]]}".utf8)), model: served)
        #expect(plain.inputs.count == 2 && plain.inputs[1] == [5, 6] && plain.pooling == .last)
        let data = plain.response([[0.5], [-1]], model: "m")["data"]?.arrayValue
        #expect(data?.map { $0["embedding"]?.arrayValue?[0].doubleValue } == [0.5, -1])
    }
}
