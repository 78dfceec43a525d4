internal import Foundation

/// The job's output. Lines are appended; ``commit()`` makes them durable before the progress speaks of them.
final class OutputFile {
    let path: String
    private let descriptor: Int32
    /// Where the next line goes.
    private(set) var end: Int
    private var committed: Int
    private var pending: [UInt8] = []

    /// - Parameter isNew: whether the file must not exist yet.
    init(_ path: String, isNew: Bool) throws(JobError) {
        self.path = path
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | (isNew ? O_EXCL : 0), 0o666)
        guard descriptor >= 0 else {
            if errno == EEXIST { throw Self.exists(path) }
            throw .system(path, "written")
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw JobError(file: path, reason: "this is no ordinary file; a job that can be resumed needs one")
        }
        end = Int(status.st_size)
        committed = end
    }

    deinit { close(descriptor) }

    static func exists(_ path: String) -> JobError {
        JobError(file: path, reason: "it exists already; continue its job with --resume, or name another file")
    }

    var size: Int { committed }
    var hasPending: Bool { !pending.isEmpty }

    /// Drops all bytes from an offset on.
    func truncate(to offset: Int) throws(JobError) {
        guard ftruncate(descriptor, off_t(offset)) == 0, fsync(descriptor) == 0 else { throw .system(path, "written") }
        (end, committed) = (offset, offset)
        pending.removeAll()
    }

    /// Takes a line; returns where it will stand.
    func append(_ line: [UInt8]) -> Int {
        defer { end += line.count }
        pending += line
        return end
    }

    /// Writes what was appended and waits until the disk has it. Where that fails, the file ends where it ended before.
    func commit() throws(JobError) {
        try write()
        guard fdatasync(descriptor) == 0 else { throw failed() }
    }

    /// Writes what was appended without waiting for the disk.
    func write() throws(JobError) {
        var written = 0
        while written < pending.count {
            let count = pending.withUnsafeBytes {
                pwrite(descriptor, $0.baseAddress! + written, $0.count - written, off_t(committed + written))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failed() }
            written += count
        }
        committed += written
        pending.removeAll(keepingCapacity: true)
    }

    private func failed() -> JobError {
        let error = JobError.system(path, "written")
        ftruncate(descriptor, off_t(committed))
        (end, pending) = (committed, [])
        return error
    }

    /// Bytes of one line.
    func read(offset: Int, length: Int) throws(JobError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: length)
        guard pread(descriptor, &bytes, length, off_t(offset)) == length else { throw .system(path, "read") }
        return bytes
    }
}
