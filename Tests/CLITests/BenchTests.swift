import Foundation
import Testing

/// `apus bench`: the fields that programs read, and wrong calls.
@Suite(.serialized) struct BenchTests {
    @Test func limitsAsJSON() throws {
        let outcome = try Apus.run("bench", "--limits", "--json", "--threads", "1", "--table", "portable")
        #expect(outcome.code == 0, "\(outcome.error)")
        let object = try outcome.json()
        let limits = try #require(object["limits"] as? [String: Any])
        for name in ["read_gbps", "fma_gflops", "int8_gops"] {
            #expect(try #require(limits[name] as? Double) > 0, "\(name)")
        }
        #expect((object["by_threads"] as? [Any])?.count == 1)
    }

    @Test func modelAsJSON() throws {
        let outcome = try Apus.run(
            "bench", "builtin:stories", "--prompt", "24", "--generate", "4", "--batch", "1,3", "--threads", "1",
            "--repeats", "2", "--json")
        #expect(outcome.code == 0, "\(outcome.error)")
        let object = try outcome.json()
        let limits = try #require(object["limits"] as? [String: Any])
        #expect(Set(["read_gbps", "fma_gflops", "int8_gops"]).isSubset(of: Set(limits.keys)))
        let prefill = try #require(object["prefill"] as? [[String: Any]])
        #expect(prefill.map { $0["tokens"] as? Int } == [24])
        for name in ["tokens_per_s", "share_of_peak"] { #expect(try #require(prefill[0][name] as? Double) > 0) }
        let decode = try #require(object["decode"] as? [[String: Any]])
        #expect(decode.map { $0["batch"] as? Int } == [1, 3])
        for row in decode {
            for name in ["tokens_per_s", "share_of_read"] { #expect(try #require(row[name] as? Double) > 0) }
        }
    }

    @Test func lists() throws {
        let shapes = try Apus.run("bench", "--shape", "list")
        #expect(shapes.code == 0 && shapes.text.contains("llama-1b") && shapes.text.contains("1236 M"))
        let formats = try Apus.run("bench", "--format", "list")
        #expect(formats.text.split(separator: "\n").contains("q4_k"))
    }

    @Test(arguments: [
        ([], "nothing to measure"), (["builtin:stories", "--limits"], "one of"), (["--limits", "--threads", "0"], "--threads"),
        (["--limits", "--table", "mmx"], "mmx"), (["--shape", "llama-2t"], "llama-2t"),
        (["--shape", "llama-1b", "--format", "q9"], "q9"), (["--shape", "llama-1b", "--format", "q8_0,q4_0"], "--format"),
        (["builtin:stories", "--format", "q8_0"], "--format"), (["builtin:stories", "--keep", "x"], "--keep"),
        (["builtin:stories", "--batch", "0"], "--batch"), (["builtin:stories", "--batch", "1,x"], "--batch"),
        (["builtin:stories", "--prompt", "-1"], "--prompt"), (["builtin:stories", "--generate", "-1"], "--generate"),
        (["builtin:stories", "--repeats", "0"], "--repeats"),
        (["builtin:stories", "--profile", "--kernels-only"], "--profile"),
    ]) func wrongCallsAreRefused(_ flags: [String], _ part: String) throws {
        let outcome = try Apus.run(["bench"] + flags)
        #expect(outcome.code == 2 && outcome.output.isEmpty)
        #expect(outcome.error.hasPrefix("apus: ") && outcome.error.count { $0 == "\n" } == 1, "\(outcome.error)")
        #expect(outcome.error.contains(part), "\(outcome.error)")
    }

    @Test func tooLongForTheModel() throws {
        let outcome = try Apus.run("bench", "builtin:stories", "--prompt", "999999", "--threads", "1")
        #expect(outcome.code == 1 && outcome.error.contains("positions"), "\(outcome.error)")
    }
}
