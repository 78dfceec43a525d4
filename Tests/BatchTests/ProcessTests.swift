import Foundation
import TestKit
import Testing

/// The command as a process that can be killed.
@Suite(.serialized) struct ProcessTests {
    struct Outcome {
        var code: Int32
        var output: String
        var error: String
    }

    static func executable() throws -> URL {
        try #require(BuildProducts.executable("apus"))
    }

    /// Starts a job; `limit` is the most blocks of 512 bytes that a file may have, as a disk would be full beyond.
    static func start(_ folder: Folder, _ arguments: [String], limit: Int? = nil) throws -> (Process, Pipe, Pipe) {
        let process = Process()
        let command = [try executable().path, "batch", folder.file("in")] + arguments
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        let limits = limit.map { "ulimit -f \($0); " } ?? ""
        process.arguments = ["-c", limits + "exec \"$@\"", "sh"] + command
        var environment = ProcessInfo.processInfo.environment
        environment["SOURCE_DATE_EPOCH"] = "1"
        process.environment = environment
        let (output, error) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = error
        try process.run()
        return (process, output, error)
    }

    static func run(_ folder: Folder, _ arguments: [String], limit: Int? = nil) throws -> Outcome {
        try finish(try start(folder, arguments, limit: limit))
    }

    static func finish(_ running: (process: Process, output: Pipe, error: Pipe)) throws -> Outcome {
        let output = String(decoding: running.output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        let error = String(decoding: running.error.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        running.process.waitUntilExit()
        let killed = running.process.terminationReason == .uncaughtSignal
        let status = running.process.terminationStatus
        return Outcome(code: killed ? -status : status, output: output, error: error)
    }

    static let flags = ["--max-cache", "64M"]

    @Test func killedAtAnyMomentEachLineIsThereOnce() throws {
        let folder = try Folder()
        defer { folder.remove() }
        try folder.write("in", lines: Jobs.mixed(120, seed: 8))
        let whole = try Self.run(folder, ["-o", folder.file("whole"), "--ordered"] + Self.flags)
        #expect(whole.code == 0 && whole.error.isEmpty)
        let lines = try folder.sortedLines("whole")
        #expect(lines.count == 120)
        var random = Random(state: 11)
        var kills = 0
        for trial in 0..<3 {
            let output = "out\(trial)"
            let arguments = ["-o", folder.file(output), "--resume", "--ordered"] + Self.flags
            for _ in 0..<3 {
                let running = try Self.start(folder, arguments)
                usleep(UInt32(20_000 + random.below(900_000)))
                kill(running.0.processIdentifier, SIGKILL)
                if try Self.finish(running).code == -SIGKILL { kills += 1 }
                if let present = try? folder.bytes(output) {
                    // What a reader sees meanwhile are lines of the answer, each once, but for a torn one at the end.
                    let seen = present.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast()
                        .map { String(decoding: $0, as: UTF8.self) }
                    #expect(Set(seen).count == seen.count && Set(seen).isSubset(of: lines))
                }
            }
            #expect(try Self.run(folder, arguments).code == 0)
            #expect(try folder.bytes(output) == folder.bytes("whole"))
        }
        #expect(kills > 0)
    }

    @Test func aFullDiskIsToldAndMendable() throws {
        let folder = try Folder()
        defer { folder.remove() }
        try folder.write("in", lines: Jobs.mixed(60, seed: 6))
        let arguments = ["-o", folder.file("out"), "--resume"] + Self.flags
        #expect(try Self.run(folder, ["-o", folder.file("whole")] + Self.flags).code == 0)
        // 40 blocks hold neither the plan nor the answers, 160 the plan alone.
        for limit in [40, 120, 160] {
            let full = try Self.run(folder, arguments, limit: limit)
            #expect(full.code == 1 && full.error.contains("no space is left"), "\(limit): \(full)")
            #expect(full.error.split(separator: "\n").count == 1)
        }
        let mended = try Self.run(folder, arguments)
        #expect(mended.code == 0, "\(mended)")
        #expect(try folder.sortedLines("out") == folder.sortedLines("whole"))
    }

    @Test(arguments: [SIGINT, SIGTERM]) func askedToStopItTellsHowToGoOn(signal: Int32) throws {
        let folder = try Folder()
        defer { folder.remove() }
        try folder.write("in", lines: Jobs.mixed(1000, seed: 4))
        let arguments = ["-o", folder.file("out"), "--json"] + Self.flags
        // One answer at a time, so that it lasts. Not before it has begun to write.
        let running = try Self.start(folder, arguments + ["--max-running", "1"])
        for _ in 0..<20_000 where ((try? folder.bytes("out").count) ?? 0) == 0 { usleep(1000) }
        kill(running.0.processIdentifier, signal)
        let stopped = try Self.finish(running)
        #expect(stopped.code == 128 + signal && stopped.output.isEmpty)
        #expect(stopped.error.contains("of 1000 requests") && stopped.error.contains("--resume"))
        let count = try folder.sortedLines("out").count
        #expect(count > 0 && count < 1000)
        let refused = try Self.run(folder, arguments)
        #expect(refused.code == 1 && refused.error.contains("exists already"))
        let finished = try Self.run(folder, arguments + ["--resume"])
        #expect(finished.code == 0 && finished.error.isEmpty)
        #expect(try folder.sortedLines("out").count == 1000)
        let summary = try #require(
            try JSONSerialization.jsonObject(with: Data(finished.output.utf8)) as? [String: Any])
        #expect(
            Set(summary.keys) == [
                "requests", "failed", "prompt_tokens", "prefilled_tokens", "generated_tokens", "seconds", "mean_batch",
            ])
        #expect(summary["requests"] as? Int == 1000)
        // The figures are those of the records.
        let records = try folder.records("out").values
        #expect(summary["failed"] as? Int == records.count { !($0.object["error"] is NSNull) })
        func total(_ field: String) -> Int {
            records.reduce(0) { $0 + (($1.body?["usage"] as? [String: Any])?[field] as? Int ?? 0) }
        }
        #expect(summary["prompt_tokens"] as? Int == total("prompt_tokens"))
        #expect(summary["generated_tokens"] as? Int == total("completion_tokens"))
        #expect(try #require(summary["prefilled_tokens"] as? Int) < total("prompt_tokens"))
    }

    @Test(arguments: [["--shard", "0/2"], ["--shard", "3/2"], ["--max-cache", "lots"], ["--temperature", "-1"], []])
    func wrongCallsAreRefused(flags: [String]) throws {
        let folder = try Folder()
        defer { folder.remove() }
        try folder.write("in", lines: [])
        let output = flags.isEmpty ? [] : ["-o", folder.file("out")]
        let refused = try Self.run(folder, output + flags)
        #expect(refused.code == 2 && refused.error.contains("--help"))
        #expect((try? folder.bytes("out")) == nil)
    }
}
