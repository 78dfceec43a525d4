import Tensors

/// One GGUF file, parsed: its metadata, and where its tensors lie.
///
/// Source: the GGUF specification of the ggml project, versions 2 and 3, little-endian. Every count and length is
/// held against the size of the file before it is used.
package struct GGUFFile: Sendable {
    package let file: MappedFile
    package let version: UInt32
    package let metadata: GGUFMetadata
    package let alignment: Int
    /// In the order of the header.
    package let tensors: [TensorRecord]

    /// - Complexity: O(bytes of the header + n log n for n tensors); tensor data is not touched.
    package init(_ file: MappedFile) throws(CheckpointError) {
        // Cursor and scanner point into the file without keeping it.
        defer { withExtendedLifetime(file) {} }
        self.file = file
        var cursor = ByteCursor(file)
        version = try Self.version(&cursor)
        let tensorCount = try cursor.count(
            minimumBytes: GGUFLimits.minimumTensorBytes, limit: GGUFLimits.countLimit, "tensor count")
        let pairCount = try cursor.count(
            minimumBytes: GGUFLimits.minimumPairBytes, limit: GGUFLimits.countLimit, "metadata count")
        metadata = try Self.metadata(&cursor, file, count: pairCount)
        alignment = try Self.alignment(metadata)
        tensors = try Self.tensors(&cursor, count: tensorCount, alignment: alignment)
    }

    private static func version(_ cursor: inout ByteCursor) throws(CheckpointError) -> UInt32 {
        let start = cursor.bytes.prefix(4)
        guard start.elementsEqual(GGUFLimits.magic) else {
            throw cursor.failure("magic", foreignFile(cursor.bytes, expected: "GGUF"))
        }
        cursor.position = 4
        let version = try cursor.integer(UInt32.self, "version")
        switch version {
        case 2, 3: return version
        case 1:
            throw cursor.failure(
                "version", "it is 1, and only 2 and 3 are read; convert the model again with a newer converter")
        case _ where (1...3).contains(version.byteSwapped):
            throw cursor.failure(
                "version",
                "this is a big-endian file (version \(version.byteSwapped)), and only little-endian files are read; "
                    + "convert it to little-endian")
        default:
            throw cursor.failure(
                "version", "it is \(version), and only 2 and 3 are read; use a newer Apus or an older file")
        }
    }

    // MARK: Metadata

    private static func metadata(
        _ cursor: inout ByteCursor, _ file: MappedFile, count: Int
    ) throws(CheckpointError) -> GGUFMetadata {
        var keys: [String] = []
        var entries: [String: GGUFMetadata.Entry] = [:]
        for index in 0..<count {
            let key = try cursor.name(limit: GGUFLimits.nameBytes, "key of metadata pair \(index)")
            let entry = try entry(&cursor, key)
            guard entries.updateValue(entry, forKey: key) == nil else {
                throw cursor.failure(key, "this metadata key occurs twice; the file is damaged")
            }
            keys.append(key)
        }
        return GGUFMetadata(file: file, keys: keys, entries: entries)
    }

    private static func valueType(_ cursor: inout ByteCursor, _ key: String) throws(CheckpointError) -> GGUFValueType {
        let number = try cursor.integer(UInt32.self, key)
        guard let type = GGUFValueType(rawValue: number) else {
            throw cursor.failure(key, "its value type is \(number); 0 to 12 are allowed: the file is damaged")
        }
        return type
    }

    private static func entry(_ cursor: inout ByteCursor, _ key: String) throws(CheckpointError) -> GGUFMetadata.Entry {
        let type = try valueType(&cursor, key)
        guard type == .array else {
            let start = cursor.position
            try skipValue(&cursor, type, key)
            return GGUFMetadata.Entry(type: type, range: start..<cursor.position)
        }
        let (element, count, range) = try skipArray(&cursor, key, depth: 1)
        return GGUFMetadata.Entry(type: type, element: element, count: count, range: range)
    }

    private static func skipValue(_ cursor: inout ByteCursor, _ type: GGUFValueType, _ key: String)
        throws(CheckpointError)
    {
        if let size = type.byteCount {
            let start = cursor.position
            try cursor.skip(UInt64(size), key)
            if type == .bool { try checkBools(cursor, start..<cursor.position, key) }
        } else {
            try cursor.skip(try cursor.integer(UInt64.self, key), key)
        }
    }

    /// Walks over an array, checking what it holds.
    ///
    /// - Returns: The element type, the number of elements, and the bytes of the elements.
    private static func skipArray(
        _ cursor: inout ByteCursor, _ key: String, depth: Int
    ) throws(CheckpointError) -> (element: GGUFValueType, count: Int, range: Range<Int>) {
        guard depth <= GGUFLimits.arrayDepth else {
            throw cursor.failure(key, "its arrays nest deeper than \(GGUFLimits.arrayDepth); the file is damaged")
        }
        let element = try valueType(&cursor, key)
        let count = try cursor.count(minimumBytes: element.minimumBytes, key)
        let start = cursor.position
        switch element {
        case .array:
            for _ in 0..<count { _ = try skipArray(&cursor, key, depth: depth + 1) }
        case .string:
            for _ in 0..<count { try cursor.skip(try cursor.integer(UInt64.self, key), key) }
        default:
            cursor.position += count * element.byteCount!
            if element == .bool { try checkBools(cursor, start..<cursor.position, key) }
        }
        return (element, count, start..<cursor.position)
    }

    private static func checkBools(_ cursor: ByteCursor, _ range: Range<Int>, _ key: String) throws(CheckpointError) {
        if let wrong = cursor.bytes[range].first(where: { $0 > 1 }) {
            throw cursor.failure(key, "a bool is stored as \(wrong); 0 and 1 are allowed: the file is damaged")
        }
    }

    private static func alignment(_ metadata: GGUFMetadata) throws(CheckpointError) -> Int {
        let key = "general.alignment"
        guard metadata.has(key) else { return GGUFLimits.defaultAlignment }
        let found = try metadata.uint(key)
        guard found.nonzeroBitCount == 1, found <= UInt64(GGUFLimits.alignmentLimit) else {
            throw CheckpointError(
                file: metadata.file.path, field: key,
                reason:
                    "it is \(found) and must be a power of two from 1 to \(GGUFLimits.alignmentLimit); the file is damaged"
            )
        }
        return Int(found)
    }

    // MARK: Tensors

    /// What a header says of a tensor, before the start of the data is known.
    private struct Info {
        var name: String
        var shape: [Int]
        var type: ElementType
        var byteCount: Int
        var offset: UInt64
    }

    private static func tensors(
        _ cursor: inout ByteCursor, count: Int, alignment: Int
    ) throws(CheckpointError) -> [TensorRecord] {
        // Metadata has taken its part since the count was read.
        guard count <= cursor.remaining / GGUFLimits.minimumTensorBytes else {
            throw cursor.failure(
                "tensor count",
                "it is \(count), and the \(cursor.remaining) bytes left after the metadata can describe at most "
                    + "\(cursor.remaining / GGUFLimits.minimumTensorBytes); the file is cut short or damaged")
        }
        var infos: [Info] = []
        var names: Set<String> = []
        for index in 0..<count {
            let info = try info(&cursor, index)
            guard names.insert(info.name).inserted else {
                throw cursor.failure(tensor: info.name, "name", "two tensors have this name; the file is damaged")
            }
            infos.append(info)
        }
        if infos.isEmpty { return [] }
        guard let start = GGUFLimits.align(cursor.position, to: alignment) else {
            throw cursor.failure("general.alignment", "no data can start past byte \(cursor.position)")
        }
        var records: [TensorRecord] = []
        records.reserveCapacity(count)
        for info in infos { records.append(try place(info, cursor, dataStart: start, alignment: alignment)) }
        _ = try records.sortedChecking(file: cursor.file)
        return records
    }

    private static func info(_ cursor: inout ByteCursor, _ index: Int) throws(CheckpointError) -> Info {
        let name = try cursor.name(limit: GGUFLimits.nameBytes, "name of tensor \(index)")
        let dimensions = try cursor.integer(UInt32.self, tensor: name, "number of dimensions")
        guard GGUFLimits.dimensions.contains(Int(dimensions)) else {
            throw cursor.failure(
                tensor: name, "number of dimensions", "it is \(dimensions); 1 to 4 are allowed: the file is damaged")
        }
        var shape: [Int] = []
        for axis in 0..<dimensions {
            let found = try cursor.integer(UInt64.self, tensor: name, "dimension \(axis)")
            guard found > 0, let dimension = Int(exactly: found) else {
                throw cursor.failure(
                    tensor: name, "dimension \(axis)",
                    "it is \(found); 1 to \(Int.max) are allowed: the file is damaged")
            }
            shape.append(dimension)
        }
        // The file names the contiguous dimension first.
        shape.reverse()
        let type = try elementType(&cursor, name)
        guard let total = elementCount(shape) else {
            throw cursor.failure(
                tensor: name, "shape", "\(shape) has more than \(Int.max) elements; the file is damaged")
        }
        guard shape.last! % type.blockSize == 0 else {
            throw cursor.failure(
                tensor: name, "dimension 0",
                "rows of \(shape.last!) elements are no whole number of \(type.name) blocks of \(type.blockSize); the file is damaged"
            )
        }
        guard let byteCount = type.byteCount(elements: total) else {
            throw cursor.failure(
                tensor: name, "shape", "\(shape) of \(type.name) takes more than \(Int.max) bytes; the file is damaged")
        }
        let offset = try cursor.integer(UInt64.self, tensor: name, "offset")
        return Info(name: name, shape: shape, type: type, byteCount: byteCount, offset: offset)
    }

    private static func elementType(_ cursor: inout ByteCursor, _ tensor: String) throws(CheckpointError) -> ElementType
    {
        let number = try cursor.integer(UInt32.self, tensor: tensor, "type")
        if let type = ElementType(rawValue: number), type.rowHeaderBytes == 0 { return type }
        let readable = ElementType.allCases.map(\.name).joined(separator: ", ")
        if let name = nameOfGGMLType(number) {
            throw cursor.failure(
                tensor: tensor, "type",
                "\(name) (number \(number)) is not among the types Apus reads; "
                    + "take a file of this model in one of them, such as Q4_K or Q8_0: \(readable)")
        }
        throw cursor.failure(
            tensor: tensor, "type",
            "number \(number) is no known tensor type; the file is damaged or newer than this Apus, which reads \(readable)"
        )
    }

    private static func place(
        _ info: Info, _ cursor: ByteCursor, dataStart: Int, alignment: Int
    ) throws(CheckpointError) -> TensorRecord {
        guard info.offset % UInt64(alignment) == 0 else {
            throw cursor.failure(
                tensor: info.name, "offset",
                "it is \(info.offset) and must be a multiple of the alignment, \(alignment); the file is damaged")
        }
        let available = max(0, cursor.bytes.count - dataStart)
        guard info.offset <= UInt64(available), UInt64(info.byteCount) <= UInt64(available) - info.offset else {
            throw cursor.failure(
                tensor: info.name, "offset",
                "its \(info.byteCount) bytes at offset \(info.offset) end past the \(available) bytes of tensor data in the file; "
                    + "the file is cut short or damaged: download or convert it again")
        }
        let start = dataStart + Int(info.offset)
        return TensorRecord(
            name: info.name, shape: info.shape, typeName: info.type.name, type: info.type,
            range: start..<start + info.byteCount)
    }
}
