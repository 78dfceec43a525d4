internal import Foundation

/// The lines of a job, read in order once for planning and then each where the plan wants it. Never whole in memory.
final class InputFile {
    /// The longest line that is read: more is refused line by line.
    static let lineLimit = 64 << 20

    let path: String
    let size: Int
    private let descriptor: Int32

    /// One line without its end.
    struct Line: Sendable {
        /// Counted from 1.
        var number: Int
        var offset: Int
        /// Bytes on disk; where they are more than ``lineLimit``, `bytes` is empty.
        var length: Int
        var bytes: [UInt8]
    }

    init(_ path: String) throws(JobError) {
        self.path = path
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system(path, "read") }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw JobError(
                file: path, reason: "this is no ordinary file; a job is read more than once, so write it to a file first")
        }
        size = Int(status.st_size)
    }

    deinit { close(descriptor) }

    /// The bytes of one line.
    func read(offset: Int, length: Int) throws(JobError) -> [UInt8] {
        guard length <= Self.lineLimit else { return [] }
        let bytes = try readSome(offset: offset, count: length)
        guard bytes.count == length else { throw JobError(file: path, reason: "it has become shorter while it was read") }
        return bytes
    }

    /// As many bytes as there are, up to a count.
    private func readSome(offset: Int, count: Int) throws(JobError) -> [UInt8] {
        var failure: JobError?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            filled = 0
            while filled < count {
                let got = pread(descriptor, buffer.baseAddress! + filled, count - filled, off_t(offset + filled))
                if got < 0, errno == EINTR { continue }
                if got < 0 { failure = .system(path, "read") }
                guard got > 0 else { return }
                filled += got
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// All lines in groups of at most `limit`, and a digest of the whole file at the end.
    ///
    /// A carriage return before a newline and a byte-order mark at the beginning belong to no line.
    func scan(limit: Int, _ take: ([Line]) throws -> Void) throws -> UInt64 {
        var digest = Digest()
        var group: [Line] = []
        var (groupBytes, number) = (0, 0)
        var carried: [UInt8] = []
        // Where the line that is being read begins, and its bytes so far.
        var (start, seen) = (0, 0)
        var position = 0

        func finish() throws {
            number += 1
            var (offset, length) = (start, seen)
            if number == 1, carried.starts(with: [0xEF, 0xBB, 0xBF]) {
                carried.removeFirst(3)
                (offset, length) = (offset + 3, length - 3)
            }
            if carried.last == UInt8(ascii: "\r") {
                carried.removeLast()
                length -= 1
            }
            group.append(Line(number: number, offset: offset, length: length, bytes: length > Self.lineLimit ? [] : carried))
            groupBytes += carried.count
            (carried, seen) = ([], 0)
            if group.count == limit || groupBytes > 8 << 20 {
                try take(group)
                (group, groupBytes) = ([], 0)
            }
        }

        while true {
            let block = try readSome(offset: position, count: 1 << 20)
            if block.isEmpty { break }
            digest.add(block)
            var rest = block[...]
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                seen += end - rest.startIndex
                if seen <= Self.lineLimit { carried += rest[..<end] }
                try finish()
                start = position + end + 1
                rest = rest[(end + 1)...]
            }
            seen += rest.count
            if seen <= Self.lineLimit { carried += rest }
            position += block.count
        }
        if seen > 0 { try finish() }
        if !group.isEmpty { try take(group) }
        return digest.value
    }

    /// The digest alone.
    func digest() throws(JobError) -> UInt64 {
        var digest = Digest()
        var position = 0
        while true {
            let block = try readSome(offset: position, count: 1 << 20)
            if block.isEmpty { return digest.value }
            digest.add(block)
            position += block.count
        }
    }
}

/// A 64-bit digest of bytes: tells files and prompts apart that differ by accident, not by intent.
struct Digest {
    private(set) var value: UInt64

    init(seed: UInt64 = 0) { value = seed &+ 0x9E37_79B9_7F4A_7C15 }

    /// Eight bytes at a time: parts must be cut alike to give the same digest.
    mutating func add(_ bytes: some ContiguousBytes) {
        bytes.withUnsafeBytes { buffer in
            var place = 0
            while place + 8 <= buffer.count {
                add(buffer.loadUnaligned(fromByteOffset: place, as: UInt64.self))
                place += 8
            }
            var last = UInt64(buffer.count) << 56
            for (shift, byte) in buffer[place...].enumerated() { last |= UInt64(byte) << (8 * UInt64(shift)) }
            add(last)
        }
    }

    mutating func add(_ word: UInt64) {
        value = (value ^ word) &* 0xBF58_476D_1CE4_E5B9
        value ^= value >> 31
        value = value &* 0x94D0_49BB_1331_11EB
        value ^= value >> 29
    }
}
