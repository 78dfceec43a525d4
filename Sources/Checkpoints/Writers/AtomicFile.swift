#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A new file that appears under its name only when it is complete.
///
/// Bytes go to a hidden file in the same folder, which ``commit()`` flushes to disk and renames. Where a write
/// fails, or this object goes before ``commit()``, the hidden file is removed and whatever was there before stays.
package final class AtomicFile {
    /// Writes bytes to a descriptor like the system's `write`: how many were taken, or -1 with `errno` set.
    package typealias Write = (Int32, UnsafeRawPointer, Int) -> Int

    let path: String
    private let temporaryPath: String
    private var descriptor: Int32
    private let write: Write
    private var buffer: [UInt8] = []
    private static let bufferSize = 1 << 20

    /// - Throws: ``CheckpointError`` where no file can be made in the folder, or `path` is a folder.
    package init(
        path: String, write: @escaping Write = { descriptor, bytes, count in systemWrite(descriptor, bytes, count) }
    ) throws(CheckpointError) {
        try Folder.checkPath(path)
        guard !Folder.split(path).name.isEmpty else {
            throw CheckpointError(file: path, reason: "this names a folder; name a file in it")
        }
        if Folder.exists(path), try Folder.isFolder(path) {
            throw CheckpointError(
                file: path, reason: "there is a folder of this name; choose another name for the file")
        }
        self.path = path
        self.write = write
        let folder = Folder.split(path).folder
        var candidate = ""
        var descriptor: Int32 = -1
        // A name that is taken is as good as impossible; a few more tries cost nothing.
        for _ in 0..<8 {
            candidate = Folder.join(folder, ".partial-" + String(UInt64.random(in: .min ... .max), radix: 36))
            descriptor = open(candidate, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
            if descriptor >= 0 || errno != EEXIST { break }
        }
        guard descriptor >= 0 else { throw SystemError.current.error(file: path, doing: "create a file in its folder") }
        self.descriptor = descriptor
        temporaryPath = candidate
        buffer.reserveCapacity(Self.bufferSize)
    }

    deinit { abandon() }

    private func abandon() {
        guard descriptor >= 0 else { return }
        close(descriptor)
        unlink(temporaryPath)
        descriptor = -1
    }

    /// Appends bytes. After an error the file is gone and every further call throws.
    package func append(_ bytes: UnsafeRawBufferPointer) throws(CheckpointError) {
        try checkOpen()
        if buffer.count + bytes.count <= Self.bufferSize {
            buffer.append(contentsOf: bytes)
            return
        }
        try flush()
        if bytes.count <= Self.bufferSize {
            buffer.append(contentsOf: bytes)
        } else {
            try writeAll(bytes)
        }
    }

    func append(zeros count: Int) throws(CheckpointError) {
        var left = count
        while left > 0 {
            let chunk = [UInt8](repeating: 0, count: min(left, 1 << 16))
            try appendArray(chunk)
            left -= chunk.count
        }
    }

    func appendArray(_ bytes: [UInt8]) throws(CheckpointError) {
        try bytes.withUnsafeBufferPointer { (bytes) throws(CheckpointError) in
            try append(UnsafeRawBufferPointer(bytes))
        }
    }

    /// Makes the file durable and puts it in the place of whatever has its name.
    package func commit() throws(CheckpointError) {
        try checkOpen()
        try flush()
        guard fsync(descriptor) == 0 else { throw fail("flush it to disk") }
        guard rename(temporaryPath, path) == 0 else { throw fail("give it its name") }
        close(descriptor)
        descriptor = -1
        // The name is durable once its folder is; a file system that cannot do this has done all it can.
        let folder = Folder.split(path).folder
        let folderDescriptor = open(folder.isEmpty ? "." : folder, O_RDONLY | O_CLOEXEC)
        if folderDescriptor >= 0 {
            fsync(folderDescriptor)
            close(folderDescriptor)
        }
    }

    private func checkOpen() throws(CheckpointError) {
        guard descriptor >= 0 else {
            throw CheckpointError(
                file: path, reason: "writing has ended or failed before; start again with a new writer")
        }
    }

    private func flush() throws(CheckpointError) {
        try buffer.withUnsafeBufferPointer { (bytes) throws(CheckpointError) in
            try writeAll(UnsafeRawBufferPointer(bytes))
        }
        buffer.removeAll(keepingCapacity: true)
    }

    private func writeAll(_ bytes: UnsafeRawBufferPointer) throws(CheckpointError) {
        guard let base = bytes.baseAddress else { return }
        var done = 0
        while done < bytes.count {
            let count = write(descriptor, base + done, bytes.count - done)
            if count > 0 {
                done += count
            } else if count == 0 {
                errno = ENOSPC
                throw fail("write \(bytes.count - done) bytes")
            } else if errno != EINTR {
                throw fail("write \(bytes.count - done) bytes")
            }
        }
    }

    private func fail(_ action: String) -> CheckpointError {
        let error = SystemError.current.error(file: path, doing: action)
        abandon()
        return error
    }
}

/// The system's `write`, under a name that the stored closure of the same name does not hide.
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}
