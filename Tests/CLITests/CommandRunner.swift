import Foundation
import TestKit
import Testing

/// What one run of the command gave.
struct Outcome {
    var code: Int32
    var output: [UInt8]
    var error: String

    var text: String { String(decoding: output, as: UTF8.self) }

    func json() throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(output)) as? [String: Any])
    }
}

/// The executable is not among the build products.
struct MissingExecutable: Error {}

/// The built executable as a process of its own.
enum Apus {
    static let repository = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static let executable = BuildProducts.executable("apus")

    static func process(_ arguments: [String]) throws -> Process {
        guard let executable else { throw MissingExecutable() }
        let process = Process()
        process.executableURL = executable
        process.arguments = arguments
        return process
    }

    static func run(_ arguments: String..., input: [UInt8] = []) throws -> Outcome {
        try run(arguments, input: input)
    }

    /// Runs it to its end. Input and errors are small: they fit a pipe.
    static func run(_ arguments: [String], input: [UInt8] = [], output file: FileHandle? = nil) throws -> Outcome {
        let process = try process(arguments)
        let (stdin, stdout, stderr) = (Pipe(), Pipe(), Pipe())
        process.standardInput = stdin
        process.standardOutput = file ?? stdout
        process.standardError = stderr
        try process.run()
        if !input.isEmpty { try? stdin.fileHandleForWriting.write(contentsOf: Data(input)) }
        try stdin.fileHandleForWriting.close()
        let output = file == nil ? [UInt8](stdout.fileHandleForReading.readDataToEndOfFile()) : []
        let error = String(decoding: stderr.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        let code = process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus
        return Outcome(code: code, output: output, error: error)
    }
}

/// A folder that goes away with the test.
struct TemporaryFolder {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("apus tests é \(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    @discardableResult
    func write(_ name: String, _ bytes: some Sequence<UInt8>) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: path + "/" + name))
        return path + "/" + name
    }

    @discardableResult
    func write(_ name: String, _ text: String) throws -> String { try write(name, text.utf8) }

    /// Our small model's own files as a folder of the Hugging Face kind, with a chat template.
    func model(template: String) throws -> String {
        let source = Apus.repository.appendingPathComponent("Models/stories-draft")
        for name in ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"] {
            try FileManager.default.copyItem(
                at: source.appendingPathComponent(name), to: URL(fileURLWithPath: path).appendingPathComponent(name))
        }
        try write("chat_template.jinja", template)
        return path
    }

    func remove() { try? FileManager.default.removeItem(atPath: path) }
}
