internal import Foundation
internal import Logging
internal import OpenAI
internal import Storage
internal import Text

/// What the server keeps between requests and across restarts: files, batches and responses, each its owner's alone.
///
/// A SQLite database in the state's folder tells of all of them; files' bytes lie beside it.
actor ServerState {
    let folder: String
    private let database: Database
    private let settings: ServerSettings
    private let log: Logger

    /// - Throws: ``ServerError`` where the folder cannot be used, or another server uses it.
    init(folder: String, settings: ServerSettings, log: Logger) throws {
        self.folder = folder
        self.settings = settings
        self.log = log
        try Self.prepare(folder)
        database = try Self.open(folder)
        try database.prepare("DELETE FROM responses WHERE created < ?")
            .bind(.integer(Service.now - settings.limits.responseDays * 86_400)).run()
    }

    private static func prepare(_ folder: String) throws(ServerError) {
        do {
            for name in ["files", "uploads", "batches"] {
                try FileManager.default.createDirectory(
                    atPath: folder + "/" + name, withIntermediateDirectories: true,
                    attributes: [.posixPermissions: 0o700])
            }
            // What a crash has left of uploads.
            for name in try FileManager.default.contentsOfDirectory(atPath: folder + "/uploads") {
                try FileManager.default.removeItem(atPath: folder + "/uploads/" + name)
            }
        } catch {
            throw ServerError(
                "the state's folder '\(folder)' cannot be used (\(error.localizedDescription)); name another with --state")
        }
    }

    private static func open(_ folder: String) throws -> Database {
        var options = Database.Options()
        options.isExclusive = true
        options.busyMilliseconds = 5000
        options.cacheKibibytes = 4096
        let database: Database
        do throws(StorageError) {
            database = try Database(path: folder + "/state.sqlite", options: options)
        } catch {
            guard error.kind == .busy else { throw error }
            throw ServerError("another server uses the state's folder '\(folder)'; name another with --state")
        }
        try database.execute(
            """
            CREATE TABLE IF NOT EXISTS files(
                id TEXT PRIMARY KEY, owner TEXT, created INTEGER, name TEXT, purpose TEXT, bytes INTEGER) WITHOUT ROWID;
            CREATE TABLE IF NOT EXISTS batches(
                id TEXT PRIMARY KEY, owner TEXT, created INTEGER, status TEXT, object TEXT) WITHOUT ROWID;
            CREATE TABLE IF NOT EXISTS responses(
                id TEXT PRIMARY KEY, owner TEXT, created INTEGER, object TEXT, conversation TEXT) WITHOUT ROWID;
            CREATE INDEX IF NOT EXISTS files_owner ON files(owner, created, id);
            CREATE INDEX IF NOT EXISTS batches_owner ON batches(owner, created, id);
            CREATE INDEX IF NOT EXISTS responses_created ON responses(created);
            """)
        return database
    }

    // MARK: Files

    struct File: Sendable {
        var id: String
        var created: Int
        var name: String
        var purpose: String
        var bytes: Int

        var object: JSONValue {
            .members([
                "id": .string(id), "object": .string("file"), "bytes": .integer(bytes), "created_at": .integer(created),
                "filename": .string(name), "purpose": .string(purpose), "status": .string("processed"),
            ])
        }
    }

    nonisolated func path(ofFile id: String) -> String { folder + "/files/" + id }

    /// A path where nothing is yet, for what is being received.
    nonisolated func uploadPath() -> String { folder + "/uploads/" + RandomName.make() }

    /// Takes a file over, whole or not at all.
    func addFile(at path: String, name: String, purpose: String, owner: String) throws -> File {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        let bytes = (attributes[.size] as? NSNumber)?.intValue ?? 0
        let kept = try database.prepare("SELECT total(bytes) FROM files WHERE owner = ?").bind(.text(owner))
        _ = try kept.step()
        let sum = Int(kept.real(0))
        kept.reset()
        guard sum + bytes <= settings.limits.keptFileBytes else {
            throw APIError(
                "\(sum) bytes of files are kept and \(bytes) more are over the \(settings.limits.keptFileBytes) that may be; delete some",
                status: 413, code: "storage_full")
        }
        let file = File(id: "file-" + RandomName.make(), created: Service.now, name: name, purpose: purpose, bytes: bytes)
        try FileManager.default.moveItem(atPath: path, toPath: self.path(ofFile: file.id))
        try database.prepare("INSERT INTO files VALUES (?, ?, ?, ?, ?, ?)")
            .bind(
                .text(file.id), .text(owner), .integer(file.created), .text(name), .text(purpose), .integer(bytes)
            ).run()
        return file
    }

    func file(_ id: String, owner: String) throws -> File {
        let found = try database.prepare("SELECT id, created, name, purpose, bytes FROM files WHERE id = ? AND owner = ?")
            .bind(.text(id), .text(owner))
        defer { found.reset() }
        guard try found.step() else {
            throw APIError("there is no file '\(id)'", status: 404, parameter: "id", code: "not_found")
        }
        return Self.file(found)
    }

    private static func file(_ row: Statement) -> File {
        File(id: row.text(0), created: row.integer(1), name: row.text(2), purpose: row.text(3), bytes: row.integer(4))
    }

    /// Newest first.
    func files(owner: String, purpose: String?) throws -> [File] {
        let rows = try database.prepare(
            "SELECT id, created, name, purpose, bytes FROM files WHERE owner = ?1 AND (?2 = '' OR purpose = ?2) "
                + "ORDER BY created DESC, id DESC"
        ).bind(.text(owner), .text(purpose ?? ""))
        var files: [File] = []
        while try rows.step() { files.append(Self.file(rows)) }
        return files
    }

    func deleteFile(_ id: String, owner: String) throws {
        _ = try file(id, owner: owner)
        try database.prepare("DELETE FROM files WHERE id = ?").bind(.text(id)).run()
        try? FileManager.default.removeItem(atPath: path(ofFile: id))
    }

    // MARK: Batches

    func put(_ batch: StoredBatch) throws {
        try database.prepare("INSERT OR REPLACE INTO batches VALUES (?, ?, ?, ?, ?)")
            .bind(
                .text(batch.id), .text(batch.owner), .integer(batch.created), .text(batch.status.rawValue),
                .text(batch.stored.jsonText)
            ).run()
    }

    func batch(_ id: String, owner: String?) throws -> StoredBatch {
        let found = try database.prepare("SELECT object FROM batches WHERE id = ? AND (?2 = '*' OR owner = ?2)")
            .bind(.text(id), .text(owner ?? "*"))
        defer { found.reset() }
        guard try found.step() else {
            throw APIError("there is no batch '\(id)'", status: 404, parameter: "id", code: "not_found")
        }
        return try StoredBatch(stored: try JSONValue(parsing: found.bytes(0)))
    }

    /// Newest first.
    func batches(owner: String) throws -> [StoredBatch] {
        let rows = try database.prepare(
            "SELECT object FROM batches WHERE owner = ? ORDER BY created DESC, id DESC"
        ).bind(.text(owner))
        var batches: [StoredBatch] = []
        while try rows.step() { batches.append(try StoredBatch(stored: try JSONValue(parsing: rows.bytes(0)))) }
        return batches
    }

    /// Those that have not ended, oldest first.
    func unfinishedBatches() throws -> [StoredBatch] {
        let rows = try database.prepare(
            "SELECT object FROM batches WHERE status IN ('validating', 'in_progress', 'finalizing', 'cancelling') ORDER BY created, id")
        var batches: [StoredBatch] = []
        while try rows.step() { batches.append(try StoredBatch(stored: try JSONValue(parsing: rows.bytes(0)))) }
        return batches
    }

    // MARK: Responses

    func put(response id: String, owner: String, object: JSONValue, conversation: [JSONValue]) throws {
        try database.prepare("INSERT OR REPLACE INTO responses VALUES (?, ?, ?, ?, ?)")
            .bind(
                .text(id), .text(owner), .integer(Service.now), .text(object.jsonText),
                .text(JSONValue.array(conversation).jsonText)
            ).run()
    }

    /// A response, and the conversation that it ends.
    func response(_ id: String, owner: String) throws -> (object: JSONValue, conversation: [JSONValue]) {
        let found = try database.prepare("SELECT object, conversation FROM responses WHERE id = ? AND owner = ?")
            .bind(.text(id), .text(owner))
        defer { found.reset() }
        guard try found.step() else {
            throw APIError(
                "there is no response '\(id)'", status: 404, parameter: "response_id", code: "not_found")
        }
        let conversation = try JSONValue(parsing: found.bytes(1)).arrayValue ?? []
        return (try JSONValue(parsing: found.bytes(0)), conversation)
    }

    func deleteResponse(_ id: String, owner: String) throws {
        _ = try response(id, owner: owner)
        try database.prepare("DELETE FROM responses WHERE id = ?").bind(.text(id)).run()
    }
}
