import Foundation
import Testing

/// Wrong calls and bad files: one sentence on standard error, the right exit code, nothing on standard output.
@Suite struct RefusalTests {
    private func expectRefusal(
        _ arguments: [String], input: [UInt8] = [], code: Int32, _ parts: String...,
        location: SourceLocation = #_sourceLocation
    ) throws {
        let outcome = try Apus.run(arguments, input: input)
        #expect(outcome.code == code, "\(arguments): \(outcome.error)", sourceLocation: location)
        #expect(outcome.output.isEmpty, "\(arguments)", sourceLocation: location)
        #expect(outcome.error.hasPrefix("apus: "), "\(outcome.error)", sourceLocation: location)
        #expect(outcome.error.count { $0 == "\n" } == 1, "\(outcome.error)", sourceLocation: location)
        for part in parts { #expect(outcome.error.contains(part), "\(outcome.error)", sourceLocation: location) }
    }

    @Test(arguments: [
        ["--threads", "0"], ["--context", "0"], ["--max-tokens", "-1"], ["--top-p", "2"], ["--temperature", "nan"],
        ["--temperature", "-1"], ["--seed", "x"], ["--kernels", "foo"], ["--frobnicate"], ["--top-k", "-3"],
        ["--logit-bias", "rubbish"], ["--logit-bias", "5=nan"], ["--logit-bias", "99999999=1"], ["--samplers", "foo"],
        ["--stop-token", "-4"], ["--system", "x"], ["--cache-type", "f8"], ["--max-tokens", "99999999999999999999"],
        ["--cache-bytes", "much"], ["--cache-bytes", "0"], ["--prefix-store-bytes", "1G"], ["--prefix-store", ""],
        ["--evict", "newest"], ["--swap-bytes", "-1"],
    ]) func wrongFlagsAreNamed(_ flags: [String]) throws {
        let name = flags[0] == "--kernels" ? "kernels" : flags[0]
        try expectRefusal(["run", "builtin:stories", "Hi"] + flags, code: 2, name, "See 'apus run --help'.")
    }

    @Test(arguments: [
        ["--target-itl", "0"], ["--target-itl", "-5"], ["--target-itl", "nan"], ["--target-itl", "1e12"],
        ["--target-itl", "soon"], ["--schedule", "random"], ["--evict", "none"], ["--token-budget", "0"],
        ["--token-budget", "9999999"], ["--max-running", "0"], ["--max-running", "600"],
        ["--max-running", "9", "--token-budget", "8"], ["--swap-bytes", "1G", "--no-sharing"],
    ]) func wrongSchedulesAreNamed(_ flags: [String]) throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let input = try folder.write("in.jsonl", #"{"prompt": "Once"}"#)
        let output = folder.path + "/out.jsonl"
        try expectRefusal(["batch", input, "-o", output] + flags, code: 2, flags[0], "See 'apus batch --help'.")
        #expect(!FileManager.default.fileExists(atPath: output))
    }

    /// What only the engine can know: a swap memory that holds no page.
    @Test func aSwapMemoryThatHoldsNothingIsRefused() throws {
        try expectRefusal(["run", "builtin:stories", "Hi", "--swap-bytes", "10"], code: 1, "swap", "page")
    }

    @Test func wrongCalls() throws {
        try expectRefusal(["frobnicate"], code: 2, "frobnicate")
        try expectRefusal(["run", "a", "b", "c"], code: 2, "3 arguments")
        try expectRefusal(["perplexity", "builtin:stories", "-", "--stride", "0"], code: 2, "--stride")
        try expectRefusal(["template", "builtin:stories"], code: 2, "--messages")
        try expectRefusal(["inspect"], code: 2, "model")
    }

    @Test func missingAndForeignFiles() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let text = try folder.write("notes.gguf", "just some text")
        let empty = try folder.write("empty.gguf", "")
        try expectRefusal(["run", folder.path + "/none.gguf", "Hi"], code: 1, "none.gguf", "check the path")
        try expectRefusal(["run", folder.path, "Hi"], code: 1)
        try expectRefusal(["run", text, "Hi"], code: 1, "notes.gguf")
        try expectRefusal(["run", empty, "Hi"], code: 1, "empty")
        try expectRefusal(["run", "builtin:none", "Hi"], code: 1, "builtin:stories")
        try expectRefusal(["inspect", text], code: 1, "notes.gguf")
        try expectRefusal(["tokenize", folder.path + "/none.json"], code: 1, "none.json")
        try expectRefusal(["perplexity", "builtin:stories", folder.path], code: 1, "folder")
        try expectRefusal(["perplexity", "builtin:stories", empty], code: 1, "at least two")
        let template = try folder.write("chat.jinja", "{{ messages }}")
        try expectRefusal(["template", template, "--messages", folder.path + "/none.json"], code: 1, "none.json")
        let messages = try folder.write("messages.json", "5")
        try expectRefusal(
            ["template", template, "--messages", messages], code: 1, "messages.json", "array of messages")
        try folder.write("config.json", #"{"architectures": ["UnheardOf"]}"#)
        try FileManager.default.removeItem(atPath: text)
        try FileManager.default.removeItem(atPath: empty)
        try FileManager.default.copyItem(
            at: Apus.repository.appendingPathComponent("Models/stories-draft/model.safetensors"),
            to: URL(fileURLWithPath: folder.path + "/model.safetensors"))
        try expectRefusal(["run", folder.path, "Hi"], code: 1, "UnheardOf", "llama")
        try FileManager.default.removeItem(atPath: folder.path + "/config.json")
        try expectRefusal(["run", folder.path, "Hi"], code: 1, "config.json")
    }

    @Test func modelsCutShort() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let files = ["Sources/Apus/Resources/stories.gguf", "Models/stories-draft/model.safetensors"]
        for source in files.map(Apus.repository.appendingPathComponent) {
            let name = source.lastPathComponent
            let whole = try Data(contentsOf: source)
            for length in [1, 7, 100, 3000, 100_000, whole.count / 2, whole.count - 1] {
                let cut = try folder.write(name, whole.prefix(length))
                try expectRefusal(["run", cut, "Hi", "--max-tokens", "1"], code: 1, name)
            }
        }
    }

