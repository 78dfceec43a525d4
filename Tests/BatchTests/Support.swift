import Apus
import BatchJobs
import Foundation
import Inference
import Testing

/// A folder that goes away with the test.
struct Folder {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("apus batch é \(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    func file(_ name: String) -> String { path + "/" + name }

    @discardableResult
    func write(_ name: String, _ bytes: some Sequence<UInt8>) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: file(name)))
        return file(name)
    }

    @discardableResult
    func write(_ name: String, lines: [String]) throws -> String {
        try write(name, lines.map { $0 + "\n" }.joined().utf8)
    }

    func bytes(_ name: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: file(name)))) }

    /// Lines of a file, which must end with a newline, in an order of their own.
    func sortedLines(_ name: String) throws -> [String] {
        var lines = String(decoding: try bytes(name), as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.popLast() == "")
        return lines.map { String($0) }.sorted()
    }

    func remove() { try? FileManager.default.removeItem(atPath: path) }
}

/// A line of output, read by Foundation.
struct Record {
    let customID: String
    let object: [String: Any]

    init(_ line: String) throws {
        object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        customID = try #require(object["custom_id"] as? String)
    }

    var body: [String: Any]? { (object["response"] as? [String: Any])?["body"] as? [String: Any] }
    var status: Int? { (object["response"] as? [String: Any])?["status_code"] as? Int }
    var errorCode: String? { (object["error"] as? [String: Any])?["code"] as? String }
    var choices: [[String: Any]] { body?["choices"] as? [[String: Any]] ?? [] }
}

extension Folder {
    func records(_ name: String) throws -> [String: Record] {
        let records = try sortedLines(name).map { try Record($0) }
        return Dictionary(uniqueKeysWithValues: records.map { ($0.customID, $0) })
    }
}

/// Runs jobs in this process.
enum Jobs {
    static func make(_ folder: Folder, _ output: String = "out", input: String = "in") -> BatchJob {
        var job = BatchJob(input: folder.file(input), output: folder.file(output), model: "builtin:stories")
        job.created = 1
        job.commitInterval = 0
        job.engine.cacheBytes = 64 << 20
        return job
    }

    @discardableResult
    static func run(_ job: BatchJob) throws -> BatchJob.Report {
        guard case .finished(let report) = try job.run(stops: { false }, report: { _ in }) else {
            throw Unfinished()
        }
        return report
    }

    struct Unfinished: Error {}

    /// Lines of all kinds, with prefixes shared by several and in no order.
    static func mixed(_ count: Int, seed: UInt64 = 1) -> [String] {
        var random = Random(state: seed)
        let words = "the little dog ran to big red house and saw a cat with happy girl who had lost her ball".split(separator: " ")
        func text(_ count: Int) -> String { (0..<count).map { _ in words[random.below(words.count)] }.joined(separator: " ") }
        let shared = (0..<max(count / 8, 2)).map { _ in text(70 + random.below(80)) }
        return (0..<count).map { index in
            let prompt = shared[random.below(shared.count)] + " " + text(2 + random.below(12))
            let limit = [1, 6, 12, 20][random.below(4)]
            let rest = "\"max_tokens\":\(limit),\"temperature\":\([0, 0.8, 1][random.below(3)])"
            switch random.below(10) {
            case 0: return "{\"custom_id\":\"r\(index)\",\"input\":\"\(prompt)\"}"
            case 1: return "{\"prompt\":\"\(prompt)\",\(rest),\"n\":3}"
            case 2: return "{\"custom_id\":\"r\(index)\",\"prompt\":\"\(prompt)\",\(rest),\"logprobs\":2,\"echo\":true}"
            case 3: return "{\"custom_id\":\"r\(index)\",\"prompt\":\"\(prompt)\",\(rest),\"stop\":[\" the\",\".\"]}"
            case 4: return ["", "no", "{\"prompt\":7}", "{\"prompt\":\"a\",\"zzz\":1}"][random.below(4)]
            default:
                return "{\"custom_id\":\"r\(index)\",\"method\":\"POST\",\"url\":\"/v1/completions\",\"body\":"
                    + "{\"prompt\":\"\(prompt)\",\(rest),\"logprobs\":1}}"
            }
        }
    }
}

/// SplitMix64, for tests that depend on chance with a fixed seed.
struct Random {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }

    mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }
}
