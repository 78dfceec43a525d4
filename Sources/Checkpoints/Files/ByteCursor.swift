/// A reading position in a little-endian header. Each read is checked against the end of the file.
struct ByteCursor {
    let file: String
    let bytes: UnsafeRawBufferPointer
    var position = 0

    init(_ file: MappedFile) {
        self.file = file.path
        bytes = file.bytes
    }

    var remaining: Int { bytes.count - position }

    func failure(tensor: String? = nil, _ field: String, _ reason: String) -> CheckpointError {
        CheckpointError(file: file, tensor: tensor, field: field, reason: reason)
    }

    func truncated(tensor: String? = nil, _ field: String, wanted: some BinaryInteger) -> CheckpointError {
        failure(
            tensor: tensor, field,
            "\(wanted) bytes are needed at byte \(position) and the file has \(remaining) left; "
                + "it is cut short or damaged: download or convert it again")
    }

    mutating func integer<T: FixedWidthInteger>(
        _ type: T.Type, tensor: String? = nil, _ field: String
    ) throws(CheckpointError) -> T {
        guard remaining >= MemoryLayout<T>.size else {
            throw truncated(tensor: tensor, field, wanted: MemoryLayout<T>.size)
        }
        defer { position += MemoryLayout<T>.size }
        return T(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: T.self))
    }

    mutating func skip(_ count: UInt64, tensor: String? = nil, _ field: String) throws(CheckpointError) {
        guard count <= UInt64(remaining) else { throw truncated(tensor: tensor, field, wanted: count) }
        position += Int(count)
    }

    /// A 64-bit count of things that take at least `minimumBytes` each in the rest of the file; checked before
    /// anything is allocated for them.
    mutating func count(minimumBytes: Int, limit: Int = .max, _ field: String) throws(CheckpointError) -> Int {
        let found = try integer(UInt64.self, field)
        let room = UInt64(remaining / minimumBytes)
        guard found <= room else {
            throw failure(
                field,
                "it is \(found), and the \(remaining) bytes left in the file can hold at most \(room); "
                    + "the file is cut short or damaged")
        }
        guard found <= UInt64(limit) else {
            throw failure(field, "it is \(found); at most \(limit) are allowed: the file is damaged")
        }
        return Int(found)
    }

    /// A name: a 64-bit length from 1 to `limit`, then that many bytes of UTF-8.
    mutating func name(limit: Int, _ field: String) throws(CheckpointError) -> String {
        let length = try integer(UInt64.self, field)
        guard length >= 1, length <= UInt64(limit) else {
            throw failure(field, "its length is \(length) bytes; 1 to \(limit) are allowed: the file is damaged")
        }
        let start = position
        try skip(length, field)
        guard let name = String(validating: bytes[start..<position], as: UTF8.self) else {
            throw failure(field, "the \(length) bytes at byte \(start) are not valid UTF-8; the file is damaged")
        }
        return name
    }
}
