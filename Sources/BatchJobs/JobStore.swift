internal import Foundation
internal import Storage

/// A job's progress in SQLite, beside its output: the plan, and which lines have their result where in the output.
///
/// The order of writing is what makes the job safe against a crash at any moment: results are first durable in the output,
/// then spoken of here, in one transaction. Bytes of the output that this file does not speak of are dropped on resuming
/// and their lines computed again, so each line is there once.
final class JobStore {
    /// What the file is called for an output.
    static func path(of output: String) -> String { output + ".apus-progress" }

    let database: Database
    private let path: String

    enum Phase: String {
        case planning
        case running
        /// The output in order of the input is complete under its temporary name.
        case ordering
        case done
    }

    /// Opens the progress of an output, making it where there is none.
    init(output: String) throws(StorageError) {
        path = Self.path(of: output)
        var options = Database.Options()
        options.isExclusive = true
        // A commit that a power failure takes back costs the lines in it, which are computed again.
        options.isDurable = false
        options.busyMilliseconds = 500
        database = try Database(path: path, options: options)
        try database.execute("CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")
    }

    /// Removes the progress of an output.
    static func remove(output: String) {
        for suffix in ["", "-wal", "-shm"] { unlink(path(of: output) + suffix) }
    }

    static func exists(output: String) -> Bool { access(path(of: output), F_OK) == 0 }

    // MARK: Facts

    func text(_ key: String) throws(StorageError) -> String? {
        let statement = try database.prepare("SELECT value FROM meta WHERE key = ?").bind(.text(key))
        defer { statement.reset() }
        return try statement.step() ? statement.text(0) : nil
    }

    func set(_ key: String, _ value: String) throws(StorageError) {
        try database.prepare("INSERT OR REPLACE INTO meta VALUES (?, ?)").bind(.text(key), .text(value)).run()
    }

    func integer(_ key: String) throws(StorageError) -> Int { Int(try text(key) ?? "") ?? 0 }
    func real(_ key: String) throws(StorageError) -> Double { Double(try text(key) ?? "") ?? 0 }

    func phase() throws(StorageError) -> Phase { Phase(rawValue: try text("phase") ?? "") ?? .planning }
    func setPhase(_ phase: Phase) throws(StorageError) { try set("phase", phase.rawValue) }

    // MARK: The plan

    /// Empties everything: a plan that was not finished begins anew.
    func beginPlanning() throws(StorageError) {
        try database.execute(
            """
            DROP TABLE IF EXISTS scan; DROP TABLE IF EXISTS nodes; DROP TABLE IF EXISTS plan; DROP TABLE IF EXISTS results;
            DELETE FROM meta;
            CREATE TABLE scan(line INTEGER PRIMARY KEY, offset INTEGER, length INTEGER, kind INTEGER, custom_id BLOB,
                path BLOB, prompt INTEGER, decode INTEGER, twin INTEGER);
            CREATE TABLE nodes(id INTEGER PRIMARY KEY, parent INTEGER, rank REAL, line INTEGER);
            CREATE TABLE plan(position INTEGER PRIMARY KEY, line INTEGER, offset INTEGER, length INTEGER, kind INTEGER,
                twin INTEGER);
            CREATE TABLE results(line INTEGER PRIMARY KEY, offset INTEGER, length INTEGER, failed INTEGER, prompt INTEGER,
                generated INTEGER, prefilled INTEGER);
            """)
    }

    /// What a line of the plan needs.
    struct Entry: Sendable {
        var position: Int
        var line: Int
        var offset: Int
        var length: Int
        var kind: LineKind
        /// An earlier line with the same `custom_id`.
        var twin: Int?
    }

    /// The next lines of the plan that have no result.
    func unfinished(after position: Int, limit: Int) throws(StorageError) -> [Entry] {
        let statement = try database.prepare(
            """
            SELECT position, line, offset, length, kind, twin FROM plan
            WHERE position > ? AND NOT EXISTS (SELECT 1 FROM results WHERE results.line = plan.line)
            ORDER BY position LIMIT ?
            """
        ).bind(.integer(position), .integer(limit))
        var entries: [Entry] = []
        while try statement.step() {
            entries.append(
                Entry(
                    position: statement.integer(0), line: statement.integer(1), offset: statement.integer(2),
                    length: statement.integer(3), kind: LineKind(rawValue: statement.integer(4)) ?? .refused,
                    twin: statement.isNull(5) ? nil : statement.integer(5)))
        }
        return entries
    }

    // MARK: Results

    struct Result: Sendable {
        var line: Int
        var offset: Int
        var length: Int
        var failed: Bool
        var prompt = 0
        var generated = 0
        var prefilled = 0
    }

    /// Takes note of results that are durable in the output.
    func record(_ results: [Result], _ facts: KeyValuePairs<String, String>) throws {
        try database.transaction {
            let insert = try database.prepare("INSERT INTO results VALUES (?, ?, ?, ?, ?, ?, ?)")
            for result in results {
                try insert.bind(
                    .integer(result.line), .integer(result.offset), .integer(result.length),
                    .integer(result.failed ? 1 : 0), .integer(result.prompt), .integer(result.generated),
                    .integer(result.prefilled)
                ).run()
            }
            for (key, value) in facts { try set(key, value) }
        }
    }

    struct Sums: Sendable {
        var lines = 0
        var failed = 0
        var prompt = 0
        var generated = 0
        var prefilled = 0
        /// One past the last byte of the output that a result stands in.
        var end = 0
    }

    func sums() throws(StorageError) -> Sums {
        let statement = try database.prepare(
            "SELECT count(*), total(failed), total(prompt), total(generated), total(prefilled), max(offset + length) FROM results")
        defer { statement.reset() }
        guard try statement.step() else { return Sums() }
        return Sums(
            lines: statement.integer(0), failed: statement.integer(1), prompt: statement.integer(2),
            generated: statement.integer(3), prefilled: statement.integer(4), end: statement.integer(5))
    }

    /// Forgets results that do not lie wholly within the first `size` bytes of the output; returns how many.
    func forget(beyond size: Int) throws(StorageError) -> Int {
        let count = try database.prepare("SELECT count(*) FROM results WHERE offset + length > ?").bind(.integer(size))
        let forgotten = try count.step() ? count.integer(0) : 0
        count.reset()
        guard forgotten > 0 else { return 0 }
        try database.prepare("DELETE FROM results WHERE offset + length > ?").bind(.integer(size)).run()
        return forgotten
    }
}

/// What becomes of a line.
enum LineKind: Int, Sendable {
    case refused = 0
    case embedding = 1
    case generation = 2
}
