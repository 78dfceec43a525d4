import Apus
import Checkpoints
import Foundation
import Inference
import Testing
import Text

/// The library as a program that embeds it meets it.
@Suite struct BuiltInModelTests {
    struct Answer: Equatable {
        var text = ""
        var pieces: [String] = []
        var ids: [Int32] = []
        var logprobs: [Float] = []
        var reason: FinishReason?
    }

    static let model = Result { try load() }

    static func load(_ change: (inout EngineConfiguration) -> Void = { _ in }) throws -> LanguageModel {
        var configuration = EngineConfiguration()
        change(&configuration)
        return try LanguageModel.load("builtin:stories", configuration: configuration)
    }

    static func options(_ tokens: Int = 24, temperature: Float = 1, seed: UInt64 = 0) -> GenerationOptions {
        var options = GenerationOptions(maximumTokens: tokens, seed: seed)
        options.sampling.temperature = temperature
        options.sampling.logprobs = 0
        return options
    }

    static func collect(_ stream: AsyncThrowingStream<TextEvent, any Error>) async throws -> Answer {
        var answer = Answer()
        for try await event in stream {
            switch event {
            case .text(let piece):
                answer.pieces.append(piece.text)
                answer.ids.append(piece.token.id)
                if let logprob = piece.token.logprob { answer.logprobs.append(logprob) }
            case .finished(let result):
                answer.pieces.append(result.rest)
                answer.reason = result.reason
            }
        }
        answer.text = answer.pieces.joined()
        return answer
    }

    static func tell(_ prompt: String, _ options: GenerationOptions) async throws -> Answer {
        try await collect(try model.get().generate(prompt, options: options))
    }

    @Test func everyBuiltInModelOpens() throws {
        for entry in BuiltInModels.all where entry.path != nil {
            let path = try #require(try BuiltInModels.path(of: BuiltInModels.scheme + entry.name))
            #expect(path == entry.path && FileManager.default.fileExists(atPath: path))
            #expect(try ModelFiles(BuiltInModels.scheme + entry.name).network().shape.parameters > 0)
            _ = try TokenizerFiles.open(BuiltInModels.scheme + entry.name)
        }
        #expect(BuiltInModels.all.allSatisfy { !$0.summary.isEmpty })
        #expect(Set(BuiltInModels.all.map(\.name)).count == BuiltInModels.all.count)
        #expect(try BuiltInModels.path(of: "model.gguf") == nil)
        #expect(throws: CheckpointError.self) { try LanguageModel.load("builtin:none") }
    }

    @Test func modelsAreLookedForInOrder() {
        func folders(_ environment: [String: String], _ executable: String, _ current: String) -> [String] {
            BuiltInModels.folders(environment: environment, executable: executable, current: current)
        }
        #expect(
            folders([:], "/opt/apus/bin/apus", "/home/anna")
                == ["/opt/apus/bin/Models", "/opt/apus/share/apus/Models", "/home/anna/Models"])
        #expect(
            folders([:], "/src/apus/.build/x86/release/apus", "/src/apus")
                == [
                    "/src/apus/.build/x86/release/Models", "/src/apus/.build/x86/share/apus/Models", "/src/apus/Models",
                ])
        // The variable alone counts, unless it is empty.
        #expect(folders(["APUS_MODELS": "/models"], "/usr/bin/apus", "/") == ["/models"])
        #expect(folders(["APUS_MODELS": ""], "/usr/bin/apus", "/").last == "/Models")
    }

    @Test func theSameRequestGivesTheSameAnswer() async throws {
        let first = try await Self.tell("Once upon a time", Self.options(seed: 7))
        #expect(first.ids.count == 24 || first.reason == .stop)
        #expect(first.logprobs.count == first.ids.count)
        #expect(try await Self.tell("Once upon a time", Self.options(seed: 7)) == first)
        // Another engine, other threads, in company.
        let other = try Self.load { $0.threads = 1 }
        async let company = Self.collect(try other.generate("A dog", options: Self.options(seed: 1)))
        #expect(try await Self.collect(try other.generate("Once upon a time", options: Self.options(seed: 7))) == first)
        _ = try await company
    }

    @Test func seedsAndSamplesDiffer() async throws {
        var answers: Set<[Int32]> = []
        for seed in 0..<4 as Range<UInt64> {
            for sample in 0..<2 as Range<UInt32> {
                var options = Self.options(seed: seed)
                options.sampleIndex = sample
                answers.insert(try await Self.tell("Once upon a time", options).ids)
            }
        }
        // 24 draws at temperature 1 that agree by chance are rarer than a bit error.
        #expect(answers.count == 8)
        let greedy = try await Self.tell("Once upon a time", Self.options(temperature: 0, seed: 1)).ids
        #expect(try await Self.tell("Once upon a time", Self.options(temperature: 0, seed: 2)).ids == greedy)
    }

    @Test func piecesJoinToTheWholeText() async throws {
        let tokenizer = try Self.model.get().tokenizer
        for seed in 0..<6 as Range<UInt64> {
            let prompt = try Self.model.get().tokens(of: "The red bird")
            let answer = try await Self.tell("The red bird", Self.options(40, temperature: 1.5, seed: seed))
            #expect(tokenizer.decodeText(prompt) + answer.text == tokenizer.decodeText(prompt + answer.ids))
        }
    }

    @Test func stopTextsEndTheAnswer() async throws {
        var options = Self.options(40, temperature: 0)
        let whole = try await Self.tell("Once upon a time", options)
        // Every part of the text that is not in it before: whatever tokens it spans, the answer ends before it.
        let characters = Array(whole.text)
        for start in stride(from: 0, to: characters.count - 6, by: 5) {
            let stop = String(characters[start..<start + 6])
            options.stop = ["never said", stop]
            let answer = try await Self.tell("Once upon a time", options)
            let end = try #require(whole.text.range(of: stop))
            #expect(answer.text == whole.text[..<end.lowerBound], "stop '\(stop)'")
            #expect(answer.reason == .stop)
            #expect(answer.ids == Array(whole.ids.prefix(answer.ids.count)))
        }
        options.stop = ["Once upon"]
        #expect(try await Self.tell("Once upon a time", options) == whole)
    }

    @Test func limitsAreKept() async throws {
        #expect(try await Self.tell("A cat", Self.options(0)).ids.isEmpty)
        #expect(try await Self.tell("A cat", Self.options(1)).reason == .length)
        let small = try Self.load { $0.context = 12 }
        let prompt = small.tokens(of: "A cat")
        var options = Self.options()
        options.maximumTokens = nil
        options.sampling.ignoresEndOfGeneration = true
        let answer = try await Self.collect(try small.generate("A cat", options: options))
        #expect(prompt.count + answer.ids.count == 12)
        #expect(answer.reason == .length)
        #expect(throws: EngineError.contextOverflow(prompt: 13, context: 12)) {
            try small.generate(tokens: [Int32](repeating: 5, count: 13))
        }
        #expect(throws: EngineError.emptyPrompt) { try small.generate(tokens: []) }
        #expect(throws: EngineError.negativeLimit(-1)) { try small.generate("A cat", options: Self.options(-1)) }
    }

    @Test func aConversationNeedsATemplate() throws {
        let model = try Self.model.get()
        #expect(model.template == nil)
        let error = #expect(throws: MissingTemplate.self) { try model.chat([ChatMessage(role: "user", content: "Hi")]) }
        #expect(error?.description.contains("no chat template") == true)
    }
}
