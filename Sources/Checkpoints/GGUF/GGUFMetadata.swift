/// The metadata of a GGUF file: keys with typed values, decoded when they are asked for.
///
/// Opening a file walks over every value once and checks it; a vocabulary of 150,000 tokens stays in the mapped
/// file until someone asks for it. Each accessor comes twice: `int("key")` throws where the key is missing,
/// `int(ifPresent: "key")` returns nil then. Both throw where the value has another type or does not fit, naming
/// the key, the type found and the type wanted.
public struct GGUFMetadata: Sendable {
    /// Where a value lies in the file, and what it is.
    struct Entry: Sendable {
        var type: GGUFValueType
        /// For an array: the type and number of its elements.
        var element: GGUFValueType?
        var count = 1
        /// The value's bytes, without the fields that give its type and, for arrays, its count.
        var range: Range<Int>

        var typeName: String { element.map { "array of \(count) \($0.name)" } ?? type.name }
    }

    let file: MappedFile
    /// Every key, in the order of the file.
    public let keys: [String]
    let entries: [String: Entry]

    /// True where the file has this key, whatever its value.
    public func has(_ key: String) -> Bool { entries[key] != nil }

    /// The type of a value, or nil where there is no such key.
    public func type(of key: String) -> GGUFValueType? { entries[key]?.type }

    /// For an array: the type and the number of its elements. Nil for anything else.
    public func arrayType(of key: String) -> (element: GGUFValueType, count: Int)? {
        guard let entry = entries[key], let element = entry.element else { return nil }
        return (element, entry.count)
    }

    // MARK: Scalars

    /// A whole number of any integer type.
    public func int(_ key: String) throws(CheckpointError) -> Int { try required(key, int(ifPresent: key)) }

    public func int(ifPresent key: String) throws(CheckpointError) -> Int? { try integer(key, Int.self) }

    /// A whole number that is not negative, of any integer type.
    public func uint(_ key: String) throws(CheckpointError) -> UInt64 { try required(key, uint(ifPresent: key)) }

    public func uint(ifPresent key: String) throws(CheckpointError) -> UInt64? { try integer(key, UInt64.self) }

    /// A floating-point number; one of 32 bits is widened exactly.
    public func float(_ key: String) throws(CheckpointError) -> Double { try required(key, float(ifPresent: key)) }

    public func float(ifPresent key: String) throws(CheckpointError) -> Double? {
        guard let entry = entries[key] else { return nil }
        switch decodeScalar(entry.type, at: entry.range.lowerBound) {
        case .float32(let value): return Double(value)
        case .float64(let value): return value
        default: throw wrongType(key, entry, wanted: "a floating-point number (float32 or float64)")
        }
    }

    /// A truth value.
    public func bool(_ key: String) throws(CheckpointError) -> Bool { try required(key, bool(ifPresent: key)) }

    public func bool(ifPresent key: String) throws(CheckpointError) -> Bool? {
        guard let entry = entries[key] else { return nil }
        guard case .bool(let value) = decodeScalar(entry.type, at: entry.range.lowerBound) else {
            throw wrongType(key, entry, wanted: "bool")
        }
        return value
    }

    /// A string, which must be valid UTF-8 here.
    public func string(_ key: String) throws(CheckpointError) -> String { try required(key, string(ifPresent: key)) }

    public func string(ifPresent key: String) throws(CheckpointError) -> String? {
        guard let bytes = try bytes(ifPresent: key) else { return nil }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw CheckpointError(file: file.path, field: key, reason: "its \(bytes.count) bytes are not valid UTF-8")
        }
        return text
    }

    /// A string's bytes, whatever they are.
    public func bytes(_ key: String) throws(CheckpointError) -> [UInt8] { try required(key, bytes(ifPresent: key)) }

    public func bytes(ifPresent key: String) throws(CheckpointError) -> [UInt8]? {
        guard let entry = entries[key] else { return nil }
        guard entry.type == .string else { throw wrongType(key, entry, wanted: "string") }
        var position = entry.range.lowerBound
        return decodeString(at: &position)
    }

    // MARK: Arrays

    /// An array of strings, each as its bytes: tokens need not be valid UTF-8. O(bytes of the array).
    public func strings(_ key: String) throws(CheckpointError) -> [[UInt8]] {
        try required(key, strings(ifPresent: key))
    }

    public func strings(ifPresent key: String) throws(CheckpointError) -> [[UInt8]]? {
        guard let entry = try array(key, wanted: "array of string", where: { $0 == .string }) else { return nil }
        var position = entry.range.lowerBound
        return (0..<entry.count).map { _ in decodeString(at: &position) }
    }

    /// An array of whole numbers of any integer type, each of which must fit in 32 bits.
    public func ints(_ key: String) throws(CheckpointError) -> [Int32] { try required(key, ints(ifPresent: key)) }

    public func ints(ifPresent key: String) throws(CheckpointError) -> [Int32]? {
        guard let entry = try array(key, wanted: "array of integers", where: \.isInteger) else { return nil }
        let size = entry.element!.byteCount!
        var values: [Int32] = []
        values.reserveCapacity(entry.count)
        for index in 0..<entry.count {
            let value = decodeScalar(entry.element!, at: entry.range.lowerBound + index * size)!
            guard let fitting: Int32 = value.integer() else {
                throw CheckpointError(
                    file: file.path, field: key,
                    reason: "element \(index) is \(value.integerText) and must be in \(Int32.min)...\(Int32.max)")
            }
            values.append(fitting)
        }
        return values
    }

    /// An array of floating-point numbers of 32 bits.
    public func floats(_ key: String) throws(CheckpointError) -> [Float] { try required(key, floats(ifPresent: key)) }

    public func floats(ifPresent key: String) throws(CheckpointError) -> [Float]? {
        guard let entry = try array(key, wanted: "array of float32", where: { $0 == .float32 }) else { return nil }
        return (0..<entry.count).map { Float(bitPattern: load(entry.range.lowerBound + $0 * 4)) }
    }

    /// An array of truth values.
    public func bools(_ key: String) throws(CheckpointError) -> [Bool] { try required(key, bools(ifPresent: key)) }

    public func bools(ifPresent key: String) throws(CheckpointError) -> [Bool]? {
        guard let entry = try array(key, wanted: "array of bool", where: { $0 == .bool }) else { return nil }
        return file.bytes[entry.range].map { $0 != 0 }
    }

    /// An error about the value of `key`, for whoever reads it and finds it wrong.
    public func failure(_ key: String, _ reason: String) -> CheckpointError {
        CheckpointError(file: file.path, field: key, reason: reason)
    }

    // MARK: Any value

    /// The whole value decoded, or nil where there is no such key: for listing a file or copying its metadata.
    public func value(_ key: String) -> GGUFValue? {
        guard let entry = entries[key] else { return nil }
        var position = entry.range.lowerBound
        if let element = entry.element { return decodeElements(of: element, count: entry.count, at: &position) }
        return decode(entry.type, at: &position)
    }
}

