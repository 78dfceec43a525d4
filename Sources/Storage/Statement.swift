internal import CSQLite

#if canImport(Glibc)
    internal import Glibc
#endif

/// A compiled statement with its values: bind, step through its rows, again.
public final class Statement {
    private let handle: OpaquePointer
    private let database: Database

    init(_ handle: OpaquePointer, _ database: Database) {
        self.handle = handle
        self.database = database
    }

    deinit { sqlite3_finalize(handle) }

    /// A value that goes into a statement.
    public enum Value: Sendable {
        case null
        case integer(Int)
        case real(Double)
        case text(String)
        case bytes([UInt8])
    }

    /// Begins anew with these values for the statement's question marks, in order.
    ///
    /// - Throws: ``StorageError`` where their number is another.
    @discardableResult
    public func bind(_ values: Value...) throws(StorageError) -> Statement {
        sqlite3_reset(handle)
        guard Int(sqlite3_bind_parameter_count(handle)) == values.count else {
            throw StorageError(
                path: database.path, kind: .failed,
                reason: "a statement takes \(sqlite3_bind_parameter_count(handle)) values and was given \(values.count)")
        }
        for (place, value) in values.enumerated() {
            let index = Int32(place + 1)
            switch value {
            case .null: try database.check(sqlite3_bind_null(handle, index))
            case .integer(let integer): try database.check(sqlite3_bind_int64(handle, index, Int64(integer)))
            case .real(let real): try database.check(sqlite3_bind_double(handle, index, real))
            case .text(let text):
                let bytes = Array(text.utf8)
                let status = bytes.withUnsafeBytes {
                    sqlite3_bind_text(handle, index, $0.bindMemory(to: CChar.self).baseAddress ?? Self.nothing, Int32($0.count), -1)
                }
                try database.check(status)
            case .bytes(let bytes):
                let status = bytes.withUnsafeBytes {
                    sqlite3_bind_blob(handle, index, $0.baseAddress ?? UnsafeRawPointer(Self.nothing), Int32($0.count), -1)
                }
                try database.check(status)
            }
        }
        return self
    }

    /// Moves to the next row; false after the last, where the statement is ready to begin anew.
    public func step() throws(StorageError) -> Bool {
        errno = 0
        let status = sqlite3_step(handle)
        let system = errno
        if status == Int32(APUS_SQLITE_ROW) { return true }
        // Resetting gives the error of the step again, in all its detail.
        let reset = sqlite3_reset(handle)
        guard status == Int32(APUS_SQLITE_DONE) else {
            try database.check(reset == 0 ? status : reset, system: system)
            return false
        }
        return false
    }

    /// Runs a statement that gives no rows.
    public func run() throws(StorageError) { while try step() {} }

    /// Forgets the row it stands at, and gives up what it locks.
    public func reset() { sqlite3_reset(handle) }

    // MARK: The present row

    public func isNull(_ column: Int) -> Bool {
        sqlite3_column_type(handle, Int32(column)) == Int32(APUS_SQLITE_NULL)
    }

    public func integer(_ column: Int) -> Int { Int(sqlite3_column_int64(handle, Int32(column))) }

    public func real(_ column: Int) -> Double { sqlite3_column_double(handle, Int32(column)) }

    public func bytes(_ column: Int) -> [UInt8] {
        let base = sqlite3_column_blob(handle, Int32(column))
        let count = Int(sqlite3_column_bytes(handle, Int32(column)))
        return Array(UnsafeRawBufferPointer(start: base, count: base == nil ? 0 : count))
    }

    public func text(_ column: Int) -> String { String(decoding: bytes(column), as: UTF8.self) }

    /// Where empty values point: a null pointer would mean no value.
    nonisolated(unsafe) private static let nothing: UnsafePointer<CChar> = {
        let byte = UnsafeMutablePointer<CChar>.allocate(capacity: 1)
        byte.pointee = 0
        return UnsafePointer(byte)
    }()
}
