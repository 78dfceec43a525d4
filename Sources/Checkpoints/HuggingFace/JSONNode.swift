/// A JSON value in memory, for the small files of configurations.
enum JSONNode: Sendable {
    case null
    case bool(Bool)
    case integer(Int)
    /// A number with a fraction or an exponent, or a whole one that does not fit in an `Int`.
    case number(Double)
    case string(String)
    case array([JSONNode])
    case object([(key: String, value: JSONNode)])

    /// Reads any value, and the words `NaN`, `Infinity` and `-Infinity` that Python writes.
    init(_ scanner: inout JSONScanner) throws(CheckpointError) {
        switch scanner.peek() {
        case UInt8(ascii: "{"): self = .object(try Self.members(&scanner))
        case UInt8(ascii: "["):
            var elements: [JSONNode] = []
            try scanner.array { (scanner) throws(CheckpointError) in elements.append(try JSONNode(&scanner)) }
            self = .array(elements)
        case UInt8(ascii: "\""): self = .string(try scanner.string())
        default: self = try Self.scalar(&scanner)
        }
    }

    static func members(_ scanner: inout JSONScanner) throws(CheckpointError) -> [(key: String, value: JSONNode)] {
        var members: [(key: String, value: JSONNode)] = []
        try scanner.object { (scanner, key) throws(CheckpointError) in
            members.append((key, try JSONNode(&scanner)))
        }
        return members
    }

    private static func scalar(_ scanner: inout JSONScanner) throws(CheckpointError) -> JSONNode {
        if scanner.takeWord("null") { return .null }
        if scanner.takeWord("true") { return .bool(true) }
        if scanner.takeWord("false") { return .bool(false) }
        if scanner.takeWord("NaN") { return .number(.nan) }
        if scanner.takeWord("Infinity") { return .number(.infinity) }
        if scanner.takeWord("-Infinity") { return .number(-.infinity) }
        let (text, isInteger) = try scanner.number()
        if isInteger, let value = Int(text) { return .integer(value) }
        // A number too large for a Double becomes infinite, as in Python.
        guard let value = Double(text) else { throw scanner.failure("\(text.prefix(40)) is not a readable number") }
        return .number(value)
    }

    var int: Int? {
        switch self {
        case .integer(let value): value
        case .number(let value): Int(exactly: value)
        default: nil
        }
    }

    var double: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    var string: String? { if case .string(let value) = self { value } else { nil } }
    var object: [(key: String, value: JSONNode)]? { if case .object(let value) = self { value } else { nil } }

    /// What the value is, for errors.
    var kind: String {
        switch self {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .integer(let value): "\(value)"
        case .number(let value): "\(value)"
        case .string(let value): "the string \"\(value.prefix(60))\""
        case .array(let elements): "a list of \(elements.count)"
        case .object: "an object"
        }
    }
}
