internal import Apus
internal import ArgumentParser
internal import Checkpoints
internal import Foundation
internal import Text

struct Template: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prints a conversation as a model's chat template writes it.",
        discussion: """
            The messages file holds a JSON array of {"role", "content", …} objects, or an object with "messages" and
            optionally "tools".

            apus template model.gguf --messages messages.json
            apus template chat.jinja --messages messages.json --bos-token '<s>' --eos-token '</s>'
            """)

    @Argument(help: ArgumentHelp("A model, or a Jinja template file.", valueName: "template-or-model")) var source: String
    @Option(help: ArgumentHelp("A JSON file of messages.", valueName: "file")) var messages: String
    @Option(help: ArgumentHelp("A JSON file with an array of tool definitions.", valueName: "file")) var tools: String?
    @Flag(help: "Leave out the prompt for the assistant's answer.") var noGenerationPrompt = false
    @Option(help: ArgumentHelp("What bos_token stands for; by default the model's.", valueName: "t")) var bosToken: String?
    @Option(help: ArgumentHelp("What eos_token stands for; by default the model's.", valueName: "t")) var eosToken: String?

    func run() throws {
        var bos = bosToken
        var eos = eosToken
        let text: String
        if source.hasSuffix(".jinja") || source.hasSuffix(".j2") || source.hasSuffix(".txt") {
            text = String(decoding: try read(source), as: UTF8.self)
        } else {
            let files = try ModelFiles(source)
            let tokenizer = try files.tokenizer()
            guard let template = try files.template(tokenizer) else { throw MissingTemplate(model: source) }
            text = template
            bos = bos ?? tokenizer.bosToken
            eos = eos ?? tokenizer.eosToken
        }
        let conversation = try parse(messages)
        guard let turns = conversation.arrayValue ?? conversation["messages"]?.arrayValue else {
            throw CheckpointError(
                file: messages, reason: "this is neither an array of messages nor an object with \"messages\"")
        }
        var definitions = conversation["tools"]?.arrayValue
        if let tools {
            guard let listed = try parse(tools).arrayValue else {
                throw CheckpointError(file: tools, reason: "this is not an array of tool definitions")
            }
            definitions = listed
        }
        let rendered = try ChatTemplate(text).render(
            messages: turns, tools: definitions, addGenerationPrompt: !noGenerationPrompt, bosToken: bos, eosToken: eos)
        Console.write(rendered)
    }

    private func read(_ file: String) throws -> [UInt8] {
        guard let data = FileManager.default.contents(atPath: file) else {
            throw CheckpointError(file: file, reason: "the file cannot be read; check the path and its permissions")
        }
        return [UInt8](data)
    }

    private func parse(_ file: String) throws -> JSONValue {
        let bytes = try read(file)
        do throws(JSONError) { return try JSONValue(parsing: bytes) } catch {
            throw CheckpointError(file: file, reason: error.description)
        }
    }
}