// MARK: - Decoding bytes that were checked when the file was opened

extension GGUFMetadata {
    private func load<T: FixedWidthInteger>(_ position: Int) -> T {
        T(littleEndian: file.bytes.loadUnaligned(fromByteOffset: position, as: T.self))
    }

    private func decodeString(at position: inout Int) -> [UInt8] {
        let start = position + 8
        position = start + Int(load(position) as UInt64)
        return Array(file.bytes[start..<position])
    }

    /// Nil for strings and arrays.
    private func decodeScalar(_ type: GGUFValueType, at position: Int) -> GGUFValue? {
        switch type {
        case .uint8: .uint8(load(position))
        case .int8: .int8(load(position))
        case .uint16: .uint16(load(position))
        case .int16: .int16(load(position))
        case .uint32: .uint32(load(position))
        case .int32: .int32(load(position))
        case .uint64: .uint64(load(position))
        case .int64: .int64(load(position))
        case .float32: .float32(Float(bitPattern: load(position)))
        case .float64: .float64(Double(bitPattern: load(position)))
        case .bool: .bool(load(position) as UInt8 != 0)
        case .string, .array: nil
        }
    }

    private func decode(_ type: GGUFValueType, at position: inout Int) -> GGUFValue {
        if let scalar = decodeScalar(type, at: position) {
            position += type.byteCount!
            return scalar
        }
        if type == .string { return .string(decodeString(at: &position)) }
        let element = GGUFValueType(rawValue: load(position))!
        let count = Int(load(position + 4) as UInt64)
        position += 12
        return decodeElements(of: element, count: count, at: &position)
    }

    private func decodeElements(of element: GGUFValueType, count: Int, at position: inout Int) -> GGUFValue {
        .array(of: element, (0..<count).map { _ in decode(element, at: &position) })
    }

    private func integer<T: FixedWidthInteger>(_ key: String, _: T.Type) throws(CheckpointError) -> T? {
        guard let entry = entries[key] else { return nil }
        guard entry.type.isInteger, let value = decodeScalar(entry.type, at: entry.range.lowerBound) else {
            throw wrongType(key, entry, wanted: "an integer")
        }
        guard let fitting: T = value.integer() else {
            throw CheckpointError(
                file: file.path, field: key,
                reason: "it is \(value.integerText) and must be in \(T.min)...\(T.max)")
        }
        return fitting
    }

    private func array(
        _ key: String, wanted: String, where matches: (GGUFValueType) -> Bool
    ) throws(CheckpointError) -> Entry? {
        guard let entry = entries[key] else { return nil }
        guard let element = entry.element, matches(element) else { throw wrongType(key, entry, wanted: wanted) }
        return entry
    }

    private func wrongType(_ key: String, _ entry: Entry, wanted: String) -> CheckpointError {
        CheckpointError(file: file.path, field: key, reason: "it is of type \(entry.typeName); \(wanted) is wanted")
    }

    private func required<T>(_ key: String, _ value: T?) throws(CheckpointError) -> T {
        if let value { return value }
        throw CheckpointError(
            file: file.path, field: key,
            reason:
                "this metadata key is missing\(suggestion(for: key, among: keys)); convert the model again with a newer converter"
        )
    }
}

extension GGUFValue {
    /// The value as `T`, or nil where it is no integer or does not fit.
    fileprivate func integer<T: FixedWidthInteger>() -> T? {
        switch self {
        case .uint8(let value): T(exactly: value)
        case .int8(let value): T(exactly: value)
        case .uint16(let value): T(exactly: value)
        case .int16(let value): T(exactly: value)
        case .uint32(let value): T(exactly: value)
        case .int32(let value): T(exactly: value)
        case .uint64(let value): T(exactly: value)
        case .int64(let value): T(exactly: value)
        default: nil
        }
    }

    fileprivate var integerText: String {
        if let value: Int64 = integer() { return "\(value)" }
        if let value: UInt64 = integer() { return "\(value)" }
        return type.name
    }
}
