import Apus
import BatchJobs
import Foundation
import Inference
import OpenAI
import Testing

/// Whole jobs, in this process.
@Suite struct BatchJobTests {
    @Test func aJobsAnswersAreThoseOfTheRequestsAlone() async throws {
        let folder = try Folder()
        defer { folder.remove() }
        let shared = String(repeating: "The little dog ran to the big red house. ", count: 9)
        let endings = ["Then", "He saw a cat", "It was", "Mom said", "A girl", "One day the", "They"]
        let lines = endings.enumerated().map { index, ending in
            "{\"custom_id\":\"r\(index)\",\"prompt\":\"\(shared)\(ending)\",\"max_tokens\":16,\"temperature\":1,\"logprobs\":0}"
        }
        try folder.write("in", lines: lines)
        let report = try Jobs.run(Jobs.make(folder))
        #expect(report.requests == 7 && report.failed == 0 && report.meanBatch > 1)
        #expect(report.prefilledTokens < report.promptTokens / 2)
        let records = try folder.records("out")
        let model = try LanguageModel.load("builtin:stories")
        for (index, ending) in endings.enumerated() {
            let record = try #require(records["r\(index)"])
            #expect(record.status == 200 && record.object["error"] is NSNull)
            let seed = try #require(record.body?["seed"] as? NSNumber)
            var options = GenerationOptions(maximumTokens: 16, seed: seed.uint64Value)
            options.sampling.logprobs = 0
            var text = ""
            var logprobs: [Float] = []
            for try await event in try model.generate(shared + ending, options: options) {
                switch event {
                case .text(let piece):
                    text += piece.text
                    logprobs.append(try #require(piece.token.logprob))
                case .finished(let result): text += result.rest
                }
            }
            let choice = try #require(record.choices.first)
            #expect(choice["text"] as? String == text)
            let given = (choice["logprobs"] as? [String: Any])?["token_logprobs"] as? [NSNumber]
            #expect(try #require(given).map { Float($0.doubleValue).bitPattern } == logprobs.map(\.bitPattern))
        }
    }

    @Test func everyWayOfRunningGivesTheSameLines() throws {
        let folder = try Folder()
        defer { folder.remove() }
        try folder.write("in", lines: Jobs.mixed(60))
        try Jobs.run(Jobs.make(folder))
        let lines = try folder.sortedLines("out")
        #expect(lines.count == 60)

        var unshared = Jobs.make(folder, "unshared")
        unshared.sharesPrefixes = false
        try Jobs.run(unshared)
        #expect(try folder.sortedLines("unshared") == lines)

        var small = Jobs.make(folder, "small")
        small.engine.threads = 1
        small.engine.tokenBudget = 24
        small.engine.maximumRunning = 5
        small.engine.pageSize = 16
        // Room for two answers or so.
        small.engine.cacheBytes = 8 << 20
        try Jobs.run(small)
        #expect(try folder.sortedLines("small") == lines)

        var union: [String] = []
        for index in 1...3 {
            var part = Jobs.make(folder, "part\(index)")
            part.shard = BatchJob.Shard(index: index, count: 3)
            let report = try Jobs.run(part)
            let some = try folder.sortedLines("part\(index)")
            #expect(report.requests == some.count && some.count > 5)
            union += some
        }
        #expect(union.sorted() == lines)

        var ordered = Jobs.make(folder, "ordered")
        ordered.isOrdered = true
        try Jobs.run(ordered)
        #expect(try folder.sortedLines("ordered") == lines)
        let text = String(decoding: try folder.bytes("ordered"), as: UTF8.self)
        let inputs = try String(contentsOfFile: folder.file("in"), encoding: .utf8).split(
            separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in text.split(separator: "\n").enumerated() {
            let record = try Record(String(line))
            if record.customID.hasPrefix("r") {
                #expect(inputs[index].contains("\"custom_id\":\"\(record.customID)\""))
            } else {
                #expect(record.customID == "line-\(index + 1)")
            }
        }
    }

    @Test func interruptionsLeaveNoTrace() throws {
        let folder = try Folder()
        defer { folder.remove() }
        try folder.write("in", lines: Jobs.mixed(50, seed: 2))
        var whole = Jobs.make(folder, "whole")
        whole.isOrdered = true
        try Jobs.run(whole)
        var random = Random(state: 3)
        for trial in 0..<4 {
            var job = Jobs.make(folder, "out\(trial)")
            job.resumes = true
            job.isOrdered = true
            var stops = 0
            loop: while true {
                // Short turns first, then such as the longest answer, of 20 steps, fits in.
                var left = random.below(stops < 6 ? 12 : 40)
                let outcome = try job.run(
                    stops: {
                        left -= 1
                        return left < 0
                    }, report: { _ in })
                switch outcome {
                case .finished: break loop
                case .interrupted(let finished, let requests):
                    #expect(finished <= requests)
                    stops += 1
                }
                try #require(stops < 1000)
            }
            #expect(stops > 0)
            #expect(try folder.bytes("out\(trial)") == folder.bytes("whole"))
        }
    }

    @Test func aFinishedJobIsLeftAlone() throws {
        let folder = try Folder()
        defer { folder.remove() }
        try folder.write("in", lines: Jobs.mixed(12))
        var job = Jobs.make(folder)
        job.resumes = true
        let first = try Jobs.run(job)
        let bytes = try folder.bytes("out")
        let manager = FileManager.default
        let past = Date(timeIntervalSince1970: 1000)
        try manager.setAttributes([.modificationDate: past], ofItemAtPath: folder.file("out"))
        let second = try Jobs.run(job)
        #expect(first == second)
        #expect(try folder.bytes("out") == bytes)
        #expect(try manager.attributesOfItem(atPath: folder.file("out"))[.modificationDate] as? Date == past)
    }

    /// Whatever the output has lost at its end, or has too much, comes out right.
    @Test func tornOutputsAreRepaired() throws {
        let folder = try Folder()
        defer { folder.remove() }
        try folder.write("in", lines: Jobs.mixed(30, seed: 5))
        var job = Jobs.make(folder)
        job.resumes = true
        try Jobs.run(job)
        let whole = try folder.bytes("out")
        let lines = try folder.sortedLines("out")
        var random = Random(state: 9)
        let cuts = [0, 1, whole.count - 1, whole.count - 2] + (0..<4).map { _ in random.below(whole.count) }
        for cut in cuts {
            try folder.write("out", whole[..<cut])
            try Jobs.run(job)
            #expect(try folder.sortedLines("out") == lines, "cut to \(cut)")
        }
        // A line that the progress has not come to know.
        try folder.write("out", whole + Array("{\"id\":\"torn".utf8))
        try Jobs.run(job)
        #expect(try folder.sortedLines("out") == lines)
    }

    @Test func refusalsSayWhatAndWhere() throws {
        let folder = try Folder()
        defer { folder.remove() }
        try folder.write("in", lines: ["{\"prompt\":\"One day\",\"max_tokens\":2}"])
        func refusal(_ job: BatchJob) -> String {
            do { try Jobs.run(job) } catch { return "\(error)" }
            return "none"
        }
        var job = Jobs.make(folder)
        job.resumes = true
        try Jobs.run(job)
        let bytes = try folder.bytes("out")
        #expect(refusal(Jobs.make(folder)).contains("exists already"))
        var other = job
        other.defaults.seed = 1
        #expect(refusal(other).contains("another --seed (0; now 1)"))
        try folder.write("in", lines: ["{\"prompt\":\"Two days\",\"max_tokens\":2}"])
        #expect(refusal(job).contains("has changed since"))
        #expect(try folder.bytes("out") == bytes)
        try FileManager.default.removeItem(atPath: folder.file("out.apus-progress"))
        #expect(refusal(job).contains("out.apus-progress is missing"))
        #expect(try folder.bytes("out") == bytes)
        #expect(refusal(Jobs.make(folder, "x", input: "none")).contains("no such file"))
        #expect(refusal(Jobs.make(folder, "none/x")).contains("no such file"))
        var same = Jobs.make(folder, "in")
        same.resumes = true
        #expect(refusal(same).contains("this is the input"))
        try folder.write("y.apus-progress", "not a database, whatever it says".utf8)
        try folder.write("y", [])
        var damaged = Jobs.make(folder, "y")
        damaged.resumes = true
        #expect(refusal(damaged).contains("damaged or no database"))
    }

    @Test func twoProcessesDoNotShareAJob() throws {
        let folder = try Folder()
        defer { folder.remove() }
        try folder.write("in", lines: Jobs.mixed(12))
        var job = Jobs.make(folder)
        job.resumes = true
        var refusals = 0
        _ = try job.run(
            stops: {
                guard refusals == 0 else { return false }
                do { try Jobs.run(job) } catch { if "\(error)".contains("another process") { refusals += 1 } }
                return false
            }, report: { _ in })
        #expect(refusals == 1)
        #expect(try folder.sortedLines("out").count == 12)
    }

    @Test func anEmptyJobIsDone() throws {
        let folder = try Folder()
        defer { folder.remove() }
        try folder.write("in", [])
        let report = try Jobs.run(Jobs.make(folder))
        #expect(report.requests == 0 && report.failed == 0 && report.meanBatch == 0)
        #expect(try folder.bytes("out").isEmpty)
    }
}