    @Test func badPrompts() throws {
        try expectRefusal(["run"], input: [0x61, 0xFF], code: 1, "UTF-8 at byte 1")
        let long = Array(String(repeating: "word ", count: 3000).utf8)
        let count = try #require(
            try Apus.run("tokenize", "builtin:stories", "--bos", "--json", input: long).json()["ids"] as? [Int]
        ).count
        try expectRefusal(
            ["run", "--context", "50"], input: long, code: 1, "\(count) tokens", "\(count - 49) more")
        try expectRefusal(["run", "Hi", "--chat"], code: 1, "no chat template")
        try expectRefusal(["tokenize", "builtin:stories", "--decode"], input: Array("1 x".utf8), code: 1, "'x'")
        try expectRefusal(["tokenize", "builtin:stories", "--decode"], input: Array("99999".utf8), code: 1, "99999")
    }

    @Test func aContextBeyondTheModelIsNoted() throws {
        let outcome = try Apus.run("run", "Hi", "--context", "999999", "--max-tokens", "1")
        #expect(outcome.code == 0)
        #expect(outcome.error.hasPrefix("apus: note: ") && outcome.error.contains("999999"))
    }

    @Test(.enabled(if: FileManager.default.fileExists(atPath: "/dev/full"))) func aFullDiskIsTold() throws {
        for arguments in [
            ["run", "Hi", "--max-tokens", "2"], ["run", "Hi", "--max-tokens", "2", "--json"], ["--help"], ["models"],
        ] {
            let full = try #require(FileHandle(forWritingAtPath: "/dev/full"))
            let outcome = try Apus.run(arguments, output: full)
            #expect(outcome.code == 1)
            #expect(outcome.error.hasPrefix("apus: standard output"), "\(outcome.error)")
        }
    }

    @Test func aClosedPipeEndsTheCommandQuietly() throws {
        let process = try Apus.process(["run", "Once upon a time", "--temperature", "0", "--max-tokens", "900"])
        let (output, error) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = error
        process.standardInput = FileHandle.nullDevice
        try process.run()
        _ = output.fileHandleForReading.availableData
        try output.fileHandleForReading.close()
        process.waitUntilExit()
        #expect(error.fileHandleForReading.readDataToEndOfFile().isEmpty)
        #expect(
            process.terminationReason == .exit ? process.terminationStatus == 0 : process.terminationStatus == SIGPIPE)
    }

    @Test func anInterruptEndsTheAnswer() throws {
        // The slowest kernels, so that the interrupt comes before the end also on a machine that is busy with other tests.
        let process = try Apus.process([
            "run", "Once upon a time", "--ignore-eos", "--max-tokens", "1000", "--kernels", "portable", "--threads", "1",
        ])
        let (output, error) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = error
        process.standardInput = FileHandle.nullDevice
        try process.run()
        // The prompt comes first; by the next text generation is under way.
        var text = Data()
        while text.count < 40 {
            let part = output.fileHandleForReading.availableData
            if part.isEmpty { break }
            text += part
        }
        kill(process.processIdentifier, SIGINT)
        text += output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationReason == .exit)
        #expect(process.terminationStatus == 130)
        #expect(text.last == UInt8(ascii: "\n"))
        #expect(error.fileHandleForReading.readDataToEndOfFile().isEmpty)
    }
}
