import Foundation
import Testing

/// `apus eval` and `apus models`.
@Suite struct EvalTests {
    static let draft = Apus.repository.appendingPathComponent("Models/stories-draft").path

    private static func lines(_ outcome: Outcome) throws -> [[String: Any]] {
        try outcome.text.split(separator: "\n").map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
    }

    @Test func problemsAreLabelledRight() throws {
        let flags = ["-n", "30", "--seed", "5", "--level", "1-6"]
        let problems = try Apus.run(["eval", "problems"] + flags)
        #expect(problems.code == 0 && problems.error.isEmpty)
        #expect(try Apus.run(["eval", "problems"] + flags).output == problems.output)
        let objects = try Self.lines(problems)
        #expect(objects.compactMap { $0["level"] as? Int } == (0..<5).flatMap { _ in Array(1...6) })
        let train = try Self.lines(try Apus.run(["eval", "problems", "--split", "train"] + flags))
        func questions(_ objects: [[String: Any]]) -> Set<String> {
            Set(objects.compactMap { $0["question"] as? String })
        }
        #expect(questions(objects).count == 30 && questions(train).isDisjoint(with: questions(objects)))

        var input = Data()
        for (index, object) in objects.enumerated() {
            let steps = try #require(object["steps"] as? [String])
            let answer = try #require(object["answer"] as? Int)
            let solution = (steps + (index % 2 == 0 ? ["answer: \(answer)"] : [])).joined(separator: "\n")
            let line = try #require(object["plan"] as? [String])
            input += try JSONSerialization.data(withJSONObject: ["plan": line, "solution": solution]) + Data("\n".utf8)
        }
        let labels = try Apus.run(["eval", "label"], input: Array(input))
        #expect(labels.code == 0, "\(labels.error)")
        for (index, (object, label)) in zip(objects, try Self.lines(labels)).enumerated() {
            let steps = try #require(object["steps"] as? [String]).count
            #expect((label["labels"] as? [Bool]) == Array(repeating: true, count: steps + (index % 2 == 0 ? 1 : 0)))
            #expect((label["verdicts"] as? [String])?.allSatisfy { $0 == "right" } == true)
            // Without an answer line a solution is not right, and the answer is null.
            #expect(label["right"] as? Bool == (index % 2 == 0) && label["answer_right"] as? Bool == (index % 2 == 0))
            #expect(label["answer"] as? Int == (index % 2 == 0 ? object["answer"] as? Int : nil))
            #expect(label.keys.contains("answer"))
        }
    }

    @Test func sumsReports() throws {
        let flags = ["--model", Self.draft, "-n", "4", "--level", "1,2", "--max-tokens", "24"]
        let outcome = try Apus.run(["eval", "sums", "--json", "--show", "2"] + flags)
        // Quiet in a pipe.
        #expect(outcome.code == 0 && outcome.error.isEmpty, "\(outcome.error)")
        let object = try outcome.json()
        let accuracy = try #require(object["accuracy"] as? Double)
        let ends = try #require(object["accuracy_interval"] as? [Double])
        #expect(ends.count == 2 && ends[0] <= accuracy && accuracy <= ends[1])
        #expect(object["n"] as? Int == 4 && object["shots"] as? Int == 4 && object["samples"] as? Int == 1)
        #expect(object["pass_at_k"] == nil)
        let byLevel = try #require(object["by_level"] as? [String: [String: Any]])
        #expect(byLevel.keys.sorted() == ["1", "2"] && byLevel.values.allSatisfy { $0["n"] as? Int == 2 })
        let wrong = (object["wrong"] as? [[String: Any]])?.count ?? 0
        #expect(wrong == min(2, Int((4 * (1 - accuracy)).rounded())))

        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let file = folder.path + "/answers.jsonl"
        let sampled = try Apus.run(
            ["eval", "sums", "--json", "--samples", "3", "--temperature", "0.9", "--save", file] + flags)
        let figures = try sampled.json()
        for key in ["pass_at_k", "majority_at_k"] {
            let values = try #require(figures[key] as? [String: Double])
            #expect(values.keys.sorted() == ["1", "2", "3"] && values.values.allSatisfy { (0...1).contains($0) })
        }
        let saved = try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n")
        #expect(saved.count == 12)
        let text = try Apus.run(["eval", "sums"] + flags)
        #expect(text.code == 0 && text.text.hasPrefix("accuracy") && text.text.contains("level 2"))
    }

    @Test func stepsNeedsAProcessRewardModel() throws {
        let outcome = try Apus.run("eval", "steps", "--model", Self.draft, "--solver", Self.draft)
        #expect(outcome.code == 1 && outcome.output.isEmpty)
        #expect(outcome.error.contains("apus_step_reward"), "\(outcome.error)")

        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let model = try folder.model(
            template:
                "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
        )
        let config = try String(contentsOfFile: model + "/config.json", encoding: .utf8)
        try folder.write(
            "config.json",
            config.replacing(
                "{", with: #"{"apus_step_reward": {"good": 11, "bad": 12, "newline": 214, "end": 1},"#,
                maxReplacements: 1))
        let flags = ["--model", model, "--solver", model, "-n", "2", "--samples", "2", "--level", "1"]
        let object = try Apus.run(["eval", "steps", "--json"] + flags).json()
        let all = try #require(object["all"] as? [String: Any])
        let scored = try #require(all["solutions"] as? Int)
        let unscored = try #require(object["unscored"] as? Int)
        #expect(scored + unscored == 4)
        #expect(object["best_of_k"] as? Double != nil)
    }

