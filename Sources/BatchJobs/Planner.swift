internal import OpenAI
internal import Storage

/// Makes the plan of a job: which line when. Everything that grows with the job lies in the store.
struct Planner {
    let input: InputFile
    let store: JobStore
    let model: ServedModel
    let defaults: RequestDefaults
    /// The most tokens of a sequence.
    let context: Int
    let sharesPrefixes: Bool
    let shard: BatchJob.Shard
    let threads: Int
    /// Called with the bytes of the input that are read; says whether to go on.
    let proceed: (Int) -> Bool

    /// Plans the whole job and leaves the store in the running phase.
    ///
    /// - Parameter facts: what the store keeps beside the plan.
    /// - Throws: ``JobInterrupted`` where `proceed` says so; the next run plans anew.
    /// - Complexity: O(bytes + lines · log lines) on disk; memory does not depend on the job.
    func plan(facts: [(String, String)]) throws {
        try store.beginPlanning()
        let digest = try scan()
        try markTwins()
        try store.database.transaction {
            if sharesPrefixes { try growTree() }
            try writePlan()
            try store.database.execute("DROP TABLE scan; DROP TABLE nodes")
            for (key, value) in facts { try store.set(key, value) }
            try store.set("input_size", String(input.size))
            try store.set("input_digest", String(digest))
            try store.setPhase(.running)
        }
        try store.database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    }

    // MARK: Reading

    private func scan() throws -> UInt64 {
        let insert = try store.database.prepare("INSERT INTO scan VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)")
        let survey = LineSurvey(model: model, defaults: defaults, context: context)
        return try input.scan(limit: 4096) { lines in
            guard proceed(lines[0].offset) else { throw JobInterrupted() }
            let rows = survey.read(lines, threads: threads)
            try store.database.transaction {
                for (line, row) in zip(lines, rows) {
                    try insert.bind(
                        .integer(line.number), .integer(line.offset), .integer(line.length), .integer(row.kind.rawValue),
                        .bytes(Array(row.customID.utf8)), .bytes(row.path), .integer(row.prompt), .integer(row.decode)
                    ).run()
                }
            }
        }
    }

    /// Of lines with one `custom_id`, all but the first are refused.
    private func markTwins() throws {
        try store.database.execute("CREATE INDEX scan_id ON scan(custom_id)")
        let groups = try store.database.prepare(
            "SELECT custom_id, min(line) FROM scan GROUP BY custom_id HAVING count(*) > 1")
        let mark = try store.database.prepare("UPDATE scan SET kind = 0, twin = ? WHERE custom_id = ? AND line > ?")
        var twins: [(id: [UInt8], first: Int)] = []
        repeat {
            // Rows are not changed under the statement that reads them.
            twins.removeAll()
            while twins.count < 4096, try groups.step() { twins.append((groups.bytes(0), groups.integer(1))) }
            try store.database.transaction {
                for twin in twins { try mark.bind(.integer(twin.first), .bytes(twin.id), .integer(twin.first)).run() }
            }
        } while twins.count == 4096
        groups.reset()
        try store.database.execute("DROP INDEX scan_id")
    }

    // MARK: Ordering

    private func growTree() throws {
        let insert = try store.database.prepare("INSERT INTO nodes VALUES (?, ?, ?, ?)")
        var tree = PrefixTree { child in
            try insert.bind(
                .integer(child.id), .integer(child.parent), .real(-child.rank), child.line.map { .integer($0) } ?? .null
            ).run()
        }
        let sorted = try store.database.prepare(
            "SELECT line, path, prompt, decode FROM scan WHERE kind = \(LineKind.generation.rawValue) ORDER BY path, line")
        while try sorted.step() {
            try tree.add(
                line: sorted.integer(0), path: sorted.bytes(1), tokens: sorted.integer(2), decode: sorted.integer(3))
        }
        try tree.finish()
        try store.database.execute("CREATE INDEX nodes_order ON nodes(parent, rank, id)")
    }

    /// Refused lines and embeddings in order of the input, then the tree from its root, the children of each node in
    /// order of their rank.
    private func writePlan() throws {
        let work = try store.database.prepare("SELECT count(*), total(prompt + decode) FROM scan")
        _ = try work.step()
        var cut = Cut(shard: shard, total: work.real(1) + Double(work.integer(0)))
        work.reset()
        let line = try store.database.prepare("SELECT offset, length, kind, twin, prompt + decode FROM scan WHERE line = ?")
        let insert = try store.database.prepare("INSERT INTO plan VALUES (?, ?, ?, ?, ?, ?)")
        var position = 0
        func place(_ number: Int) throws {
            _ = try line.bind(.integer(number)).step()
            defer { line.reset() }
            guard cut.takes(line.integer(4) + 1) else { return }
            position += 1
            try insert.bind(
                .integer(position), .integer(number), .integer(line.integer(0)), .integer(line.integer(1)),
                .integer(line.integer(2)), line.isNull(3) ? .null : .integer(line.integer(3))
            ).run()
        }
        let first = sharesPrefixes ? "kind < \(LineKind.generation.rawValue)" : "true"
        let inOrder = try store.database.prepare("SELECT line FROM scan WHERE \(first) ORDER BY kind, line")
        while try inOrder.step() { try place(inOrder.integer(0)) }
        if sharesPrefixes { try descend(place) }
        try store.set("lines", String(position))
    }

    private func descend(_ place: (Int) throws -> Void) throws {
        func children(of node: Int) throws -> Statement {
            try store.database.prepare("SELECT id, line FROM nodes WHERE parent = ? ORDER BY rank, id")
                .bind(.integer(node))
        }
        var path = [try children(of: PrefixTree.root)]
        while let present = path.last {
            guard try present.step() else {
                path.removeLast()
                continue
            }
            if present.isNull(1) {
                path.append(try children(of: present.integer(0)))
            } else {
                try place(present.integer(1))
            }
        }
    }

    /// Gives each of several processes a stretch of the plan with its share of the work, so that groups stay together.
    private struct Cut {
        let shard: BatchJob.Shard
        let total: Double
        private var done = 0.0

        init(shard: BatchJob.Shard, total: Double) {
            self.shard = shard
            self.total = total
        }

        mutating func takes(_ work: Int) -> Bool {
            let index = Int(done / max(total, 1) * Double(shard.count))
            done += Double(work)
            return min(index, shard.count - 1) == shard.index - 1
        }
    }
}

/// The job was asked to stop.
struct JobInterrupted: Error {}
