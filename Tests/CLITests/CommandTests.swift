import Foundation
import Testing

/// The main shapes of the command's output.
@Suite struct CommandTests {
    static let template =
        "{% for m in messages %}{{ bos_token }}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}bot:{% endif %}"

    @Test func runContinuesAText() throws {
        let flags = ["--max-tokens", "12", "--temperature", "0"]
        let plain = try Apus.run(["run", "Once upon a time"] + flags)
        #expect(plain.code == 0 && plain.error.isEmpty)
        #expect(plain.text.hasPrefix("Once upon a time") && plain.text.hasSuffix("\n"))
        // The same from a pipe, by the model's name, and with other kernels and threads.
        let same = [
            try Apus.run(["run"] + flags, input: Array("Once upon a time\n".utf8)),
            try Apus.run(["run", "builtin:stories"] + flags, input: Array("Once upon a time".utf8)),
            try Apus.run(["run", "builtin:stories", "Once upon a time"] + flags),
            try Apus.run(["run", "Once upon a time", "--threads", "3", "--kernels", "portable"] + flags),
            try Apus.run(["run", "--context", "100"] + flags + ["--", "Once upon a time"]),
        ]
        for other in same { #expect(other.text == plain.text, "\(other)") }

        let json = try Apus.run(["run", "Once upon a time", "--json"] + flags)
        let object = try json.json()
        #expect(
            Set(object.keys) == ["text", "prompt_ids", "ids", "logprobs", "finish_reason", "seed", "timings"])
        #expect(object["finish_reason"] as? String == "length")
        #expect("Once upon a time" + (object["text"] as? String ?? "") + "\n" == plain.text)
        let ids = try #require(object["ids"] as? [Int])
        #expect(ids.count == 12)
        let logprobs = try #require(object["logprobs"] as? [Double])
        #expect(logprobs.count == 12 && logprobs.allSatisfy { $0 <= 0 })
    }

