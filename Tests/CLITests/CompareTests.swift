import Foundation
import Testing

/// `apus compare` and `apus eval choices`.
@Suite struct CompareTests {
    static let base = Apus.repository.appendingPathComponent("Models/stories").path
    static let draft = EvalTests.draft
    static let text = Apus.repository.appendingPathComponent("Workshop/Training/goldens/passage.txt").path

    @Test func comparesAndDraws() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let questions = try folder.write(
            "q.jsonl", "{\"question\": \"The cat sat on\", \"choices\": [\"the mat.\", \"xq zz.\"], \"answer\": 0}\n")
        let flags = ["--text", Self.text, "--context", "128", "--stride", "64"]
        let outcome = try Apus.run(
            ["compare", Self.base, Self.draft, "--json", "--svg", folder.path + "/front.svg", "--tasks", "story-choices,\(questions)", "--questions", "8"]
                + flags)
        // Quiet in a pipe.
        #expect(outcome.code == 0 && outcome.error.isEmpty, "\(outcome.error)")
        let rows = try #require(try JSONSerialization.jsonObject(with: Data(outcome.output)) as? [[String: Any]])
        #expect(rows.map { $0["model"] as? String } == [Self.base, Self.draft])
        for row in rows {
            for key in ["bytes", "bpw", "perplexity", "kl", "top1", "prefill", "decode", "memory_bytes"] {
                #expect(row[key] is NSNumber, "\(key)")
            }
            let tasks = try #require(row["tasks"] as? [String: [String: Any]])
            #expect(tasks.keys.sorted() == [questions, "story-choices"].sorted())
            #expect(tasks["story-choices"]?["n"] as? Int == 8)
            #expect((row["temperatures"] as? [[String: Any]])?.map { $0["temperature"] as? Double } == [1, 0.5, 0.8, 1.2])
        }
        #expect(rows[0]["is_base"] as? Bool == true && rows[0]["kl"] as? Double == 0 && rows[0]["top1"] as? Double == 1)
        #expect((rows[0]["tasks"] as? [String: [String: Any]])?["story-choices"]?["lost"] == nil)
        #expect(rows[1]["kl"] as? Double ?? 0 > 0.1 && rows[1]["is_base"] as? Bool == false)
        let picture = try String(contentsOfFile: folder.path + "/front.svg", encoding: .utf8)
        #expect(picture.hasPrefix("<svg") && picture.contains("stories-draft"))

        // Perplexity is that of the other command.
        let perplexity = try Apus.run(["perplexity", Self.draft, Self.text, "--json", "--context", "128", "--stride", "64"])
            .json()["perplexity"] as? Double
        let own = try #require(rows[1]["perplexity"] as? Double)
        #expect(abs(own / (perplexity ?? 0) - 1) < 1e-6)

        let plain = try Apus.run(
            ["compare", Self.base, Self.draft, "--no-speed", "--tasks", "none", "--temperatures", "none"] + flags)
        #expect(plain.code == 0 && plain.error.isEmpty)
        #expect(plain.text.contains("stories (base)") && plain.text.contains("stories-draft where memory is short"))
        #expect(!plain.text.contains("tokens/s") && !plain.text.contains("right answers"))
    }

    @Test func refusals() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let short = try folder.write("short.txt", "")
        let cases: [(arguments: [String], code: Int32, part: String)] = [
            (["compare", Self.base, "--text", Self.text], 2, "at least one model"),
            (["compare", Self.base, Self.draft], 2, "--text"),
            (["compare", Self.base, Self.draft, "--text", "/nowhere/text"], 1, "/nowhere/text: there is no file"),
            (["compare", Self.base, "/nowhere/model", "--text", Self.text], 1, "/nowhere/model"),
            (["compare", Self.base, Self.draft, "--text", short], 1, "at least two"),
            (["compare", Self.base, Self.draft, "--text", Self.text, "--temperatures", "0.5,x"], 2, "'x'"),
            (["compare", Self.base, Self.draft, "--text", Self.text, "--tasks", "chess"], 2, "'chess'"),
            (["compare", Self.base, Self.draft, "--text", Self.text, "--svg", "/nowhere/a.svg"], 1, "/nowhere/a.svg"),
            (["compare", Self.base, Self.draft, "--text", Self.text, "--context", "64", "--stride", "65"], 2, "--stride"),
            (["eval", "choices", "/nowhere/q"], 1, "/nowhere/q"),
            (["eval", "choices", short], 1, "there is no question"),
            (["eval", "choices", "story-choices", "-n", "0"], 2, "--count"),
        ]
        for (arguments, code, part) in cases {
            let outcome = try Apus.run(arguments)
            #expect(outcome.code == code && outcome.output.isEmpty, "\(arguments): \(outcome.code)")
            #expect(outcome.error.contains(part) && outcome.error.split(separator: "\n").count == 1, "\(outcome.error)")
        }
    }

    /// What is saved is read again and gives the same.
    @Test func choicesAreSavedAndReadAgain() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let file = folder.path + "/saved.jsonl"
        let flags = ["--model", Self.draft, "--json"]
        let first = try Apus.run(["eval", "choices", "story-choices", "-n", "16", "--save", file] + flags)
        #expect(first.code == 0 && first.error.isEmpty, "\(first.error)")
        let second = try Apus.run(["eval", "choices", file] + flags)
        let (a, b) = (try first.json(), try second.json())
        #expect(a["n"] as? Int == 16 && a["accuracy"] as? Double == b["accuracy"] as? Double)
        #expect(a["accuracy_normalised"] as? Double == b["accuracy_normalised"] as? Double)
        #expect((a["by_kind"] ?? a["by_group"]) is [String: Any] && a["chance"] as? Double == 0.25)
        let piped = try Apus.run(
            ["eval", "choices", "-", "-n", "3"] + flags, input: Array(try Data(contentsOf: URL(fileURLWithPath: file))))
        #expect(try piped.json()["n"] as? Int == 3)
        // Asked: another prompt, other scores; a model without template gets Question and Answer.
        let asked = try Apus.run(["eval", "choices", file, "--ask", "--save", folder.path + "/asked.jsonl"] + flags)
        #expect(asked.code == 0)
        #expect(try Data(contentsOf: URL(fileURLWithPath: folder.path + "/asked.jsonl")).count > 0)
    }
}
