/// How a value is laid out in a field of formatted text.
struct FieldLayout {
    var fill: TemplateString = " "
    /// `<`, `>`, `^` or, for zeros between sign and digits, `=`.
    var alignment: UInt8 = UInt8(ascii: ">")
    var width = 0

    /// `sign` is the part of `text` that zeros go behind.
    func apply(_ text: TemplateString, sign: Int = 0, _ machine: Machine) throws(TemplateError) -> TemplateString {
        let missing = width - text.count
        guard missing > 0 else { return text }
        try machine.charge(fill.bytes.count, times: missing)
        func filling(_ count: Int) -> [UInt8] {
            var bytes: [UInt8] = []
            for _ in 0..<count { bytes += fill.bytes }
            return bytes
        }
        switch alignment {
        case UInt8(ascii: "<"): return text.with(text.bytes + filling(missing))
        case UInt8(ascii: "^"):
            return text.with(filling(missing / 2) + text.bytes + filling(missing - missing / 2))
        case UInt8(ascii: "="):
            return text.with(text.bytes.prefix(sign) + filling(missing) + text.bytes.dropFirst(sign))
        default: return text.with(filling(missing) + text.bytes)
        }
    }
}

/// The operator `%` of texts: `"%s has %d" % (name, count)`.
private struct PercentFormatter {
    let machine: Machine
    let format: TemplateString
    let source: Value
    private var position = 0
    private var used = 0
    private var result: [UInt8] = []

    init(_ machine: Machine, _ format: TemplateString, _ source: Value) {
        self.machine = machine
        self.format = format
        self.source = source
    }

    private struct Field {
        var flags: Set<UInt8> = []
        var width = 0
        var precision: Int?
        var name: TemplateString?
    }

    mutating func run() throws(TemplateError) -> TemplateString {
        let bytes = format.bytes
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            if byte == UInt8(ascii: "%") { try formatField() } else { result.append(byte) }
        }
        let given: Int =
            switch source {
            case .tuple(let sequence): sequence.items.count
            case .dictionary, .list, .undefined: used
            default: 1
            }
        guard used >= given || (used == 0 && isMapping) else {
            throw machine.failure("not all values were used by the format '\(format.string)'")
        }
        return format.with(result)
    }

    private var isMapping: Bool {
        switch source {
        case .dictionary, .list, .range, .undefined: true
        default: false
        }
    }

    private mutating func nextValue() throws(TemplateError) -> Value {
        defer { used += 1 }
        if case .tuple(let sequence) = source {
            guard used < sequence.items.count else { throw machine.failure("too few values for the format") }
            return sequence.items[used]
        }
        guard used == 0 else { throw machine.failure("too few values for the format") }
        return source
    }

    private mutating func nextByte() throws(TemplateError) -> UInt8 {
        guard position < format.bytes.count else { throw machine.failure("a format that ends inside a field") }
        position += 1
        return format.bytes[position - 1]
    }

    private mutating func number(_ first: UInt8) throws(TemplateError) -> (Int, next: UInt8) {
        if first == UInt8(ascii: "*") {
            return (try StringMethods.integer(try nextValue(), machine), try nextByte())
        }
        var value = 0
        var byte = first
        while (48...57).contains(byte) {
            value = value * 10 + Int(byte - 48)
            guard value < 1 << 24 else { throw .limit("a field wider than \(1 << 24)", line: machine.line) }
            byte = try nextByte()
        }
        return (value, byte)
    }

    private mutating func formatField() throws(TemplateError) {
        var field = Field()
        var byte = try nextByte()
        if byte == UInt8(ascii: "%") { return result.append(byte) }
        if byte == UInt8(ascii: "(") {
            var name: [UInt8] = []
            var depth = 1
            while true {
                byte = try nextByte()
                if byte == UInt8(ascii: "(") { depth += 1 }
                if byte == UInt8(ascii: ")") { depth -= 1 }
                if depth == 0 { break }
                name.append(byte)
            }
            field.name = TemplateString(bytes: name)
            byte = try nextByte()
        }
        while "-+ #0".utf8.contains(byte) {
            field.flags.insert(byte)
            byte = try nextByte()
        }
        (field.width, byte) = try number(byte)
        if field.width < 0 {
            field.flags.insert(UInt8(ascii: "-"))
            field.width = field.width == Int.min ? Int.max : -field.width
        }
        if byte == UInt8(ascii: ".") {
            let (precision, next) = try number(try nextByte())
            field.precision = max(precision, 0)
            byte = next
        }
        while "hlL".utf8.contains(byte) { byte = try nextByte() }
        var value: Value
        if let name = field.name {
            guard case .dictionary(let members) = source else { throw machine.failure("the format needs an object") }
            guard let member = members.value(for: name) else {
                throw machine.failure("the format names '\(name.string)', which is not there")
            }
            value = member
        } else {
            value = try nextValue()
        }
        if byte == UInt8(ascii: "i") || byte == UInt8(ascii: "u") { byte = UInt8(ascii: "d") }
        try append(value, byte, field)
    }

    private mutating func append(_ value: Value, _ type: UInt8, _ field: Field) throws(TemplateError) {
        var text: TemplateString
        var isNumber = true
        switch type {
        case UInt8(ascii: "s"), UInt8(ascii: "r"), UInt8(ascii: "a"):
            text = type == UInt8(ascii: "s") ? try machine.describe(value) : try machine.representation(value)
            if format.isMarkup { text = text.escaped }
            if let precision = field.precision, precision < text.count { text = text.scalars(0..<precision) }
            isNumber = false
        case UInt8(ascii: "c"):
            isNumber = false
            if let code = value.integerValue {
                guard let scalar = UInt32(exactly: code).flatMap(Unicode.Scalar.init) else {
                    throw machine.failure("'%c' needs the number of a character")
                }
                text = TemplateString(scalars: [scalar])
            } else {
                text = try StringMethods.string(value, machine)
                guard text.count == 1 else { throw machine.failure("'%c' needs one character") }
            }
        case UInt8(ascii: "d"): text = try machine.digits(value, radix: 10, field.precision)
        case UInt8(ascii: "x"), UInt8(ascii: "X"), UInt8(ascii: "o"):
            if case .float = value { throw machine.failure("'%x' and '%o' need a whole number") }
            text = try machine.digits(value, radix: type == UInt8(ascii: "o") ? 8 : 16, field.precision)
            if type == UInt8(ascii: "X") { text = text.uppercased }
            if field.flags.contains(UInt8(ascii: "#")) {
                let isNegative = text.bytes.first == UInt8(ascii: "-")
                text.bytes.insert(contentsOf: [UInt8(ascii: "0"), type], at: isNegative ? 1 : 0)
            }
        case UInt8(ascii: "e"), UInt8(ascii: "E"), UInt8(ascii: "f"), UInt8(ascii: "F"), UInt8(ascii: "g"),
            UInt8(ascii: "G"):
            guard let number = machine.number(value) else {
                throw machine.failure("a format for numbers got a value of type '\(value.typeName)'")
            }
            text = try machine.floating(
                number, type, field.precision ?? 6, keepsZeros: field.flags.contains(UInt8(ascii: "#")))
        default:
            throw machine.failure("a format cannot have the type '\(Unicode.Scalar(type))'")
        }
        if isNumber, text.bytes.first != UInt8(ascii: "-") {
            if field.flags.contains(UInt8(ascii: "+")) {
                text.bytes.insert(UInt8(ascii: "+"), at: 0)
            } else if field.flags.contains(UInt8(ascii: " ")) {
                text.bytes.insert(UInt8(ascii: " "), at: 0)
            }
        }
        var layout = FieldLayout(width: field.width)
        var sign = 0
        if field.flags.contains(UInt8(ascii: "-")) {
            layout.alignment = UInt8(ascii: "<")
        } else if isNumber, field.flags.contains(UInt8(ascii: "0")) {
            layout.fill = "0"
            layout.alignment = UInt8(ascii: "=")
            if let first = text.bytes.first, "+- ".utf8.contains(first) { sign = 1 }
            let digits = text.bytes.dropFirst(sign)
            if digits.count > 1, digits.first == UInt8(ascii: "0"), "xXo".utf8.contains(digits[sign + 1]) { sign += 2 }
        }
        let laid = try layout.apply(text, sign: sign, machine)
        try machine.charge(laid.bytes.count)
        result += laid.bytes
    }
}

