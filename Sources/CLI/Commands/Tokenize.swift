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

    @Argument(
        help: ArgumentHelp("A model, a vocabulary-only GGUF, tokenizer.json or tokenizer.model.", valueName: "model"))
    var model: String
    @Flag(help: "Print {\"ids\": [...]}, or with --decode {\"text\": \"...\"}.") var json = false
    @Flag(help: "Read ids and print their text.") var decode = false
    @Flag(help: "Parse special tokens in the text.") var special = false
    @Flag(help: "Add what the tokenizer's own post-processing adds, such as a beginning-of-text token.") var bos = false

    func run() throws {
        let tokenizer = try TokenizerFiles.open(model)
        let input = try Console.readInput()
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
        let words: [String]
        let value = try? JSONValue(parsing: input)
        if let array = value?.arrayValue ?? value?["ids"]?.arrayValue {
            words = array.map { entry in
                entry.intValue.map(String.init) ?? entry.doubleValue.map { "\($0)" } ?? entry.stringValue ?? "an entry"
            }
        } else {
            words = String(decoding: input, as: UTF8.self)
                .split(whereSeparator: { $0 == "," || $0.isWhitespace }).map(String.init)
        }
        return try words.map { word in
            guard let id = Int32(word) else {
                throw InputError(file: "standard input", reason: "'\(word)' is not a token id; give whole numbers")
            }
            guard id >= 0, Int(id) < limit else {
                throw InputError(
                    file: "standard input", reason: "token id \(id) is not in 0..<\(limit), the vocabulary of \(model)")
            }
            return id
        }
    }
}
