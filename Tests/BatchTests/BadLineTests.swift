import BatchJobs
import Foundation
import Testing

/// What is wrong with a line is told in its own record, and ends nothing.
@Suite struct BadLineTests {
    /// Lines and the codes of their errors; nil for a good one.
    static let lines: [(line: [UInt8], code: String?)] = [
        (Array("{\"custom_id\":\"good\",\"prompt\":\"One day\",\"max_tokens\":2}".utf8), nil),
        ([], "empty_line"),
        (Array("   \t".utf8), "empty_line"),
        (Array("{\"prompt\":\"a\"".utf8), "invalid_json"),
        (Array("hello".utf8), "invalid_json"),
        (Array("{\"prompt\":\"".utf8) + [0xFF, 0xFE] + Array("\"}".utf8), "invalid_utf8"),
        ([0, 0, 0], "invalid_json"),
        (Array("[]".utf8), "invalid_line"),
        (Array("7".utf8), "invalid_line"),
        (Array("{}".utf8), "invalid_line"),
        (Array("{\"custom_id\":7,\"prompt\":\"a\"}".utf8), "invalid_line"),
        (Array("{\"custom_id\":\"good\",\"prompt\":\"Two\",\"max_tokens\":2}".utf8), "duplicate_custom_id"),
        (Array("{\"custom_id\":\"good\",\"prompt\":7}".utf8), "duplicate_custom_id"),
        (Array("{\"custom_id\":\"m\",\"method\":\"GET\",\"url\":\"/v1/completions\",\"body\":{\"prompt\":\"a\"}}".utf8), "invalid_method"),
        (Array("{\"custom_id\":\"u\",\"method\":\"POST\",\"url\":\"/v1/images\",\"body\":{\"prompt\":\"a\"}}".utf8), "invalid_url"),
        (Array("{\"custom_id\":\"v\",\"method\":\"POST\",\"body\":{\"prompt\":\"a\"}}".utf8), "invalid_url"),
        (Array("{\"custom_id\":\"w\",\"url\":\"/v1/completions\",\"body\":{\"prompt\":\"a\"},\"x\":1}".utf8), "invalid_line"),
        (Array("{\"custom_id\":\"b\",\"url\":\"/v1/completions\",\"body\":7}".utf8), "invalid_request_error"),
        (Array("{\"prompt\":null}".utf8), "invalid_value"),
        (Array("{\"prompt\":[]}".utf8), "invalid_value"),
        (Array("{\"prompt\":[1,-1]}".utf8), "invalid_value"),
        (Array("{\"prompt\":[1,99999999]}".utf8), "invalid_value"),
        (Array("{\"prompt\":\"a\",\"max_tokens\":-1}".utf8), "invalid_value"),
        (Array("{\"prompt\":\"a\",\"max_tokens\":1e30}".utf8), "invalid_value"),
        (Array("{\"prompt\":\"a\",\"temperature\":-3}".utf8), "invalid_value"),
        (Array("{\"prompt\":\"a\",\"temperature\":\"hot\"}".utf8), "invalid_value"),
        (Array("{\"prompt\":\"a\",\"top_p\":7}".utf8), "invalid_value"),
        (Array("{\"prompt\":\"a\",\"n\":0}".utf8), "invalid_value"),
        (Array("{\"prompt\":\"a\",\"n\":1000000000}".utf8), "invalid_value"),
        (Array("{\"prompt\":\"a\",\"best_of\":5}".utf8), "unsupported_value"),
        (Array("{\"prompt\":\"a\",\"suffix\":\"b\"}".utf8), "unsupported_value"),
        (Array("{\"prompt\":\"a\",\"stream\":true}".utf8), "unsupported_value"),
        (Array("{\"prompt\":\"a\",\"frobnicate\":1}".utf8), "unknown_parameter"),
        (Array("{\"prompt\":\"a\",\"logit_bias\":{\"x\":1}}".utf8), "invalid_value"),
        (Array("{\"prompt\":\"a\",\"logit_bias\":{\"99999999\":1}}".utf8), "invalid_value"),
        (Array("{\"prompt\":\"a\",\"samplers\":[\"magic\"]}".utf8), "invalid_value"),
        (Array("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}".utf8), "no_chat_template"),
        (Array("{\"messages\":[]}".utf8), "invalid_value"),
        (Array("{\"messages\":[{\"role\":\"user\"}]}".utf8), "invalid_value"),
        (Array("{\"input\":[]}".utf8), "invalid_value"),
        (Array("{\"input\":\"a\",\"dimensions\":3}".utf8), "unsupported_value"),
        (Array("{\"prompt\":\"\(String(repeating: "dog cat ", count: 2000))\"}".utf8), "context_length_exceeded"),
        (Array("{\"input\":\"\(String(repeating: "dog cat ", count: 2000))\"}".utf8), "context_length_exceeded"),
        (Array("{\"custom_id\":\"last\",\"prompt\":\"One day\",\"max_tokens\":2}".utf8), nil),
    ]

    @Test(arguments: ["\n", "\r\n"]) func eachHasItsOwnRecord(newline: String) throws {
        let folder = try Folder()
        defer { folder.remove() }
        // With a byte-order mark, and without a newline at the end.
        let text: [UInt8] = [0xEF, 0xBB, 0xBF] + Self.lines.map(\.line).joined(separator: Array(newline.utf8))
        try folder.write("in", text)
        var job = Jobs.make(folder)
        job.isOrdered = true
        let report = try Jobs.run(job)
        #expect(report.requests == Self.lines.count)
        #expect(report.failed == Self.lines.count { $0.code != nil })
        let records = String(decoding: try folder.bytes("out"), as: UTF8.self).split(separator: "\n")
        try #require(records.count == Self.lines.count)
        for (place, (expected, line)) in zip(Self.lines, records).enumerated() {
            let record = try Record(String(line))
            let shown = String(decoding: expected.line.prefix(100), as: UTF8.self)
            #expect(record.errorCode == expected.code, "\(shown): \(line.prefix(300))")
            guard let error = record.object["error"] as? [String: Any] else {
                #expect(record.status == 200)
                continue
            }
            #expect(error["line"] as? Int == place + 1)
            let message = try #require(error["message"] as? String)
            #expect(message.count > 10 && !message.contains("\n"))
            if let inner = record.body?["error"] as? [String: Any] {
                #expect(inner["message"] as? String == message && record.status == 400)
                #expect(inner["type"] as? String == "invalid_request_error")
            }
        }
    }

    /// The same prompt asked again and again has an answer of its own each time, the same in each run.
    @Test func linesWithoutASeedHaveTheirOwn() throws {
        let folder = try Folder()
        defer { folder.remove() }
        try folder.write(
            "in", lines: Array(repeating: "{\"prompt\":\"One day\",\"max_tokens\":12,\"temperature\":1}", count: 8))
        try Jobs.run(Jobs.make(folder))
        let texts = try folder.records("out").values.map { $0.choices[0]["text"] as? String ?? "" }
        #expect(Set(texts).count > 4)
        try Jobs.run(Jobs.make(folder, "again"))
        #expect(try folder.sortedLines("out") == folder.sortedLines("again"))
        var other = Jobs.make(folder, "other")
        other.defaults.seed = 1
        try Jobs.run(other)
        #expect(try folder.sortedLines("out") != folder.sortedLines("other"))
    }
}