extension Machine {
    func percentFormat(_ format: TemplateString, _ source: Value) throws(TemplateError) -> Value {
        var formatter = PercentFormatter(self, format, source)
        return try text(try formatter.run())
    }

    /// A number's whole part in digits of `radix`, at least `least` of them.
    func digits(_ value: Value, radix: Int, _ least: Int?) throws(TemplateError) -> TemplateString {
        var whole = value.integerValue
        if case .float(let number) = value { whole = Int(exactly: number.rounded(.towardZero)) }
        guard let whole else { throw failure("a format for whole numbers got a value of type '\(value.typeName)'") }
        try charge(least ?? 0)
        let digits = NumberText.padded(String(whole.magnitude, radix: radix), least ?? 0)
        return TemplateString((whole < 0 ? "-" : "") + digits)
    }

    /// A floating-point number in one of the forms e, f and g, capital for capital letters.
    func floating(
        _ value: Double, _ type: UInt8, _ precision: Int, keepsZeros: Bool
    ) throws(TemplateError) -> TemplateString {
        guard precision <= 4096 else { throw .limit("a number with more than 4096 digits", line: line) }
        try charge(precision + 1500)
        let sign = value.sign == .minus && !value.isNaN ? "-" : ""
        var text: String
        if !value.isFinite {
            text = value.isNaN ? "nan" : "inf"
        } else {
            switch type | 0x20 {
            case UInt8(ascii: "e"): text = NumberText.scientific(value, places: precision)
            case UInt8(ascii: "f"): text = NumberText.fixed(value, places: precision)
            default: text = NumberText.general(value, places: precision, keepsZeros: keepsZeros)
            }
        }
        if type & 0x20 == 0 { text = text.uppercased() }
        return TemplateString(sign + text)
    }
}
