internal import Foundation

/// Puts a finished output in order of the input, safe against a crash at any moment.
///
/// The ordered copy is made durable under a temporary name first; then one transaction says so and tells where each line
/// stands in it; then the copy takes the output's name. Who comes after a crash finds either the old state or one whose only missing
/// step is the renaming.
struct OutputOrder {
    private let output: OutputFile
    private let store: JobStore
    private var temporary: String { output.path + ".apus-ordered" }

    init(_ output: OutputFile, _ store: JobStore) {
        self.output = output
        self.store = store
    }

    func sort() throws {
        unlink(temporary)
        let copy = try OutputFile(temporary, isNew: true)
        let lines = try store.database.prepare("SELECT line, offset, length FROM results ORDER BY line")
        try store.database.execute(
            "DROP TABLE IF EXISTS ordered; CREATE TABLE ordered(line INTEGER PRIMARY KEY, offset INTEGER)")
        let insert = try store.database.prepare("INSERT INTO ordered VALUES (?, ?)")
        try store.database.transaction {
            var pending = 0
            while try lines.step() {
                let length = lines.integer(2)
                let place = copy.append(try output.read(offset: lines.integer(1), length: length))
                try insert.bind(.integer(lines.integer(0)), .integer(place)).run()
                pending += length
                if pending > 4 << 20 {
                    try copy.write()
                    pending = 0
                }
            }
            try copy.commit()
        }
        syncFolder()
        try store.database.transaction {
            try store.database.execute(
                "UPDATE results SET offset = (SELECT ordered.offset FROM ordered WHERE ordered.line = results.line)")
            try store.setPhase(.ordering)
        }
        // Before the name changes, the transaction must be on the disk.
        try store.database.execute("PRAGMA synchronous = FULL; DROP TABLE ordered; PRAGMA synchronous = NORMAL")
        try rename()
    }

    /// The output to go on with: after a crash in the middle, the renaming is made up for.
    func complete() throws -> OutputFile {
        guard try store.phase() == .ordering else {
            unlink(temporary)
            return output
        }
        guard access(temporary, F_OK) == 0 else {
            try store.setPhase(.done)
            return output
        }
        try rename()
        try store.setPhase(.done)
        return try OutputFile(output.path, isNew: false)
    }

    private func rename() throws {
        guard Foundation.rename(temporary, output.path) == 0 else { throw JobError.system(output.path, "replaced") }
        syncFolder()
    }

    /// Makes names in the output's folder durable.
    private func syncFolder() {
        let folder = open(URL(fileURLWithPath: output.path).deletingLastPathComponent().path, O_RDONLY | O_CLOEXEC)
        if folder >= 0 {
            fsync(folder)
            close(folder)
        }
    }
}
