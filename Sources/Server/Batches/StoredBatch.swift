internal import OpenAI
internal import Text

/// A batch as the server keeps it.
struct StoredBatch: Sendable {
    enum Status: String, Sendable {
        case validating, failed
        case inProgress = "in_progress"
        case finalizing, completed, cancelling, cancelled

        var hasEnded: Bool { [.failed, .completed, .cancelled].contains(self) }
    }

    let id: String
    let owner: String
    let created: Int
    let endpoint: String
    let input: String
    let window: String
    let metadata: JSONValue
    var status = Status.validating
    /// The model that its lines name, once they were looked at.
    var model: String?
    var total = 0
    var completed = 0
    var failed = 0
    var output: String?
    var errorFile: String?
    /// Why it failed as a whole: objects with `code`, `message`, `param` and `line`.
    var errors: [JSONValue] = []
    /// When it came into each status.
    var times: [String: Int] = [:]

    init(owner: String, endpoint: String, input: String, window: String, metadata: JSONValue) {
        id = "batch_" + RandomName.make()
        self.owner = owner
        created = Service.now
        self.endpoint = endpoint
        self.input = input
        self.window = window
        self.metadata = metadata
    }

    mutating func enter(_ status: Status) {
        self.status = status
        times[status.rawValue] = Service.now
    }

    mutating func fail(_ code: String, _ message: String, line: Int? = nil) {
        errors.append(
            .members([
                "code": .string(code), "message": .string(message), "param": .null,
                "line": line.map { .integer($0) } ?? .null,
            ]))
        enter(.failed)
    }

    /// What the API tells.
    var object: JSONValue {
        func time(_ name: String) -> JSONValue { times[name].map { .integer($0) } ?? .null }
        return .members([
            "id": .string(id), "object": .string("batch"), "endpoint": .string(endpoint),
            "model": .optional(model),
            "errors": errors.isEmpty
                ? .null : .members(["object": .string("list"), "data": .array(errors)]),
            "input_file_id": .string(input), "completion_window": .string(window), "status": .string(status.rawValue),
            "output_file_id": .optional(output), "error_file_id": .optional(errorFile), "created_at": .integer(created),
            "in_progress_at": time("in_progress"), "expires_at": .null, "finalizing_at": time("finalizing"),
            "completed_at": time("completed"), "failed_at": time("failed"), "expired_at": .null,
            "cancelling_at": time("cancelling"), "cancelled_at": time("cancelled"),
            "request_counts": .members([
                "total": .integer(total), "completed": .integer(completed), "failed": .integer(failed),
            ]),
            "metadata": metadata,
        ])
    }

    // MARK: In the database

    /// All of it.
    var stored: JSONValue {
        .members([
            "id": .string(id), "owner": .string(owner), "created": .integer(created), "endpoint": .string(endpoint),
            "input": .string(input), "window": .string(window), "metadata": metadata,
            "status": .string(status.rawValue), "model": .optional(model), "total": .integer(total),
            "completed": .integer(completed), "failed": .integer(failed), "output": .optional(output),
            "error_file": .optional(errorFile), "errors": .array(errors),
            "times": .object(
                times.sorted { $0.key < $1.key }.map { JSONValue.Member(key: $0.key, value: .integer($0.value)) }),
        ])
    }

    /// - Throws: ``APIError`` where the database holds something else.
    init(stored: JSONValue) throws(APIError) {
        guard let id = stored["id"]?.stringValue, let owner = stored["owner"]?.stringValue,
            let created = stored["created"]?.intValue, let endpoint = stored["endpoint"]?.stringValue,
            let input = stored["input"]?.stringValue, let status = Status(rawValue: stored["status"]?.stringValue ?? "")
        else {
            throw APIError("the server's database holds a batch that cannot be read", status: 500, type: "server_error")
        }
        self.id = id
        self.owner = owner
        self.created = created
        self.endpoint = endpoint
        self.input = input
        self.status = status
        window = stored["window"]?.stringValue ?? "24h"
        metadata = stored["metadata"] ?? .null
        model = stored["model"]?.stringValue
        total = stored["total"]?.intValue ?? 0
        completed = stored["completed"]?.intValue ?? 0
        failed = stored["failed"]?.intValue ?? 0
        output = stored["output"]?.stringValue
        errorFile = stored["error_file"]?.stringValue
        errors = stored["errors"]?.arrayValue ?? []
        for member in stored["times"]?.objectValue ?? [] { times[member.key] = member.value.intValue }
    }
}