    @Test func seedsRule() throws {
        func text(_ seed: String) throws -> Outcome {
            try Apus.run("run", "One day", "--max-tokens", "16", "--temperature", "1", "--seed", seed, "--json")
        }
        func ids(_ outcome: Outcome) throws -> [Int] { try #require(try outcome.json()["ids"] as? [Int]) }
        #expect(try ids(text("5")) == ids(text("5")))
        #expect(try ids(text("5")) != ids(text("6")))
        // A random seed is told, and gives the same answer again.
        let random = try Apus.run(
            "run", "One day", "--max-tokens", "16", "--temperature", "1", "--seed", "random", "--json")
        let seed = try #require(try random.json()["seed"] as? NSNumber)
        #expect(try ids(text("\(seed.uint64Value)")) == ids(random))
    }

    /// A second process finds what the first one computed, and says the same to the last bit.
    @Test func aPrefixStoreOutlivesTheProcess() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let prompt = String(repeating: "Once upon a time there was a little dog who liked to play. ", count: 12)
        func run(_ options: String...) throws -> (ids: [Int], logprobs: [Double], cached: Int, error: String) {
            let outcome = try Apus.run(["run", prompt, "--max-tokens", "20", "--json"] + options)
            let object = try outcome.json()
            let timings = try #require(object["timings"] as? [String: Any])
            return (
                try #require(object["ids"] as? [Int]), try #require(object["logprobs"] as? [Double]),
                try #require(timings["cached_tokens"] as? Int), outcome.error
            )
        }
        let plain = try run()
        let first = try run("--prefix-store", folder.path + "/pages")
        let second = try run(
            "--prefix-store", folder.path + "/pages", "--cache-bytes", "40M", "--prefix-store-bytes", "1GiB")
        #expect(plain.cached == 0 && first.cached == 0 && second.cached >= 128)
        for other in [first, second] { #expect(other.ids == plain.ids && other.logprobs == plain.logprobs) }
        #expect(plain.error == "" && second.error.contains("of cache for"), "\(second.error)")
    }

    @Test func stopsAndBiases() throws {
        let flags = ["--temperature", "0", "--max-tokens", "40", "--json"]
        let whole = try Apus.run(["run", "Once upon a time"] + flags).json()
        let text = try #require(whole["text"] as? String)
        let stop = String(text.dropFirst(9).prefix(7))
        let cut = try Apus.run(["run", "Once upon a time", "--stop", stop] + flags).json()
        #expect(cut["finish_reason"] as? String == "stop")
        let end = try #require(text.range(of: stop))
        #expect(cut["text"] as? String == String(text[..<end.lowerBound]))
        let first = try #require((whole["ids"] as? [Int])?.first)
        let banned = try Apus.run(["run", "Once upon a time", "--logit-bias", "\(first)=false"] + flags).json()
        #expect((banned["ids"] as? [Int])?.contains(first) == false)
    }

    @Test func chatGoesThroughTheTemplate() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let model = try folder.model(template: Self.template)
        let messages = try folder.write(
            "messages.json", #"[{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}]"#)
        let rendered = try Apus.run("template", model, "--messages", messages)
        #expect(rendered.code == 0, "\(rendered.error)")
        #expect(rendered.text == "<|bos|>system: Be kind.\n<|bos|>user: Hi\nbot:")
        let ids = try Apus.run("tokenize", model, "--special", "--json", input: rendered.output).json()["ids"] as? [Int]
        let answer = try Apus.run("run", model, "Hi", "--chat", "--system", "Be kind.", "--max-tokens", "4", "--json")
            .json()
        #expect(answer["prompt_ids"] as? [Int] == ids)

        let bare = try folder.write("bare.jinja", Self.template)
        let flags = ["--bos-token", "<s>", "--no-generation-prompt"]
        #expect(
            try Apus.run(["template", bare, "--messages", messages] + flags).text
                == "<s>system: Be kind.\n<s>user: Hi\n")
        let tools = try folder.write("tools.json", #"[{"type": "function", "function": {"name": "f"}}]"#)
        let listing = try folder.write("tools.jinja", "{{ tools[0].function.name }} {{ messages | length }}")
        #expect(try Apus.run("template", listing, "--messages", messages, "--tools", tools).text == "f 2")
    }

    @Test func tokenizeTakesBytes() throws {
        let input: [UInt8] = Array("Héllo <|end|>\n".utf8) + [0xFF, 0x00, 0xC3]
        let ids = try Apus.run("tokenize", "builtin:stories", "--json", input: input)
        #expect(ids.code == 0)
        #expect(ids.text.hasPrefix(#"{"ids":["#))
        #expect(try Apus.run("tokenize", "builtin:stories", "--decode", input: ids.output).output == input)
        let words = try Apus.run("tokenize", "builtin:stories", input: input)
        #expect(words.text.split(separator: " ").count == (try ids.json()["ids"] as? [Int])?.count)
        #expect(try Apus.run("tokenize", "builtin:stories", "--decode", input: words.output).output == input)

        func list(_ flags: String...) throws -> [Int] {
            let outcome = try Apus.run(
                ["tokenize", "builtin:stories", "--json"] + flags, input: Array("a<|end|>".utf8))
            return try #require(try outcome.json()["ids"] as? [Int])
        }
        let plain = try list()
        let special = try list("--special")
        #expect(special.count == 2 && plain.count > 2)
        #expect(try list("--special", "--bos").dropFirst() == special[...])
        // Beside the weights or alone, the same tokenizer.
        let file = Apus.repository.appendingPathComponent("Models/stories-draft/tokenizer.json").path
        #expect(try Apus.run("tokenize", file, "--json", input: input).output == ids.output)
        #expect(try Apus.run("tokenize", file, "--json", input: []).text == "{\"ids\":[]}\n")
    }

    @Test func perplexityReports() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let text = "Once upon a time there was a dog. The dog ran to the park and played with a ball.\n"
        let file = try folder.write("text.txt", text)
        let outcome = try Apus.run("perplexity", "builtin:stories", file, "--json", "--context", "16", "--stride", "8")
        let object = try outcome.json()
        #expect(outcome.code == 0)
        #expect(object["bytes"] as? Int == text.utf8.count)
        let ids = try #require(
            try Apus.run("tokenize", "builtin:stories", "--bos", "--json", input: Array(text.utf8)).json()["ids"]
                as? [Int])
        #expect(object["tokens"] as? Int == ids.count - 1)
        let value = try #require(object["perplexity"] as? Double)
        let error = try #require(object["stderr"] as? Double)
        #expect(value > 1 && error > 0)
        let piped = try Apus.run(
            "perplexity", "builtin:stories", "-", "--context", "16", "--stride", "8", input: Array(text.utf8))
        #expect(piped.text.hasPrefix(String(format: "perplexity %.4f ± %.4f\n", value, error)))
    }

    @Test func inspectPlansMemory() throws {
        func memory(_ context: String) throws -> [String: Any] {
            let outcome = try Apus.run("inspect", "builtin:stories", "--json", "--context", context)
            return try #require(try outcome.json()["memory"] as? [String: Any])
        }
        let (short, long) = (try memory("64"), try memory("640"))
        func number(_ memory: [String: Any], _ key: String) throws -> Int { try #require(memory[key] as? Int) }
        #expect(try number(long, "cache") == 10 * number(short, "cache"))
        for plan in [short, long] {
            #expect(
                try number(plan, "total") == number(plan, "weights") + number(plan, "cache") + number(plan, "scratch"))
        }
        let object = try Apus.run("inspect", "builtin:stories", "--json").json()
        let tensors = try #require(object["tensors"] as? [[String: Any]])
        let bits = tensors.reduce(0.0) { sum, tensor in
            let count = (tensor["shape"] as? [Int] ?? []).reduce(1, *)
            return sum + Double(count) * (tensor["bits_per_weight"] as? Double ?? .nan)
        }
        #expect(Int(bits / 8) == object["weight_bytes"] as? Int)
        #expect(try Apus.run("inspect", "builtin:stories").text.contains("Q8_0"))
    }

    @Test func modelsAndHelp() throws {
        #expect(try Apus.run("models").text.hasPrefix("builtin:stories"))
        #expect(try Apus.run().text.contains("run"))
        for arguments in [["help", "run"], ["run", "--help"]] {
            let help = try Apus.run(arguments)
            #expect(help.code == 0 && help.error.isEmpty)
            for flag in ["--max-tokens", "--temperature", "--seed", "--json", "--threads", "--kernels", "--context"] {
                #expect(help.text.contains(flag), "\(flag)")
            }
        }
    }
}
