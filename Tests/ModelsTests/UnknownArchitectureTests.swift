import Checkpoints
import Foundation
import Models
import TestKit
import Testing

/// Law 7: a checkpoint of an architecture that Apus does not know is refused by name, however like a known one it looks.
@Suite struct UnknownArchitectureTests {
    func refusal(_ path: String) throws -> CheckpointError? {
        let checkpoint = try Checkpoint.open(path)
        do throws(CheckpointError) {
            _ = try Catalog.load(checkpoint)
            return nil
        } catch {
            return error
        }
    }

    func temporaryFolder() throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }

    @Test func inAFolder() throws {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let golden = Goldens.folder.appendingPathComponent("models/llama-plain")
        for name in try FileManager.default.contentsOfDirectory(atPath: golden.path) {
            try FileManager.default.copyItem(
                at: golden.appendingPathComponent(name), to: folder.appendingPathComponent(name))
        }
        #expect(try refusal(folder.path) == nil)
        let config = folder.appendingPathComponent("config.json")
        let text = try String(contentsOf: config, encoding: .utf8)
        try text.replacingOccurrences(of: "LlamaForCausalLM", with: "LlemurForCausalLM")
            .write(to: config, atomically: true, encoding: .utf8)
        let error = try #require(try refusal(folder.path))
        #expect(error.field == "architectures")
        #expect(error.reason.contains("LlemurForCausalLM") && error.reason.contains("llama"))
    }

    @Test func inAGGUFFile() throws {
        let folder = try temporaryFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        var bytes = try Data(contentsOf: Goldens.folder.appendingPathComponent("gguf/llama-plain-F32.gguf"))
        let key = try #require(bytes.range(of: Data("general.architecture".utf8)))
        let value = try #require(bytes.range(of: Data("llama".utf8), in: key.upperBound..<bytes.endIndex))
        bytes.replaceSubrange(value, with: Data("lemur".utf8))
        let file = folder.appendingPathComponent("model.gguf")
        try bytes.write(to: file)
        let error = try #require(try refusal(file.path))
        #expect(error.field == "general.architecture")
        #expect(error.reason.contains("'lemur'"))
    }
}
