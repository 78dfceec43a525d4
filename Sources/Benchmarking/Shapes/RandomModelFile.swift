public import Checkpoints

#if canImport(Glibc)
    internal import Glibc
#endif

/// Where a random model's file lies: kept in a folder for the next time, or gone once it is open.
public struct RandomModelFile: Sendable {
    public let model: RandomModel
    public let path: String
    public let isKept: Bool

    /// - Parameters:
    ///   - model: what the file holds.
    ///   - folder: where to keep it; nil for a scratch file in the user's cache folder that goes once it is open.
    public init(_ model: RandomModel, keptIn folder: String?) {
        self.model = model
        isKept = folder != nil
        let folder = folder ?? Self.cacheFolder()
        path = folder + "/" + (isKept ? "" : "scratch-\(getpid())-") + model.fileName
    }

    /// `$XDG_CACHE_HOME/apus/bench`, or `~/.cache/apus/bench`, or `/tmp/apus-bench` for who has no home.
    public static func cacheFolder() -> String {
        func variable(_ name: String) -> String? {
            getenv(name).map { String(cString: $0) }.flatMap { $0.hasPrefix("/") ? $0 : nil }
        }
        if let cache = variable("XDG_CACHE_HOME") { return cache + "/apus/bench" }
        return variable("HOME").map { $0 + "/.cache/apus/bench" } ?? "/tmp/apus-bench"
    }

    /// Whether a whole file of this model is there already.
    public var exists: Bool {
        guard let checkpoint = try? Checkpoint.open(path) else { return false }
        return checkpoint.parameterCount == model.size.parameters && checkpoint.weightBytes == model.weightBytes
    }

    /// Opens the model, writing its file first where there is none. A file that is not kept is removed at once: its
    /// bytes stay as long as they are mapped, and go even if the process is killed.
    ///
    /// - Parameter progress: gets the bytes written so far.
    /// - Throws: ``BenchmarkError`` where the folder cannot be made or has too little room; `CheckpointError`.
    public func open(progress: (Int) -> Void = { _ in }) throws -> Checkpoint {
        if !exists {
            let folder = String(path[..<path.lastIndex(of: "/")!])
            try makeFolder(folder)
            try checkRoom(folder)
            try model.write(to: path, progress: progress)
        }
        defer { if !isKept { unlink(path) } }
        return try Checkpoint.open(path)
    }

    private func makeFolder(_ folder: String) throws(BenchmarkError) {
        var made = ""
        for part in folder.split(separator: "/", omittingEmptySubsequences: true) {
            made += (made.isEmpty && !folder.hasPrefix("/") ? "" : "/") + part
            if mkdir(made, 0o777) != 0, errno != EEXIST {
                throw .badFolder(folder, reason: String(cString: strerror(errno)).lowercased())
            }
        }
    }

    private func checkRoom(_ folder: String) throws(BenchmarkError) {
        var status = statvfs()
        guard statvfs(folder, &status) == 0 else {
            throw .badFolder(folder, reason: String(cString: strerror(errno)).lowercased())
        }
        let (free, overflow) = Int(status.f_bavail).multipliedReportingOverflow(by: Int(status.f_frsize))
        guard overflow || free > model.fileBytes else {
            throw .noRoom(bytes: model.fileBytes, free: free, folder: folder)
        }
    }
}
