internal import Apus
internal import ArgumentParser
internal import Checkpoints
internal import Foundation
internal import Text

struct Tokenize: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Turns text into token ids, or ids into text.",
        discussion: """
            Standard input is taken byte for byte. Without flags special tokens written in the text are plain text and
            nothing is added. With --decode, ids are read from standard input, separated by spaces, commas or lines, or
            as a JSON array or an object with "ids".

            printf 'Hello world' | apus tokenize tokenizer.json --json
            """)

    @Argument(help: ArgumentHelp("A model, a vocabulary-only GGUF, tokenizer.json or tokenizer.model.", valueName: "model"))
    var model: String
    @Flag(help: "Print {\"ids\": [...]}, or with --decode {\"text\": \"...\"}.") var json = false
    @Flag(help: "Read ids and print their text.") var decode = false
    @Flag(help: "Parse special tokens in the text.") var special = false
    @Flag(help: "Add what the tokenizer's own post-processing adds, such as a beginning-of-text token.") var bos = false

    func run() throws {
        let tokenizer = try openTokenizer(model)
        let input = Console.readInput()
        if decode {
            let text = tokenizer.decode(try ids(in: input, limit: tokenizer.vocabularySize), skipSpecial: false)
            if json {
                Console.write(try Console.json(["text": String(decoding: text, as: UTF8.self)]) + "\n")
            } else {
                Console.write(text)
            }
            return
        }
        let ids = tokenizer.encode(input, special: special, addSpecialTokens: bos)
        if json {
            Console.write("{\"ids\":[" + ids.map(String.init).joined(separator: ",") + "]}\n")
        } else {
            Console.write(ids.map(String.init).joined(separator: " ") + "\n")
        }
    }

    private func ids(in input: [UInt8], limit: Int) throws -> [Int32] {
        let text = String(decoding: input, as: UTF8.self)
        var listing = Substring(text)
        if let value = try? JSONValue(parsing: input) {
            let array = value.arrayValue ?? value["ids"]?.arrayValue
            if let array {
                listing = Substring(array.map { $0.intValue.map(String.init) ?? "?" }.joined(separator: " "))
            }
        }
        return try listing.split(whereSeparator: { $0 == "," || $0.isWhitespace }).map { word in
            guard let id = Int32(word) else {
                throw ValidationError("'\(word)' is not a token id; give whole numbers.")
            }
            guard id >= 0, Int(id) < limit else {
                throw ValidationError("token id \(id) is not in 0..<\(limit), the vocabulary of \(model).")
            }
            return id
        }
    }
}

/// A tokenizer from whatever holds one: a model, a bare tokenizer file, a vocabulary-only GGUF.
func openTokenizer(_ path: String) throws -> Tokenizer {
    let builtIn = try BuiltInModels.path(of: path)
    var isFolder: ObjCBool = false
    guard builtIn != nil || FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
        throw CheckpointError(
            file: path, reason: "there is no such file; give a model, a tokenizer.json or a vocabulary-only GGUF")
    }
    if builtIn == nil, isFolder.boolValue { return try TokenizerFolder(path).tokenizer() }
    if path.hasSuffix(".json") || path.hasSuffix(".model") || path.hasSuffix(".tiktoken") {
        return try TokenizerFolder.tokenizer(file: path)
    }
    return try ModelFiles(path).tokenizer()
}

/// Tokenizer files of a folder that need no weights beside them.
private struct TokenizerFolder {
    let path: String

    init(_ path: String) { self.path = path }

    func tokenizer() throws -> Tokenizer {
        for name in ["tokenizer.json", "tokenizer.model"] {
            let file = path + "/" + name
            if FileManager.default.fileExists(atPath: file) { return try Self.tokenizer(file: file) }
        }
        throw CheckpointError(file: path, reason: "the folder has neither tokenizer.json nor tokenizer.model")
    }

    static func tokenizer(file: String) throws -> Tokenizer {
        let bytes = try read(file)
        let config = try? read((file as NSString).deletingLastPathComponent + "/tokenizer_config.json")
        if file.hasSuffix(".json") { return try Tokenizer(json: bytes, config: config) }
        if file.hasSuffix(".tiktoken") {
            throw CheckpointError(
                file: file, reason: "a rank file alone does not say how text is split; use the model's tokenizer.json")
        }
        return try Tokenizer(sentencePiece: bytes, config: config)
    }

    private static func read(_ file: String) throws -> [UInt8] {
        guard let data = FileManager.default.contents(atPath: file) else {
            throw CheckpointError(file: file, reason: "the file cannot be read; check its permissions")
        }
        return [UInt8](data)
    }
}
