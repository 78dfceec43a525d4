import Foundation
import Testing

/// `apus quantize` as a process: what it leaves behind, and what it refuses.
@Suite(.serialized) struct QuantizeTests {
    private let folder: String
    private let text: String

    init() throws {
        folder = NSTemporaryDirectory() + "apus-quantize-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        text = folder + "/text.txt"
        let story = "Once upon a time there was a little boy named Tim. He had a red ball. One day he went to the park with his mom. "
        try String(repeating: story, count: 40).write(toFile: text, atomically: true, encoding: .utf8)
    }

    private func arguments(_ out: String, _ more: String...) -> [String] {
        ["quantize", "builtin:stories", "-o", out, "--samples", "8", "--length", "64"] + more
    }

    private func bytes(_ path: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path)) }

    @Test func killedAtAnyTimeItGoesOn() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let (whole, pieces) = (folder + "/whole.gguf", folder + "/pieces.gguf")
        let more = ["--method", "gptq", "--bits", "3", "--calibration", text]
        let first = try Apus.run(arguments(whole) + more + ["--threads", "1"])
        #expect(first.code == 0, "\(first.error)")
        var kills = 0
        // Killed when a step of the work is on disk, then let go on, and killed again at the next.
        for step in [0, 2, 3] {
            let process = try Apus.process(arguments(pieces) + more + ["--threads", "2"])
            process.standardError = FileHandle.nullDevice
            process.standardOutput = FileHandle.nullDevice
            try process.run()
            while process.isRunning {
                if FileManager.default.fileExists(atPath: pieces + ".apus-work/step-\(step).safetensors") {
                    kill(process.processIdentifier, SIGKILL)
                    kills += 1
                    break
                }
                usleep(2000)
            }
            process.waitUntilExit()
        }
        #expect(kills > 0)
        let last = try Apus.run(arguments(pieces) + more + (FileManager.default.fileExists(atPath: pieces) ? ["--force"] : []))
        #expect(last.code == 0, "\(last.error)")
        #expect(try bytes(pieces) == bytes(whole))
        #expect(!FileManager.default.fileExists(atPath: pieces + ".apus-work"))
        // From the recipe alone, in another place.
        let again = try Apus.run("quantize", "--recipe", whole + ".recipe.json", "-o", folder + "/again.gguf")
        #expect(again.code == 0, "\(again.error)")
        #expect(try bytes(folder + "/again.gguf") == bytes(whole))
        let answer = try Apus.run("run", pieces, "Once upon a time", "--max-tokens", "8", "--temperature", "0")
        #expect(answer.code == 0, "\(answer.error)")
    }

    @Test func whatIsThereStays() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let out = folder + "/out.gguf"
        try Data([1, 2, 3]).write(to: URL(fileURLWithPath: out))
        let refused = try Apus.run(arguments(out))
        #expect(refused.code == 1 && refused.error.contains("--force"))
        #expect(try bytes(out) == Data([1, 2, 3]))
        let made = try Apus.run(arguments(out, "--force", "--json", "--format", "Q4_0"))
        #expect(made.code == 0, "\(made.error)")
        let recipe = try made.json()
        let tensors = try #require(recipe["tensors"] as? [[String: Any]])
        #expect(tensors.count == 29)
        for name in ["name", "format", "bytes", "error"] { #expect(tensors[0][name] != nil) }
    }

    @Test func aBudgetIsKept() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let out = folder + "/out.gguf"
        let made = try Apus.run(arguments(out, "--method", "importance", "--calibration", text, "--budget", "45%"))
        #expect(made.code == 0, "\(made.error)")
        let (before, after) = (
            try Apus.run("inspect", "builtin:stories", "--json").json(), try Apus.run("inspect", out, "--json").json()
        )
        let (old, new) = (
            try #require(before["weight_bytes"] as? Int), try #require(after["weight_bytes"] as? Int)
        )
        #expect(Double(new) <= 0.45 * Double(old) && Double(new) > 0.43 * Double(old), "\(new) of \(old)")
        let small = try Apus.run(
            arguments(folder + "/no.gguf", "--method", "importance", "--calibration", text, "--budget", "5%"))
        #expect(small.code == 1 && small.error.contains("too small"), "\(small.error)")
    }

    @Test(arguments: [
        (["--bits", "9"], 2, "--bits"), (["--group", "7"], 2, "--group"), (["--bits", "4", "--format", "Q4_K"], 2, "--format"),
        (["--format", "Q9_Z"], 2, "Q9_Z"), (["--method", "magic"], 1, "rtn"), (["--method", "gptq"], 1, "--calibration"),
        (["--damping", "3"], 2, "--damping"), (["--order", "random"], 2, "--order"), (["--budget", "much"], 2, "much"),
        (["--budget", "60%", "--bits", "4"], 2, "--budget"), (["--calibration", "/nowhere/text"], 1, "/nowhere/text"),
        (["--format", "INT4_G128"], 1, "GGUF"), (["--recipe", "/nowhere/r.json"], 1, "/nowhere/r.json"),
    ]) func wrongCallsAreRefused(_ flags: [String], _ code: Int32, _ part: String) throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let outcome = try Apus.run(["quantize", "builtin:stories", "-o", folder + "/out.gguf"] + flags)
        #expect(outcome.code == code && outcome.output.isEmpty, "\(outcome.error)")
        #expect(outcome.error.hasPrefix("apus: ") && outcome.error.count { $0 == "\n" } == 1, "\(outcome.error)")
        #expect(outcome.error.contains(part), "\(outcome.error)")
        #expect(!FileManager.default.fileExists(atPath: folder + "/out.gguf"))
    }
}