    @Test func evalListsItsTasks() throws {
        let listing = try Apus.run("eval")
        #expect(listing.code == 0 && listing.text.contains("sums") && listing.text.contains("problems"))
    }

    @Test(arguments: [
        ["eval", "sums", "--samples", "4"], ["eval", "sums", "-n", "0"], ["eval", "sums", "--level", "7"],
        ["eval", "sums", "--level", "5-4"], ["eval", "sums", "--temperature", "-1"], ["eval", "sums", "--shots", "-1"],
        ["eval", "steps", "--samples", "0"], ["eval", "steps", "--temperature", "0"], ["eval", "problems", "-n", "-1"],
        ["eval", "problems", "--split", "dev"], ["eval", "frobnicate"],
    ])
    func wrongCallsAreRefused(_ arguments: [String]) throws {
        let outcome = try Apus.run(arguments)
        #expect(outcome.code == 2 && outcome.output.isEmpty, "\(outcome)")
        #expect(outcome.error.hasPrefix("apus: ") && outcome.error.count { $0 == "\n" } == 1, "\(outcome.error)")
    }

    @Test(arguments: [
        ("rubbish\n", "object 1"), (#"{"plan": [], "solution": ""}"#, "no operations"),
        (#"{"plan": ["7 / 2"], "solution": ""}"#, "7 / 2"), (#"{"plan": ["7 plus 2"], "solution": ""}"#, "7 plus 2"),
        ("{\"plan\": [\"1 + 2\"], \"solution\": \"\"}\n{\"plan\": 3}\n", "object 2"),
    ])
    func badLinesAreNamed(_ input: String, _ part: String) throws {
        let outcome = try Apus.run(["eval", "label"], input: Array(input.utf8))
        #expect(outcome.code == 1 && outcome.error.contains(part), "\(outcome.error)")
        #expect(outcome.error.count { $0 == "\n" } == 1, "\(outcome.error)")
    }

    // MARK: Built-in models

    /// Runs the command with a folder of models of its own.
    private static func run(_ arguments: [String], models: String) throws -> Outcome {
        let process = try Apus.process(arguments)
        process.environment = ProcessInfo.processInfo.environment.merging(["APUS_MODELS": models]) { $1 }
        let (output, error) = (Pipe(), Pipe())
        (process.standardOutput, process.standardError, process.standardInput) = (output, error, FileHandle.nullDevice)
        try process.run()
        let bytes = [UInt8](output.fileHandleForReading.readDataToEndOfFile())
        let text = String(decoding: error.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return Outcome(code: process.terminationStatus, output: bytes, error: text)
    }

    @Test func namesStandForFolders() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        // Our small model under the name of another, so that the test does not need that one.
        try FileManager.default.createSymbolicLink(
            atPath: folder.path + "/sums", withDestinationPath: Self.draft)
        try FileManager.default.createDirectory(atPath: folder.path + "/chat", withIntermediateDirectories: true)
        try folder.write("chat/config.json", "{}")
        let listing = try Self.run(["models", "--json"], models: folder.path)
        let rows = try #require(try JSONSerialization.jsonObject(with: Data(listing.output)) as? [[String: Any]])
        let byName = Dictionary(uniqueKeysWithValues: rows.map { ($0["name"] as? String ?? "", $0) })
        #expect(
            Set(byName.keys)
                == Set(
                    ["stories", "stories-bf16", "stories-draft", "sums", "sums-prm", "chat"].map { "builtin:\($0)" }))
        let sums = try #require(byName["builtin:sums"])
        #expect(sums["present"] as? Bool == true && sums["path"] as? String == folder.path + "/sums")
        #expect(sums["architecture"] as? String == "llama" && sums["parameters"] as? Int == 1_311_872)
        #expect(byName["builtin:sums-prm"]?["present"] as? Bool == false)
        // A folder that holds no model is told, and the others are listed.
        #expect((byName["builtin:chat"]?["error"] as? String)?.isEmpty == false)
        #expect(byName["builtin:stories"]?["present"] as? Bool == true)
        let text = try Self.run(["models"], models: folder.path)
        #expect(text.text.contains("not here") && text.text.contains(folder.path))

        for arguments in [
            ["inspect", "builtin:sums"], ["tokenize", "builtin:sums"],
            ["run", "builtin:sums", "Hi", "--max-tokens", "2"],
            ["eval", "sums", "-n", "1", "--max-tokens", "2"],
        ] {
            let outcome = try Self.run(arguments, models: folder.path)
            #expect(outcome.code == 0, "\(arguments): \(outcome.error)")
        }
        for arguments in [
            ["inspect", "builtin:sums-prm"], ["tokenize", "builtin:sums-prm"], ["run", "builtin:sums-prm", "Hi"],
            ["chat", "builtin:sums-prm"], ["perplexity", "builtin:sums-prm", "/dev/null"],
            ["eval", "sums", "--model", "builtin:sums-prm"],
        ] {
            let outcome = try Self.run(arguments, models: folder.path)
            #expect(outcome.code == 1 && outcome.output.isEmpty, "\(arguments)")
            #expect(
                outcome.error
                    == "apus: builtin:sums-prm: there is no folder sums-prm with a config.json in \(folder.path); set APUS_MODELS to the folder that holds it\n",
                "\(arguments): \(outcome.error)")
        }
    }
}
