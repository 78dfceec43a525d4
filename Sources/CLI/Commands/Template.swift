internal import Apus
internal import ArgumentParser
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

    @Argument(help: ArgumentHelp("A model, or a Jinja template file.", valueName: "template-or-model")) var source:
        String
    @Option(help: ArgumentHelp("A JSON file of messages.", valueName: "file")) var messages: String
    @Option(help: ArgumentHelp("A JSON file with an array of tool definitions.", valueName: "file")) var tools: String?
    @Flag(help: "Leave out the prompt for the assistant's answer.") var noGenerationPrompt = false
    @Option(help: ArgumentHelp("What bos_token stands for; by default the model's.", valueName: "t")) var bosToken:
        String?
    @Option(help: ArgumentHelp("What eos_token stands for; by default the model's.", valueName: "t")) var eosToken:
        String?

    func run() throws {
        var bos = bosToken
        var eos = eosToken
        let text: String
        if let template = try templateFile() {
            text = template
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
            throw InputError(
                file: messages, reason: "this is neither an array of messages nor an object with \"messages\"")
        }
        var definitions = conversation["tools"]?.arrayValue
        if let tools {
            guard let listed = try parse(tools).arrayValue else {
                throw InputError(file: tools, reason: "this is not an array of tool definitions")
            }
            definitions = listed
        }
        let rendered = try ChatTemplate(text).render(
            messages: turns, tools: definitions, addGenerationPrompt: !noGenerationPrompt, bosToken: bos, eosToken: eos)
        Console.write(rendered)
    }

    /// The source as a template; nil where it is a model. Text that is no model's file is a template under any name.
    private func templateFile() throws -> String? {
        let lowercased = source.lowercased()
        let models = [".gguf", ".safetensors", ".safetensors.index.json"]
        if source.hasPrefix(BuiltInModels.scheme) || models.contains(where: lowercased.hasSuffix) { return nil }
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: source, isDirectory: &isFolder) else {
            throw InputError(
                file: source, reason: "there is no file or folder of this name; give a model or a template file")
        }
        if isFolder.boolValue { return nil }
        let bytes = try Console.read(source)
        if bytes.starts(with: Array("GGUF".utf8)) { return nil }
        return try Console.text(bytes, of: source)
    }

    private func parse(_ file: String) throws -> JSONValue {
        let bytes = try Console.read(file)
        do throws(JSONError) { return try JSONValue(parsing: bytes) } catch {
            throw InputError(file: file, reason: error.description)
        }
    }
}
