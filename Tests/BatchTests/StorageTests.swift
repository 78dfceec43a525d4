import Foundation
import Storage
import Testing

@Suite struct StorageTests {
    @Test func valuesComeBackAsTheyWere() throws {
        let folder = try Folder()
        defer { folder.remove() }
        let database = try Database(path: folder.file("a.db"))
        try database.execute("CREATE TABLE t(k INTEGER PRIMARY KEY, v); CREATE INDEX i ON t(v);")
        let insert = try database.prepare("INSERT INTO t VALUES (?, ?)")
        let all = [UInt8](0...255)
        let values: [Statement.Value] = [
            .null, .integer(.min), .integer(.max), .real(-1.5e300), .text("né\0x 🐟"), .text(""), .bytes(all), .bytes([]),
        ]
        for (key, value) in values.enumerated() { try insert.bind(.integer(key), value).run() }
        let rows = try database.prepare("SELECT v, typeof(v) FROM t ORDER BY k")
        var kinds: [String] = []
        for key in values.indices {
            #expect(try rows.step())
            kinds.append(rows.text(1))
            #expect(rows.isNull(0) == (key == 0))
            switch values[key] {
            case .null: break
            case .integer(let value): #expect(rows.integer(0) == value)
            case .real(let value): #expect(rows.real(0) == value)
            case .text(let value): #expect(Array(rows.text(0).utf8) == Array(value.utf8))
            case .bytes(let value): #expect(rows.bytes(0) == value)
            }
        }
        #expect(try !rows.step())
        #expect(kinds == ["null", "integer", "integer", "real", "text", "text", "blob", "blob"])
        #expect(throws: StorageError.self) { try insert.bind(.integer(1)) }
        #expect(throws: StorageError.self) { try insert.bind(.integer(1), .null).run() }
        // After a failure a statement can be used again.
        try insert.bind(.integer(100), .integer(1)).run()
    }

    @Test func aTransactionCountsWholeOrNotAtAll() throws {
        let folder = try Folder()
        defer { folder.remove() }
        struct Stop: Error {}
        do {
            let database = try Database(path: folder.file("a.db"))
            try database.execute("CREATE TABLE t(v)")
            #expect(throws: Stop.self) {
                try database.transaction {
                    try database.execute("INSERT INTO t VALUES (1)")
                    throw Stop()
                }
            }
            try database.transaction { try database.execute("INSERT INTO t VALUES (2)") }
        }
        let again = try Database(path: folder.file("a.db"))
        let rows = try again.prepare("SELECT v FROM t")
        #expect(try rows.step())
        #expect(rows.integer(0) == 2)
        #expect(try !rows.step())
    }

    @Test func errorsSayWhichFileAndWhy() throws {
        let folder = try Folder()
        defer { folder.remove() }
        func kind(_ body: () throws -> Void) -> StorageError.Kind? {
            do { try body() } catch let error as StorageError {
                #expect(error.description.hasPrefix(error.path))
                return error.kind
            } catch {}
            return nil
        }
        #expect(kind { _ = try Database(path: folder.file("none/a.db")) } == .unopenable)
        try folder.write("text.db", String(repeating: "this is no database ", count: 300).utf8)
        #expect(kind { _ = try Database(path: folder.file("text.db")) } == .damaged)
        var options = Database.Options()
        options.isExclusive = true
        options.busyMilliseconds = 1
        let first = try Database(path: folder.file("a.db"), options: options)
        #expect(kind { _ = try Database(path: folder.file("a.db"), options: options) } == .busy)
        #expect(kind { try first.execute("SELECT * FROM nothing") } == .failed)
        #expect(kind { try first.execute("PRAGMA max_page_count = 10; CREATE TABLE t(v)") } == nil)
        let insert = try first.prepare("INSERT INTO t VALUES (zeroblob(100000))")
        #expect(kind { try insert.run() } == .full)
    }
}
