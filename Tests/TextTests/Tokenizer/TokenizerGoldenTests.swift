import Foundation
import Testing

@testable import Text

/// Files that the Python libraries wrote: tiny tokenizers, texts, and the ids and text expected of them.
enum TokenizerGoldens {
    static let folder = Bundle.module.resourceURL!.appendingPathComponent("Goldens/tokenizers")

    static func bytes(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: folder.appendingPathComponent(name)))
    }

    static func json(_ name: String) throws -> JSONValue { try JSONValue(parsing: bytes(name)) }

    static let texts: [String] = (try? json("texts.json").arrayValue?.compactMap(\.stringValue)) ?? []

    static let names: [String] = {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return files.filter { $0.hasSuffix(".expected.json") }.map { String($0.dropLast(14)) }.sorted()
    }()

    static let jsonNames = names.filter { !$0.hasPrefix("sp-") && $0 != "ranks" }

    static func tokenizer(_ name: String) throws -> Tokenizer {
        if name == "ranks" {
            return try Tokenizer(
                tiktoken: bytes("ranks.tiktoken"), pattern: String(decoding: bytes("ranks.pattern"), as: UTF8.self),
                specialTokens: [])
        }
        return name.hasPrefix("sp-")
            ? try Tokenizer(sentencePiece: bytes(name + ".model"), config: nil)
            : try Tokenizer(json: bytes(name + ".json"), config: nil)
    }

    static func ids(_ value: JSONValue?) -> [[Int32]] {
        value?.arrayValue?.map { $0.arrayValue?.compactMap { $0.intValue.map { Int32($0) } } ?? [] } ?? []
    }

    static func strings(_ value: JSONValue?) -> [String] { value?.arrayValue?.compactMap(\.stringValue) ?? [] }
}

@Suite struct TokenizerGoldenTests {
    @Test func everyFamilyIsThere() {
        #expect(TokenizerGoldens.names.count >= 33)
        #expect(TokenizerGoldens.texts.count >= 100)
    }

    @Test(arguments: TokenizerGoldens.names)
    func idsAndText(_ name: String) throws {
        let tokenizer = try TokenizerGoldens.tokenizer(name)
        let golden = try TokenizerGoldens.json(name + ".expected.json")
        let ids = TokenizerGoldens.ids(golden["ids"])
        let decoded = TokenizerGoldens.strings(golden["decoded"])
        #expect(ids.count == TokenizerGoldens.texts.count && decoded.count == ids.count)
        // The Python libraries find special tokens in text; SentencePiece and tiktoken's plain mode do not.
        let special = !name.hasPrefix("sp-") && name != "ranks"
        for (index, text) in TokenizerGoldens.texts.enumerated() {
            #expect(tokenizer.encode(text, special: special) == ids[index], "\(name): \(text.debugDescription)")
            let found = tokenizer.decodeText(ids[index], skipSpecial: name.hasPrefix("sp-"))
            #expect(found.utf8.elementsEqual(decoded[index].utf8), "\(name): \(found.debugDescription)")
        }
    }

    @Test(arguments: TokenizerGoldens.jsonNames)
    func specialTokensAndPostProcessing(_ name: String) throws {
        let tokenizer = try TokenizerGoldens.tokenizer(name)
        let golden = try TokenizerGoldens.json(name + ".expected.json")
        let added = TokenizerGoldens.ids(golden["withSpecial"])
        let plain = TokenizerGoldens.ids(golden["plain"])
        let skipped = TokenizerGoldens.strings(golden["skipped"])
        #expect(added.count == 40 && plain.count == 40 && skipped.count == 40)
        for (index, text) in TokenizerGoldens.texts.prefix(40).enumerated() {
            #expect(tokenizer.encode(text, special: true, addSpecialTokens: true) == added[index], "\(name)")
            #expect(tokenizer.encode(text) == plain[index], "\(name): \(text.debugDescription)")
            #expect(tokenizer.decodeText(added[index]).utf8.elementsEqual(skipped[index].utf8), "\(name)")
        }
    }

