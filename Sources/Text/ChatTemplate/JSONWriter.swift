/// Writes a value as JSON for the filter `tojson`: by default on one line, with a space after each `,` and `:`, and
/// with every character as itself.
struct JSONWriter {
    private(set) var bytes: [UInt8] = []
    var escapesNonASCII = false
    var sortsKeys = false
    private let machine: Machine
    /// What each level is indented by; nil writes one line.
    private var indent: [UInt8]?
    private var itemSeparator: [UInt8] = Array(", ".utf8)
    private var keySeparator: [UInt8] = Array(": ".utf8)
    private var level = 0

    init(_ machine: Machine) { self.machine = machine }

    mutating func setIndent(_ value: Value, separators: Value) throws(TemplateError) {
        switch value {
        case .none: break
        case .string(let text): indent = text.bytes
        default:
            let width = max(try StringMethods.integer(value, machine), 0)
            try machine.charge(width)
            indent = [UInt8](repeating: UInt8(ascii: " "), count: width)
        }
        if !separators.isNone {
            let pair = try machine.elements(separators)
            guard pair.count == 2 else { throw machine.failure("tojson needs two separators") }
            itemSeparator = try StringMethods.string(pair[0], machine).bytes
            keySeparator = try StringMethods.string(pair[1], machine).bytes
        } else if indent != nil {
            itemSeparator = Array(",".utf8)
        }
    }

    mutating func write(_ value: Value) throws(TemplateError) {
        try machine.step()
        switch value {
        case .none: bytes.append(text: "null")
        case .bool(let value): bytes.append(contentsOf: (value ? "true" : "false").utf8)
        case .integer(let value): bytes.append(contentsOf: String(value).utf8)
        case .float(let value): bytes.append(contentsOf: Self.text(value).utf8)
        case .string(let text): try write(text)
        case .list(let sequence), .tuple(let sequence): try write(sequence.items)
        case .dictionary(let dictionary): try write(dictionary)
        default: throw machine.failure("a value of type '\(value.typeName)' cannot be written as JSON")
        }
    }

    private static func text(_ value: Double) -> String {
        value.isNaN ? "NaN" : value.isInfinite ? (value < 0 ? "-Infinity" : "Infinity") : NumberText.shortest(value)
    }

    private mutating func newLine() throws(TemplateError) {
        guard let indent else { return }
        try machine.charge(indent.count, times: level)
        bytes.append(text: "\n")
        for _ in 0..<level { bytes += indent }
    }

    private mutating func write(_ items: [Value]) throws(TemplateError) {
        bytes.append(text: "[")
        level += 1
        for (index, item) in items.enumerated() {
            try separate(index)
            try write(item)
        }
        level -= 1
        if !items.isEmpty { try newLine() }
        bytes.append(text: "]")
    }

    private mutating func separate(_ index: Int) throws(TemplateError) {
        try machine.charge(itemSeparator.count + keySeparator.count + 8)
        if index > 0 { bytes += itemSeparator }
        try newLine()
    }

    private mutating func write(_ dictionary: Value.Dictionary) throws(TemplateError) {
        var entries = dictionary.entries
        if sortsKeys {
            let pairs = try machine.elements(Value.DictionaryView(kind: .items, dictionary: dictionary))
            let sorted = try machine.sorted(pairs, reverse: false) { (pair) throws(TemplateError) in
                try machine.item(pair, .integer(0))
            }
            entries = []
            for pair in sorted {
                entries.append((try machine.item(pair, .integer(0)), try machine.item(pair, .integer(1))))
            }
        }
        bytes.append(text: "{")
        level += 1
        for (index, entry) in entries.enumerated() {
            try separate(index)
            switch entry.key {
            case .string(let text): try write(text)
            case .none: bytes.append(text: "\"null\"")
            case .bool(let value): bytes.append(contentsOf: (value ? "\"true\"" : "\"false\"").utf8)
            case .integer(let value): bytes.append(contentsOf: "\"\(value)\"".utf8)
            case .float(let value): bytes.append(contentsOf: "\"\(Self.text(value))\"".utf8)
            default: throw machine.failure("a key of type '\(entry.key.typeName)' cannot be written as JSON")
            }
            bytes += keySeparator
            try write(entry.value)
        }
        level -= 1
        if !entries.isEmpty { try newLine() }
        bytes.append(text: "}")
    }

    private mutating func write(_ text: TemplateString) throws(TemplateError) {
        try machine.charge(text.bytes.count)
        bytes.append(text: "\"")
        var offset = 0
        while offset < text.bytes.count {
            let byte = text.bytes[offset]
            switch byte {
            case UInt8(ascii: "\""): bytes.append(text: "\\\"")
            case UInt8(ascii: "\\"): bytes.append(text: "\\\\")
            case 0x08: bytes.append(text: "\\b")
            case 0x09: bytes.append(text: "\\t")
            case 0x0A: bytes.append(text: "\\n")
            case 0x0C: bytes.append(text: "\\f")
            case 0x0D: bytes.append(text: "\\r")
            case 0..<0x20: writeEscape(UInt16(byte))
            case 0x7F... where escapesNonASCII:
                let (scalar, length) = text.bytes.scalar(at: offset)
                for unit in UTF16.encode(scalar)! { writeEscape(unit) }
                offset += length - 1
            default: bytes.append(byte)
            }
            offset += 1
        }
        bytes.append(text: "\"")
    }

    private mutating func writeEscape(_ unit: UInt16) {
        bytes.append(contentsOf: ("\\u" + NumberText.padded(String(unit, radix: 16), 4)).utf8)
    }
}
