public import Checkpoints
internal import Foundation
public import Text

/// The files that describe a tokenizer, as they lie in a model's folder or alone.
public struct TokenizerFiles: Sendable {
    private var json: [UInt8]?
    private var sentencePiece: [UInt8]?
    private var config: [UInt8]?
    private var modelType: String?

    init(json: [UInt8]?, sentencePiece: [UInt8]?, config: [UInt8]?, modelType: String?) {
        self.json = json
        self.sentencePiece = sentencePiece
        self.config = config
        self.modelType = modelType
    }

    /// The tokenizer of whatever holds one; weights are not needed.
    ///
    /// - Parameter name: a GGUF file with or without weights, a `tokenizer.json` or SentencePiece model under any name,
    ///   a folder with one of them, or a built-in model.
    /// - Throws: `CheckpointError` where there is none, or its description is damaged or of an unknown kind.
    /// - Complexity: O(bytes of the description).
    public static func open(_ name: String) throws(CheckpointError) -> Tokenizer {
        if name.hasPrefix(BuiltInModels.scheme) { return try ModelFiles(name).tokenizer() }
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: name, isDirectory: &isFolder) else {
            throw CheckpointError(
                file: name,
                reason:
                    "there is no file or folder of this name; give a model, a tokenizer.json, a tokenizer.model or a "
                    + "vocabulary-only GGUF")
        }
        if isFolder.boolValue { return try openFolder(name) }
        let lowercased = name.lowercased()
        if lowercased.hasSuffix(".tiktoken") {
            throw CheckpointError(
                file: name,
                reason: "a rank file alone does not say how text is split; use the model's tokenizer.json or GGUF")
        }
        let isModel = [".gguf", ".safetensors", ".safetensors.index.json"].contains { lowercased.hasSuffix($0) }
        if isModel { return try ModelFiles(name).tokenizer() }
        let bytes = try MappedFile(path: name).copy()
        let begins = bytes.first { !($0 == 0x20 || (0x09...0x0D).contains($0)) }
        let isJSON = lowercased.hasSuffix(".json") || begins == UInt8(ascii: "{")
        guard isJSON || lowercased.hasSuffix(".model") else { return try ModelFiles(name).tokenizer() }
        // Other files of the folder need not belong to a tokenizer that goes by a name of its own.
        let plain = (name as NSString).lastPathComponent
        let isUsual = plain == "tokenizer.json" || plain == "tokenizer.model"
        let folder = (name as NSString).deletingLastPathComponent
        return try TokenizerFiles(
            json: isJSON ? bytes : nil, sentencePiece: isJSON ? nil : bytes,
            config: isUsual ? try file("tokenizer_config.json", folder) : nil,
            modelType: isUsual ? try modelType(folder) : nil
        ).tokenizer(of: name)
    }

    private static func openFolder(_ folder: String) throws(CheckpointError) -> Tokenizer {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        guard names.contains("tokenizer.json") || names.contains("tokenizer.model"),
            !names.contains(where: { $0.lowercased().hasSuffix(".gguf") })
        else { return try ModelFiles(folder).tokenizer() }
        return try TokenizerFiles(
            json: try file("tokenizer.json", folder), sentencePiece: try file("tokenizer.model", folder),
            config: try file("tokenizer_config.json", folder), modelType: try modelType(folder)
        ).tokenizer(of: folder)
    }

    /// The bytes of a file in a folder; nil where there is none.
    private static func file(_ name: String, _ folder: String) throws(CheckpointError) -> [UInt8]? {
        let path = folder.isEmpty ? name : folder + "/" + name
        return FileManager.default.fileExists(atPath: path) ? try MappedFile(path: path).copy() : nil
    }

    private static func modelType(_ folder: String) throws(CheckpointError) -> String? {
        guard let bytes = try file("config.json", folder), let config = try? JSONValue(parsing: bytes) else {
            return nil
        }
        return config["model_type"]?.stringValue
    }

    /// - Parameter name: what errors name as the place.
    func tokenizer(of name: String) throws(CheckpointError) -> Tokenizer {
        do throws(TokenizerError) {
            if let json { return try Tokenizer(json: json, config: config) }
            if let sentencePiece {
                return try Tokenizer(
                    sentencePiece: sentencePiece, config: config,
                    addsBOSByDefault: modelType.map(Self.familiesWithBOS.contains) ?? false)
            }
        } catch {
            throw CheckpointError(file: name, field: error.part, reason: error.reason)
        }
        throw CheckpointError(
            file: name, field: "tokenizer",
            reason: "there is neither tokenizer.json nor tokenizer.model beside the weights; copy the model's own there"
        )
    }

    /// Families whose SentencePiece tokenizers put the beginning token before a text unless their configuration says
    /// otherwise: those of Llama's and Gemma's tokenizer classes, whose `add_bos_token` is true where it is not given.
    private static let familiesWithBOS: Set<String> = [
        "llama", "mistral", "mixtral", "phi3", "gemma", "gemma2", "gemma3", "gemma3_text",
    ]
}
