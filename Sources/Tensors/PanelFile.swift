#if canImport(Glibc)
    internal import Glibc
#endif

/// Panels made earlier, mapped from a file: what a model needs to start without laying its weights out again.
///
/// The file is a header of one memory page (a magic number with the version of the layout, the identity of the checkpoint, a
/// hash of the sequence of weights, the bytes of panels) and the panels in the order in which the model asked for
/// them. It is written beside its final name and renamed when it is complete.
public final class PanelFile: @unchecked Sendable {
    /// Changes with the layout of panels.
    static let magic: UInt64 = 0x3130_4C4E_5041_5041
    static let headerBytes = 4096

    private let mapping: UnsafeMutableRawPointer
    private let mappedBytes: Int
    private let panelBytes: Int
    private let sequence: SIMD4<UInt64>

    /// Maps the panels of a checkpoint; nil where there is no such file, or it belongs to another checkpoint or layout, or is cut
    /// short: then they are to be made again.
    public init?(path: String, identity: SIMD4<UInt64>) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
            let size = Int(exactly: status.st_size), size >= Self.headerBytes
        else { return nil }
        let address = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0)
        guard let address, address != MAP_FAILED else { return nil }
        let header = address.load(as: Header.self)
        guard header.magic == Self.magic, header.identity == identity, header.panelBytes == size - Self.headerBytes else {
            munmap(address, size)
            return nil
        }
        mapping = address
        mappedBytes = size
        panelBytes = header.panelBytes
        sequence = header.sequence
        madvise(address, size, MADV_WILLNEED)
    }

    deinit { munmap(mapping, mappedBytes) }

    /// `count` bytes of panels at an offset; nil where the file does not reach so far.
    func panels(at offset: Int, count: Int) -> UnsafePointer<UInt8>? {
        guard offset + count <= panelBytes else { return nil }
        return UnsafePointer((mapping + Self.headerBytes + offset).assumingMemoryBound(to: UInt8.self))
    }

    /// Whether a model asked for just the weights that the file was made of.
    func matches(_ bytes: Int, _ sequence: SIMD4<UInt64>) -> Bool { bytes == panelBytes && sequence == self.sequence }

    /// Writes panels for the next start.
    static func write(
        _ storage: PanelStorage, sequence: SIMD4<UInt64>, identity: SIMD4<UInt64>, to path: String
    ) throws(PanelFileError) {
        let temporary = path + ".part"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw PanelFileError(path: path, code: errno) }
        var page = [UInt8](repeating: 0, count: headerBytes)
        let header = Header(magic: magic, panelBytes: storage.bytes, identity: identity, sequence: sequence)
        page.withUnsafeMutableBytes { $0.storeBytes(of: header, as: Header.self) }
        var failure: Int32?
        func put(_ bytes: UnsafeRawBufferPointer) {
            var rest = bytes
            while failure == nil, !rest.isEmpty {
                let written = Glibc.write(descriptor, rest.baseAddress, min(rest.count, 1 << 28))
                if written < 0, errno == EINTR { continue }
                if written <= 0 { failure = written < 0 ? errno : ENOSPC } else {
                    rest = UnsafeRawBufferPointer(rebasing: rest[written...])
                }
            }
        }
        page.withUnsafeBytes { put($0) }
        storage.forEachPiece { put($0) }
        if failure == nil, fsync(descriptor) != 0 { failure = errno }
        close(descriptor)
        if failure == nil, rename(temporary, path) != 0 { failure = errno }
        if let failure {
            unlink(temporary)
            throw PanelFileError(path: path, code: failure)
        }
    }

    private struct Header {
        var magic: UInt64
        var panelBytes: Int
        var identity: SIMD4<UInt64>
        var sequence: SIMD4<UInt64>
    }
}

/// A file of panels could not be written.
public struct PanelFileError: Error, Sendable, CustomStringConvertible {
    public let path: String
    public let code: Int32

    /// What went wrong and what to do, without the path.
    public var reason: String {
        "the laid-out weights could not be written (\(String(cString: strerror(code)))); free some space there, or name "
            + "another place"
    }
    public var description: String { "\(path): \(reason)" }
}