    @Test(arguments: TokenizerGoldens.names)
    func streamingGivesTheSameText(_ name: String) throws {
        let tokenizer = try TokenizerGoldens.tokenizer(name)
        let golden = try TokenizerGoldens.json(name + ".expected.json")
        for ids in TokenizerGoldens.ids(golden["ids"]) {
            var detokenizer = StreamingDetokenizer(tokenizer, skipSpecial: false)
            var text = ""
            for id in ids { text += detokenizer.push(id) }
            text += detokenizer.finish()
            let whole = String(decoding: tokenizer.decode(ids, skipSpecial: false), as: UTF8.self)
            #expect(text.utf8.elementsEqual(whole.utf8), "\(name): \(text.debugDescription)")
        }
    }

    @Test(arguments: [
        "bytelevel-gpt2", "split-llama3", "split-o200k", "spm-prepend", "sp-bpe-fallback", "sp-unigram-fallback",
    ])
    func anyBytesComeBack(_ name: String) throws {
        let tokenizer = try TokenizerGoldens.tokenizer(name)
        var state: UInt64 = 7
        for _ in 0..<300 {
            var bytes: [UInt8] = [0x41]
            for _ in 0..<40 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                let byte = UInt8(truncatingIfNeeded: state >> 56)
                bytes.append(state >> 33 & 3 == 0 ? byte : byte & 0x7F)
            }
            let ids = tokenizer.encode(bytes)
            #expect(tokenizer.decode(ids, skipSpecial: false) == bytes)
        }
    }

    @Test(arguments: ["bytelevel-gpt2", "split-llama3", "spm-prepend", "sp-bpe-fallback"])
    func longRunsComeBack(_ name: String) throws {
        let tokenizer = try TokenizerGoldens.tokenizer(name)
        for byte in [UInt8(ascii: "a"), 0x20, 0x0A, UInt8(ascii: "7"), 0x80] {
            let text = [UInt8](repeating: byte, count: 100_000)
            #expect(tokenizer.decode(tokenizer.encode(text), skipSpecial: false) == text)
        }
    }

    @Test func theCacheChangesNothing() throws {
        let tokenizer = try TokenizerGoldens.tokenizer("split-llama3")
        let text = TokenizerGoldens.texts.joined(separator: "\n\n")
        let once = tokenizer.encode(text)
        #expect(tokenizer.encode(text) == once)
        let thrice = tokenizer.encode(text + "\nq" + text)
        #expect(thrice.starts(with: once.dropLast(8)))
    }

    @Test func rolesAndTemplates() throws {
        let config = """
            {"bos_token": "<s>", "eos_token": {"content": "</s>"}, "unk_token": "<unk>", "pad_token": null,
             "chat_template": [{"name": "tool", "template": "T"}, {"name": "default", "template": "D"}]}
            """
        let tokenizer = try Tokenizer(
            json: TokenizerGoldens.bytes("split-llama3.json"), config: Array(config.utf8))
        #expect(tokenizer.bosID == 1 && tokenizer.eosID == 2 && tokenizer.unkID == 0 && tokenizer.padID == nil)
        #expect(tokenizer.bosToken == "<s>" && tokenizer.eosToken == "</s>")
        #expect(tokenizer.eosIDs == [2] && tokenizer.isSpecial(2) && !tokenizer.isSpecial(40))
        #expect(tokenizer.chatTemplate == "D" && tokenizer.namedChatTemplates.count == 2)
        #expect(tokenizer.id(of: Array("</s>".utf8)) == 2 && tokenizer.token(of: 1) == Array("<s>".utf8))
        #expect(tokenizer.bytes(of: Int32(tokenizer.vocabularySize)) == nil && tokenizer.bytes(of: -1) == nil)
        let model = try Tokenizer(
            sentencePiece: TokenizerGoldens.bytes("sp-bpe-fallback.model"),
            config: Array(#"{"add_bos_token": true, "add_eos_token": true, "chat_template": "X"}"#.utf8))
        #expect(model.encode("", addSpecialTokens: true) == [1, 2] && model.chatTemplate == "X")
    }
}
