/// One safetensors file, parsed: where its tensors lie.
///
/// Source: the safetensors format as published with its reference implementation: 8 bytes with the length of the
/// header, a JSON object, then the tensors' bytes, which must cover the rest of the file without hole or overlap.
package struct SafetensorsFile: Sendable {
    package let file: MappedFile
    /// In the order of their bytes.
    package let tensors: [TensorRecord]
    /// The texts under `__metadata__`, in the order of the file.
    package let metadata: [(key: String, value: String)]

    static let headerLimit = 100_000_000
    /// Dimensions of a shape: no framework allows more.
    static let dimensionLimit = 64
    static let metadataKey = "__metadata__"

    /// - Complexity: O(bytes of the header + n log n for n tensors); tensor data is not touched.
    package init(_ file: MappedFile) throws(CheckpointError) {
        // Cursor and scanner point into the file without keeping it.
        defer { withExtendedLifetime(file) {} }
        self.file = file
        let header = try Self.header(file)
        let dataStart = 8 + header.count
        var scanner = JSONScanner(header, origin: 8, file: file.path, part: "header")
        guard scanner.peek() == UInt8(ascii: "{"), scanner.position == 0 else {
            throw scanner.failure("the header must start with {", at: 0)
        }
        var metadata: [(key: String, value: String)] = []
        var records: [TensorRecord] = []
        try scanner.object { (scanner, key) throws(CheckpointError) in
            if key == Self.metadataKey {
                try scanner.object { (scanner, key) throws(CheckpointError) in
                    metadata.append((key, try scanner.string()))
                }
            } else {
                records.append(try Self.tensor(&scanner, name: key, dataStart: dataStart))
            }
        }
        try scanner.end()
        self.metadata = metadata
        tensors = try records.sortedChecking(file: file.path)
        try Self.checkCovered(tensors, file, dataStart: dataStart)
    }

    private static func header(_ file: MappedFile) throws(CheckpointError) -> UnsafeRawBufferPointer {
        var cursor = ByteCursor(file)
        // They would otherwise show up as an absurd header length.
        if isForeign(file.bytes) {
            throw cursor.failure("header length", foreignFile(file.bytes, expected: "safetensors"))
        }
        let length = try cursor.integer(UInt64.self, "header length")
        guard (2...UInt64(headerLimit)).contains(length) else {
            throw cursor.failure(
                "header length",
                "it is \(length) bytes; 2 to \(headerLimit) are allowed: the file is damaged or is no safetensors file")
        }
        guard length <= UInt64(cursor.remaining) else {
            throw cursor.failure(
                "header length",
                "it is \(length) bytes, and the file has \(cursor.remaining) after it; "
                    + "the file is cut short or damaged: download it again")
        }
        return UnsafeRawBufferPointer(rebasing: file.bytes[8..<8 + Int(length)])
    }

    private static func tensor(
        _ scanner: inout JSONScanner, name: String, dataStart: Int
    ) throws(CheckpointError) -> TensorRecord {
        let file = scanner.file
        func failure(_ field: String, _ reason: String) -> CheckpointError {
            CheckpointError(file: file, tensor: name, field: field, reason: reason)
        }
        guard !name.isEmpty else { throw scanner.failure("a tensor's name is empty") }
        var typeName: String?
        var shape: [Int]?
        var offsets: [Int]?
        try scanner.object { (scanner, key) throws(CheckpointError) in
            switch key {
            case "dtype": typeName = try scanner.string()
            case "shape": shape = try sizes(&scanner, atMost: dimensionLimit)
            case "data_offsets": offsets = try sizes(&scanner, atMost: 2)
            default:
                throw failure(
                    key, "this field is not part of the format (dtype, shape, data_offsets); the file is damaged")
            }
        }
        guard let typeName else { throw failure("dtype", "this field is missing; the file is damaged") }
        guard let shape else { throw failure("shape", "this field is missing; the file is damaged") }
        guard let offsets else { throw failure("data_offsets", "this field is missing; the file is damaged") }
        guard let type = SafetensorsType(rawValue: typeName) else {
            throw failure(
                "dtype", "\"\(typeName)\" is no type of the format; the file is damaged or newer than this Apus")
        }
        guard let elements = elementCount(shape), let byteCount = type.byteCount(elements: elements) else {
            throw failure(
                "shape", "\(shape) of \(typeName) is not a whole number of bytes up to \(Int.max); the file is damaged")
        }
        guard offsets.count == 2, offsets[0] <= offsets[1] else {
            throw failure(
                "data_offsets", "\(offsets) must be a first and a last position in order; the file is damaged")
        }
        guard offsets[1] - offsets[0] == byteCount else {
            throw failure(
                "data_offsets",
                "\(offsets) spans \(offsets[1] - offsets[0]) bytes, and shape \(shape) of \(typeName) takes \(byteCount); "
                    + "the file is damaged")
        }
        guard let start = dataStart.adding(offsets[0]), let end = dataStart.adding(offsets[1]) else {
            throw failure("data_offsets", "\(offsets) is past the end of any file; the file is damaged")
        }
        return TensorRecord(name: name, shape: shape, typeName: typeName, type: type.elementType, range: start..<end)
    }

    private static func sizes(_ scanner: inout JSONScanner, atMost limit: Int) throws(CheckpointError) -> [Int] {
        var values: [Int] = []
        try scanner.array { (scanner) throws(CheckpointError) in
            guard values.count < limit else { throw scanner.failure("more than \(limit) numbers in a list") }
            values.append(try scanner.size())
        }
        return values
    }

    /// Every byte after the header belongs to exactly one tensor. `tensors` is sorted and free of overlap.
    private static func checkCovered(
        _ tensors: [TensorRecord], _ file: MappedFile, dataStart: Int
    ) throws(CheckpointError) {
        var position = dataStart
        for tensor in tensors {
            guard tensor.range.upperBound <= file.bytes.count else {
                throw CheckpointError(
                    file: file.path, tensor: tensor.name, field: "data_offsets",
                    reason:
                        "its bytes end at \(tensor.range.upperBound - dataStart) of \(file.bytes.count - dataStart) bytes of "
                        + "tensor data; the file is cut short or damaged: download it again")
            }
            guard tensor.range.lowerBound == position else {
                throw CheckpointError(
                    file: file.path, tensor: tensor.name, field: "data_offsets",
                    reason:
                        "\(tensor.range.lowerBound - position) bytes before it belong to no tensor, which the format forbids; "
                        + "the file is damaged")
            }
            position = tensor.range.upperBound
        }
        guard position == file.bytes.count else {
            throw CheckpointError(
                file: file.path, field: "data_offsets",
                reason: "the last \(file.bytes.count - position) bytes belong to no tensor, which the format forbids; "
                    + "the file is damaged")
        }
    }
}

extension Int {
    /// The sum, or nil where it does not fit.
    fileprivate func adding(_ other: Int) -> Int? {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? nil : sum
    }
}
