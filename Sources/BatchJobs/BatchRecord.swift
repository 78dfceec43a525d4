internal import OpenAI
internal import Text

/// A line of the output: the OpenAI batch format's.
///
/// `{"id", "custom_id", "response": {"status_code", "request_id", "body"}, "error"}`; where a line has no answer, `error` says why in `code`,
/// `message` and `line`, and `response` holds the API's own error, or is null where the line was no request.
enum BatchRecord {
    static func answer(_ customID: String, _ id: String, _ body: JSONValue) -> [UInt8] {
        record(customID, id, .members(["status_code": .integer(200), "request_id": .string("req_" + id), "body": body]), .null)
    }

    static func refusal(_ line: Int, _ customID: String, _ id: String, _ error: LineError) -> [UInt8] {
        let response = error.request.map { request in
            JSONValue.members([
                "status_code": .integer(request.status), "request_id": .string("req_" + id), "body": request.body,
            ])
        }
        return record(
            customID, id, response ?? .null,
            .members(["code": .string(error.code), "message": .string(error.message), "line": .integer(line)]))
    }

    private static func record(_ customID: String, _ id: String, _ response: JSONValue, _ error: JSONValue) -> [UInt8] {
        JSONValue.members([
            "id": .string("batch_req_" + id), "custom_id": .string(customID), "response": response, "error": error,
        ]).jsonBytes + [UInt8(ascii: "\n")]
    }

    /// A request's name: of the job's input, the line and its id, so that every run gives the same.
    static func id(_ line: Int, _ customID: String, job: UInt64) -> String {
        var digest = Digest(seed: job)
        digest.add(UInt64(line))
        digest.add(Array(customID.utf8))
        let digits = String(digest.value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
