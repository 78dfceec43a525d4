internal import CKernels

#if canImport(Glibc)
    internal import Glibc
#endif

/// The kernels of one instruction set. Every table computes the same bits; they differ in speed alone.
public struct KernelTable: Sendable, CustomStringConvertible {
    /// Points into the library's constant data.
    nonisolated(unsafe) let pointer: UnsafePointer<apus_kernels>

    /// `portable`, `avx2`, `avxvnni`, `avx512` or `neon`.
    public var name: String { String(cString: pointer.pointee.name) }
    public var description: String { name }

    /// The tables this machine can run, fastest first; `portable` is always the last.
    public static let available: [KernelTable] = {
        var tables: [KernelTable] = []
        var cursor = apus_available_kernels()!
        while let pointer = cursor.pointee {
            tables.append(KernelTable(pointer: pointer))
            cursor += 1
        }
        return tables
    }()

    /// The table with a name, or the one that the environment variable `APUS_KERNELS` names, or the fastest.
    ///
    /// - Throws: ``KernelError`` where the machine cannot run the table or no table has the name.
    public static func named(_ name: String? = nil) throws(KernelError) -> KernelTable {
        guard let wanted = name ?? getenv("APUS_KERNELS").map({ String(cString: $0) }) else { return available[0] }
        guard let table = available.first(where: { $0.name == wanted }) else {
            throw KernelError(wanted: wanted, available: available.map(\.name))
        }
        return table
    }
}

/// A kernel table was asked for that this machine does not have.
public struct KernelError: Error, Sendable, CustomStringConvertible {
    public let wanted: String
    public let available: [String]

    public var description: String {
        "kernels '\(wanted)' cannot run on this machine; choose one of \(available.joined(separator: ", "))"
    }
}
