internal import CSQLite

#if canImport(Glibc)
    internal import Glibc
#endif

/// A SQLite database in a file: the one way in which Apus keeps state that must survive a crash.
///
/// Write-ahead logging: a transaction is in the database whole or not at all, whatever happens to the process or the
/// machine. Not thread-safe: one owner at a time.
public final class Database {
    public let path: String
    private let handle: OpaquePointer

    /// How a database is opened.
    public struct Options: Sendable {
        /// Whether no other process may use it while it is open.
        public var isExclusive = false
        /// Whether a committed transaction survives a power failure. Where false the newest ones may be missing after
        /// one, but what is there is whole.
        public var isDurable = true
        /// How long to wait for another process's lock.
        public var busyMilliseconds: Int32 = 5000
        /// Kibibytes of memory for pages.
        public var cacheKibibytes = 16_384

        public init() {}
    }

    /// Opens a database, making it where there is none.
    ///
    /// - Throws: ``StorageError`` where the file cannot be had or is no database.
    public init(path: String, options: Options = Options()) throws(StorageError) {
        self.path = path
        var opened: OpaquePointer?
        let flags = APUS_SQLITE_OPEN_READWRITE | APUS_SQLITE_OPEN_CREATE | APUS_SQLITE_OPEN_NOMUTEX
        let status = sqlite3_open_v2(path, &opened, Int32(flags), nil)
        guard status == 0, let opened else {
            let error = Self.error(path, status, opened)
            _ = sqlite3_close_v2(opened)
            throw error
        }
        handle = opened
        sqlite3_busy_timeout(handle, options.busyMilliseconds)
        if options.isExclusive { try execute("PRAGMA locking_mode = EXCLUSIVE") }
        try execute("PRAGMA journal_mode = WAL")
        try execute("PRAGMA synchronous = \(options.isDurable ? "FULL" : "NORMAL")")
        try execute("PRAGMA cache_size = -\(options.cacheKibibytes)")
        try execute("PRAGMA temp_store = FILE")
        // The first write takes the exclusive lock, and tells a file that is no database.
        if options.isExclusive { try execute("BEGIN EXCLUSIVE; COMMIT") }
    }

    deinit { sqlite3_close_v2(handle) }

    /// Runs statements that give no rows and take no values, separated by semicolons.
    public func execute(_ sql: String) throws(StorageError) {
        var rest = Array(sql.utf8CString)
        var start = 0
        while start < rest.count - 1 {
            var next = start
            let statement: Statement? = try rest.withUnsafeMutableBufferPointer { buffer throws(StorageError) in
                let base = UnsafePointer(buffer.baseAddress! + start)
                var (compiled, tail): (OpaquePointer?, UnsafePointer<CChar>?) = (nil, nil)
                try check(sqlite3_prepare_v2(handle, base, -1, &compiled, &tail))
                next = start + (tail! - base)
                return compiled.map { Statement($0, self) }
            }
            start = next
            while try statement?.step() == true {}
        }
    }

    /// Compiles one statement, to be run any number of times.
    public func prepare(_ sql: String) throws(StorageError) -> Statement {
        var compiled: OpaquePointer?
        try check(sqlite3_prepare_v2(handle, sql, -1, &compiled, nil))
        return Statement(compiled!, self)
    }

    /// Runs a closure inside a transaction: all of it counts, or, where it throws, nothing.
    public func transaction<Value>(_ body: () throws -> Value) throws -> Value {
        try execute("BEGIN IMMEDIATE")
        do {
            let value = try body()
            try execute("COMMIT")
            return value
        } catch {
            // Where the rollback fails too, SQLite has already rolled back by itself.
            try? execute("ROLLBACK")
            throw error
        }
    }

    /// - Parameter system: `errno` of the failure, where it is known.
    func check(_ status: Int32, system: Int32 = 0) throws(StorageError) {
        guard status == 0 else { throw Self.error(path, status, handle, system: system) }
    }

    private static func error(
        _ path: String, _ status: Int32, _ handle: OpaquePointer?, system: Int32 = 0
    ) -> StorageError {
        let kind: StorageError.Kind =
            switch status & 0xFF {
            case Int32(APUS_SQLITE_IOERR) where [ENOSPC, EDQUOT, EFBIG].contains(system): .full
            case Int32(APUS_SQLITE_BUSY): .busy
            case Int32(APUS_SQLITE_FULL): .full
            case Int32(APUS_SQLITE_CANTOPEN): .unopenable
            case Int32(APUS_SQLITE_CORRUPT), Int32(APUS_SQLITE_NOTADB): .damaged
            default: .failed
            }
        let reason = handle.map { String(cString: sqlite3_errmsg($0)) } ?? "out of memory"
        let code = handle.map { sqlite3_extended_errcode($0) } ?? status
        return StorageError(path: path, kind: kind, reason: "\(reason) (SQLite \(code))")
    }
}
