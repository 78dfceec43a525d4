import Checkpoints
import Foundation
import Testing
import Text

@testable import Apus

/// Tokenizers from folders and bare files, and text that goes on from a prompt.
@Suite struct TokenizerFilesTests {
    struct Case: Decodable {
        var text: String
        var ids: [Int32]
        var ids_with_bos: [Int32]
    }

    static let goldens = Bundle.module.bundleURL.appendingPathComponent("Goldens/sentencepiece")
    static let cases: [Case] =
        (try? Data(contentsOf: goldens.appendingPathComponent("golden.json")))
        .flatMap { try? JSONDecoder().decode([Case].self, from: $0) } ?? []

    /// A folder with the tokenizer under its usual name and other files.
    private func folder(_ files: [String: String]) throws -> String {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("apus-tests-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try FileManager.default.copyItem(
            at: Self.goldens.appendingPathComponent("tokenizer.model"),
            to: folder.appendingPathComponent("tokenizer.model"))
        for (name, text) in files { try Data(text.utf8).write(to: folder.appendingPathComponent(name)) }
        return folder.path
    }

    @Test func aLlamaFolderBeginsTextsByDefault() throws {
        try #require(Self.cases.count >= 8)
        let path = try folder(["config.json": #"{"model_type": "llama"}"#])
        defer { try? FileManager.default.removeItem(atPath: path) }
        for place in [path, path + "/tokenizer.model"] {
            let tokenizer = try TokenizerFiles.open(place)
            for golden in Self.cases {
                #expect(tokenizer.encode(golden.text) == golden.ids)
                #expect(tokenizer.encode(golden.text, addSpecialTokens: true) == golden.ids_with_bos)
            }
        }
    }

    @Test(arguments: [
        ([:], false),
        (["config.json": #"{"model_type": "t5"}"#], false),
        (["config.json": #"{"model_type": "llama"}"#, "tokenizer_config.json": "{}"], true),
        (["config.json": #"{"model_type": "llama"}"#, "tokenizer_config.json": #"{"add_bos_token": false}"#], false),
        (["tokenizer_config.json": #"{"add_bos_token": true}"#], true),
    ]) func theConfigurationRules(_ files: [String: String], _ begins: Bool) throws {
        let path = try folder(files)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let golden = try #require(Self.cases.first)
        let ids = try TokenizerFiles.open(path).encode(golden.text, addSpecialTokens: true)
        #expect(ids == (begins ? golden.ids_with_bos : golden.ids))
    }

    @Test func builtInModelsHaveATokenizer() throws {
        let tokenizer = try TokenizerFiles.open(BuiltInModels.standard)
        #expect(String(decoding: tokenizer.decode(tokenizer.encode("One day")), as: UTF8.self) == "One day")
    }

    @Test func refusalsNameTheFile() throws {
        let path = try folder([
            "tokenizer.json": "{}", "other.json": "[", "empty.json": "", "ranks.tiktoken": "x", "text": "x",
        ])
        defer { try? FileManager.default.removeItem(atPath: path) }
        for name in ["", "/other.json", "/empty.json", "/ranks.tiktoken", "/text", "/missing"] {
            let error = #expect(throws: CheckpointError.self) { try TokenizerFiles.open(path + name) }
            let sentence = try #require(error?.description)
            #expect(sentence.hasPrefix(path + name), "\(sentence)")
            #expect(!sentence.contains("\n"))
        }
    }

    /// prompt + pieces = the whole text, wherever the prompt ends.
    @Test(arguments: [true, false]) func textGoesOnFromThePrompt(_ isSentencePiece: Bool) throws {
        let tokenizer = try TokenizerFiles.open(
            isSentencePiece ? Self.goldens.appendingPathComponent("tokenizer.model").path : BuiltInModels.standard)
        for text in ["the cat sat on the mat", "One day, Tom found a key.", "a  b é 語 👍🏽 end", "\n\n the"] {
            let ids = tokenizer.encode(text, addSpecialTokens: true)
            for cut in 1..<ids.count {
                let prompt = tokenizer.decodeText(Array(ids[..<cut]))
                // A prompt that ends inside a character has no text of its own.
                guard tokenizer.decodeText(ids).utf8.starts(with: prompt.utf8) else { continue }
                var assembler = TextAssembler(tokenizer, stop: [], after: Array(ids[..<cut]))
                var answer = ""
                for id in ids[cut...] { answer += assembler.push(id) }
                answer += assembler.finish()
                #expect(prompt + answer == tokenizer.decodeText(ids), "\(text) cut at \(cut)")
            }
        }
    }

    @Test func aSpaceBetweenPromptAndAnswerStays() throws {
        let tokenizer = try TokenizerFiles.open(Self.goldens.appendingPathComponent("tokenizer.model").path)
        let ids = tokenizer.encode("the cat")
        var continued = TextAssembler(tokenizer, stop: [], after: tokenizer.encode("the"))
        var alone = TextAssembler(tokenizer, stop: [])
        #expect(ids.dropFirst().reduce("") { $0 + continued.push($1) } + continued.finish() == " cat")
        #expect(ids.dropFirst().reduce("") { $0 + alone.push($1) } + alone.finish() == "cat")
    }
}
