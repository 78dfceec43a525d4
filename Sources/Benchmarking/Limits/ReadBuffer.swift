#if canImport(Glibc)
    internal import Glibc
#endif

/// Memory far larger than any cache, touched page by page, to be read.
struct ReadBuffer: ~Copyable {
    let base: UnsafeMutablePointer<UInt8>
    let bytes: Int
    private let mapping: UnsafeMutableRawPointer
    private let mappedBytes: Int
    private static let hugePage = 2 << 20

    /// Returns nil where the system refuses the memory.
    ///
    /// - Parameters:
    ///   - bytes: a multiple of 2 MiB.
    ///   - hugePages: asks for pages of 2 MiB where the system has them, else for small ones.
    ///   - threads: how many touch it first.
    init?(bytes: Int, hugePages: Bool, threads: Int) {
        precondition(bytes > 0 && bytes % Self.hugePage == 0)
        mappedBytes = bytes + Self.hugePage
        let address = mmap(nil, mappedBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let address, address != MAP_FAILED else { return nil }
        mapping = address
        let misaligned = Int(bitPattern: address) % Self.hugePage
        base = (address + (misaligned == 0 ? 0 : Self.hugePage - misaligned)).assumingMemoryBound(to: UInt8.self)
        self.bytes = bytes
        madvise(base, bytes, hugePages ? 14 : 15)  // MADV_HUGEPAGE, MADV_NOHUGEPAGE
        nonisolated(unsafe) let base = base
        let part = bytes / threads
        _ = measureTogether(threads: threads) { number in
            let end = number == threads - 1 ? bytes : (number + 1) * part
            memset(base + number * part, 1, end - number * part)
        }
    }

    deinit { munmap(mapping, mappedBytes) }

    /// Bytes to read: four times the last-level cache at least, but no more than an eighth of the memory.
    static func suitableBytes() -> Int {
        let cache = lastCacheBytes()
        let wanted = min(max(4 * cache, 512 << 20), physicalMemory() / 8)
        return max(wanted / hugePage, 8) * hugePage
    }
}

/// Bytes of the machine's memory.
func physicalMemory() -> Int { sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE)) }

/// Bytes of the largest cache that the system tells of, at least 1 MiB.
func lastCacheBytes() -> Int {
    max(sysconf(Int32(_SC_LEVEL3_CACHE_SIZE)), sysconf(Int32(_SC_LEVEL2_CACHE_SIZE)), 1 << 20)
}
