internal import Foundation
internal import OpenAI
internal import Text

/// What a file of requests holds, before any is answered.
struct BatchSurvey: Sendable {
    struct Mistake: Sendable {
        var code: String
        var message: String
        var line: Int?
    }

    static let lineLimit = 50_000
    private(set) var lines = 0
    /// The model that the lines name, where they name one.
    private(set) var model: String?
    /// No more than the first hundred.
    private(set) var mistakes: [Mistake] = []

    private var ids: Set<String> = []
    private let endpoint: String

    /// - Throws: ``APIError`` where the file cannot be read.
    /// - Complexity: O(bytes); memory for the longest line, and for the ids.
    init(path: String, endpoint: String) throws {
        self.endpoint = endpoint
        var reader = try LineReader(path)
        while mistakes.count < 100, let line = try reader.next() { look(at: line.bytes, line.number) }
        if lines == 0 { note("empty_file", "the file has no requests", nil) }
        ids = []
    }

    private mutating func look(at line: [UInt8], _ number: Int) {
        lines += 1
        guard lines <= Self.lineLimit else {
            if lines == Self.lineLimit + 1 {
                note("too_many_lines", "the file has more than \(Self.lineLimit) lines; split it", nil)
            }
            return
        }
        guard let value = try? JSONValue(parsing: line), value.objectValue != nil else {
            return note("invalid_json_line", "line \(number) is no JSON object", number)
        }
        guard let id = value["custom_id"]?.stringValue, !id.isEmpty else {
            return note("missing_required_parameter", "line \(number) has no custom_id", number)
        }
        if !ids.insert(id).inserted {
            note("duplicate_custom_id", "line \(number) has the custom_id '\(id)' of an earlier one", number)
        }
        if value["method"]?.stringValue != "POST" {
            note("invalid_method", "line \(number): method must be POST", number)
        }
        if value["url"]?.stringValue != endpoint {
            note("mismatched_endpoint", "line \(number): url must be the batch's endpoint, \(endpoint)", number)
        }
        guard let body = value["body"], body.objectValue != nil else {
            return note("missing_required_parameter", "line \(number) has no body", number)
        }
        guard let name = body["model"]?.stringValue else { return }
        if model != nil, model != name {
            note("mismatched_model", "line \(number) names another model ('\(name)') than the lines before", number)
        }
        model = model ?? name
    }

    private mutating func note(_ code: String, _ message: String, _ line: Int?) {
        mistakes.append(Mistake(code: code, message: message, line: line))
    }
}

/// Reads a file line by line; blank lines are none, and count.
struct LineReader {
    private let file: FileHandle
    private var rest: [UInt8] = []
    /// Where in `rest` the next line begins.
    private var start = 0
    private var number = 0
    private var hasEnded = false

    /// - Throws: ``APIError`` where the file cannot be read.
    init(_ path: String) throws {
        guard let file = FileHandle(forReadingAtPath: path) else {
            throw APIError("the batch's input file is gone", status: 404, code: "not_found")
        }
        self.file = file
    }

    /// A line without its end, and its number from 1; nil after the last.
    mutating func next() throws -> (bytes: [UInt8], number: Int)? {
        while true {
            while let end = rest[start...].firstIndex(of: 0x0A) {
                number += 1
                let line = rest[start..<end]
                start = end + 1
                if Self.hasContent(line) { return (Array(line), number) }
            }
            guard !hasEnded else {
                defer { rest = [] }
                let line = rest.dropFirst(start)
                start = 0
                return Self.hasContent(line) ? (Array(line), number + 1) : nil
            }
            rest.removeFirst(start)
            start = 0
            let data = try file.read(upToCount: 1 << 20) ?? Data()
            hasEnded = data.isEmpty
            rest += data
        }
    }

    private static func hasContent(_ line: ArraySlice<UInt8>) -> Bool {
        line.contains { ![0x20, 0x09, 0x0D].contains($0) }
    }
}

/// Parts a job's output: answers, and lines that tell an error.
enum BatchSplit {
    /// - Returns: lines of each; where there is no output yet, none.
    static func run(_ answers: String, good: String, bad: String) throws -> (good: Int, bad: Int) {
        var counts = (good: 0, bad: 0)
        guard FileManager.default.fileExists(atPath: answers) else { return counts }
        func make(_ path: String) throws -> FileHandle {
            guard FileManager.default.createFile(atPath: path, contents: nil, attributes: [.posixPermissions: 0o600]),
                let file = FileHandle(forWritingAtPath: path)
            else { throw APIError("\(path) cannot be made", status: 500, type: "server_error") }
            return file
        }
        let files = (good: try make(good), bad: try make(bad))
        var reader = try LineReader(answers)
        while let line = try reader.next()?.bytes {
            let isBad = (try? JSONValue(parsing: line)).flatMap { $0["error"] }.map { !$0.isNull } ?? true
            try (isBad ? files.bad : files.good).write(contentsOf: line + [0x0A])
            if isBad { counts.bad += 1 } else { counts.good += 1 }
        }
        for file in [files.good, files.bad] {
            try file.synchronize()
            try file.close()
        }
        return counts
    }
}
