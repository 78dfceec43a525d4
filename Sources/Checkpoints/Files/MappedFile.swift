#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A regular file mapped read-only into memory; its bytes are read from disk when they are first touched.
///
/// ``bytes`` is valid for as long as this object lives: whoever keeps a pointer into it keeps the object too. A
/// temporary does not count: in `Array(try MappedFile(path: p).bytes)` the object may go before the bytes are copied;
/// ``copy()`` is for that.
/// Nothing can protect a reader from another process that truncates the file afterwards: touching a page past the
/// new end stops the process. Replace model files by renaming a new file over them, as the writers here do; the
/// old bytes then stay readable until this object goes.
public final class MappedFile: Sendable {
    /// The path as the user or an index named it; errors quote it.
    public let path: String
    /// The whole file.
    nonisolated(unsafe) public let bytes: UnsafeRawBufferPointer
    /// When the file was last changed, in nanoseconds since 1970; 0 where it is only in memory.
    public let modified: Int64
    private let isMapped: Bool

    /// Maps the file at `path`.
    ///
    /// - Throws: ``CheckpointError`` where there is no such file, it may not be read, it is a folder, a pipe or
    ///   another special file, or it is empty.
    /// - Complexity: O(1); no byte is read yet.
    public init(path: String) throws(CheckpointError) {
        self.path = path
        try Folder.checkPath(path)
        // Without O_NONBLOCK, opening a pipe nobody writes to would wait for ever.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw SystemError.current.error(file: path, doing: "open it") }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw SystemError.current.error(file: path, doing: "examine it") }
        let kind = status.st_mode & S_IFMT
        guard kind != S_IFDIR else {
            throw CheckpointError(
                file: path, reason: "this is a folder where a file is expected; name a file inside it")
        }
        guard kind == S_IFREG else {
            throw CheckpointError(
                file: path, reason: "this is not a regular file, and only those can be mapped; copy it to a file first")
        }
        guard status.st_size > 0 else {
            throw CheckpointError(file: path, reason: "the file is empty (0 bytes); download or convert it again")
        }
        guard let size = Int(exactly: status.st_size),
            let address = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), address != MAP_FAILED
        else { throw SystemError.current.error(file: path, doing: "map its \(status.st_size) bytes") }
        bytes = UnsafeRawBufferPointer(start: address, count: size)
        isMapped = true
        modified = Int64(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_mtim.tv_nsec)
    }

    /// A file that is only in memory: a copy of `contents` in a block of exactly that size, so that an address
    /// sanitizer sees any read past either end.
    package init(copying contents: some Collection<UInt8>, name: String) {
        path = name
        let block = UnsafeMutableRawBufferPointer.allocate(byteCount: contents.count, alignment: 16)
        block.copyBytes(from: contents)
        bytes = UnsafeRawBufferPointer(block)
        isMapped = false
        modified = 0
    }

    deinit {
        if isMapped {
            munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress!), bytes.count)
        } else {
            bytes.deallocate()
        }
    }

    /// The whole file as an array. O(bytes).
    public func copy() -> [UInt8] {
        withExtendedLifetime(self) { Array(bytes) }
    }

    /// Asks the system to start reading these bytes now. Pages that the range touches only in part count as in it;
    /// what lies outside the file is left out. A hint: it cannot fail and changes no result.
    public func willNeed(_ range: Range<Int>) {
        let page = Int(getpagesize())
        let range = range.clamped(to: 0..<bytes.count)
        advise(from: range.lowerBound / page * page, to: range.upperBound, MADV_WILLNEED)
    }

    /// Tells the system that these bytes will not be read again soon, so that their memory can serve others. Only
    /// pages that lie wholly in the range are given up; touched again, they are read from disk again.
    public func dontNeed(_ range: Range<Int>) {
        let page = Int(getpagesize())
        let range = range.clamped(to: 0..<bytes.count)
        let end = range.upperBound == bytes.count ? bytes.count : range.upperBound / page * page
        advise(from: (range.lowerBound + page - 1) / page * page, to: end, MADV_DONTNEED)
    }

    private func advise(from start: Int, to end: Int, _ advice: Int32) {
        guard isMapped, start < end, let base = bytes.baseAddress else { return }
        _ = madvise(UnsafeMutableRawPointer(mutating: base + start), end - start, advice)
    }
}
