internal import Tensors

#if canImport(Glibc)
    internal import Glibc
#endif

/// Pages in a folder, one file a page, for the next process too.
///
/// A file is written under another name and then renamed, and begins with a header that holds its page's key and a hash
/// of its contents: what was torn or damaged is found on reading, counts as absent and is removed. One process
/// writes, the first to lock the folder; others read. Files leave oldest use first where the folder would grow too large.
final class PrefixStore: PageTier {
    private struct Entry {
        var bytes: Int
        var use: Int
        /// Whether this process has noted in the file system that it used the page.
        var isNoted: Bool
    }

    private let folder: String
    private let maximumBytes: Int
    private let lock: Int32
    private var entries: [PageKey: Entry] = [:]
    private var uses = 0
    private(set) var totalBytes = 0
    /// Files that were not what they should be.
    private(set) var damaged = 0
    /// Pages that could not be written.
    private(set) var failures = 0
    let isWritable: Bool

    private static let magic = Array("APUSPAGE".utf8)
    /// Magic, version and page size in bytes, key, hash.
    private static let headerBytes = 8 + 4 + 4 + 8 + 32 + 32
    private static let suffix = ".page"

    /// Opens a folder, which is made where it is missing.
    ///
    /// - Throws: ``EngineError/prefixStore(folder:reason:)`` where it can be neither made nor read.
    init(folder: String, maximumBytes: Int) throws(EngineError) {
        self.folder = folder
        self.maximumBytes = maximumBytes
        func failure(_ doing: String) -> EngineError {
            .prefixStore(folder: folder, reason: "\(doing): \(String(cString: strerror(errno)))")
        }
        if mkdir(folder, 0o700) != 0 && errno != EEXIST { throw failure("it cannot be made") }
        guard let listing = opendir(folder) else { throw failure("it cannot be read") }
        lock = open(folder + "/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        isWritable = lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0
        var found: [(key: PageKey, bytes: Int, time: Int)] = []
        while let item = readdir(listing) {
            let name = withUnsafePointer(to: &item.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            // What a process that was killed had not finished writing.
            if name.hasSuffix(".part") && isWritable { unlink(folder + "/" + name) }
            guard name.hasSuffix(Self.suffix), let key = PageKey(name: name.dropLast(Self.suffix.count)) else {
                continue
            }
            var status = stat()
            guard stat(folder + "/" + name, &status) == 0 else { continue }
            let time = status.st_mtim
            found.append((key, Int(status.st_size), time.tv_sec * 1_000_000_000 + time.tv_nsec))
        }
        closedir(listing)
        for item in found.sorted(by: { $0.time < $1.time }) {
            uses += 1
            entries[item.key] = Entry(bytes: item.bytes, use: uses, isNoted: false)
            totalBytes += item.bytes
        }
        if isWritable { shrink(to: maximumBytes) }
    }

    deinit { if lock >= 0 { close(lock) } }

    private func path(_ key: PageKey) -> String { folder + "/" + key.name + Self.suffix }

    var pageCount: Int { entries.count }

    func contains(_ key: PageKey) -> Bool { entries[key] != nil }

    func use(_ key: PageKey) {
        guard var entry = entries[key] else { return }
        uses += 1
        entry.use = uses
        if !entry.isNoted && isWritable { utimensat(AT_FDCWD, path(key), nil, 0) }
        entry.isNoted = true
        entries[key] = entry
    }

    // MARK: Writing

    func store(_ key: PageKey, _ bytes: UnsafeRawBufferPointer) -> Bool {
        let size = Self.headerBytes + bytes.count
        guard isWritable, entries[key] == nil, size <= maximumBytes else { return false }
        if totalBytes + size > maximumBytes { shrink(to: maximumBytes - max(size, maximumBytes / 16)) }
        guard write(key, bytes) else {
            failures += 1
            return false
        }
        uses += 1
        entries[key] = Entry(bytes: size, use: uses, isNoted: true)
        totalBytes += size
        return true
    }

    private func write(_ key: PageKey, _ bytes: UnsafeRawBufferPointer) -> Bool {
        let part = path(key) + ".part"
        let file = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { return false }
        let header = Self.header(key, bytes)
        let isWhole =
            header.withUnsafeBytes { Self.write(file, $0) } && Self.write(file, bytes)
        // Closing can report what writing put off.
        guard close(file) == 0, isWhole, rename(part, path(key)) == 0 else {
            unlink(part)
            return false
        }
        return true
    }

    private static func header(_ key: PageKey, _ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        func word(_ value: UInt64, _ count: Int) -> [UInt8] {
            (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
        }
        var hash = ContentHash()
        key.bytes.withUnsafeBytes { hash.add($0) }
        hash.add(bytes)
        let value = hash.value
        return magic + word(1, 4) + word(0, 4) + word(UInt64(bytes.count), 8) + key.bytes
            + (0..<4).flatMap { word(value[$0], 8) }
    }

    private static func write(_ file: Int32, _ bytes: UnsafeRawBufferPointer) -> Bool {
        var done = 0
        while done < bytes.count {
            let count = Glibc.write(file, bytes.baseAddress! + done, bytes.count - done)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return false }
            done += count
        }
        return true
    }

    /// Removes the longest unused files until no more than so many bytes are left.
    private func shrink(to bytes: Int) {
        guard totalBytes > bytes else { return }
        for (key, entry) in entries.sorted(by: { $0.value.use < $1.value.use }) {
            guard totalBytes > bytes else { return }
            remove(key, entry)
        }
    }

    private func remove(_ key: PageKey, _ entry: Entry) {
        if isWritable { unlink(path(key)) }
        entries[key] = nil
        totalBytes -= entry.bytes
    }

    // MARK: Reading

    func load(_ key: PageKey, into target: UnsafeMutableRawBufferPointer) -> Bool {
        guard let entry = entries[key] else { return false }
        guard read(key, into: target) else {
            damaged += 1
            remove(key, entry)
            return false
        }
        use(key)
        return true
    }

    private func read(_ key: PageKey, into target: UnsafeMutableRawBufferPointer) -> Bool {
        let file = open(path(key), O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return false }
        defer { close(file) }
        var header = [UInt8](repeating: 0, count: Self.headerBytes)
        var rest: UInt8 = 0
        guard header.withUnsafeMutableBytes({ Self.read(file, $0) == $0.count }),
            Self.read(file, target) == target.count,
            withUnsafeMutableBytes(of: &rest, { Self.read(file, $0) }) == 0
        else { return false }
        return header == Self.header(key, UnsafeRawBufferPointer(target))
    }

    private static func read(_ file: Int32, _ target: UnsafeMutableRawBufferPointer) -> Int {
        var done = 0
        while done < target.count {
            let count = Glibc.read(file, target.baseAddress! + done, target.count - done)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { break }
            done += count
        }
        return done
    }
}
