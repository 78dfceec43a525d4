/// The method `format` of texts: `"{} of {total:>4}".format(3, total=10)`.
private struct BraceFormatter {
    let machine: Machine
    let positional: [Value]
    let keyword: [(name: String, value: Value)]
    /// Place of the next unnumbered field; nil once fields are numbered by hand.
    private var nextIndex: Int? = 0
    private var numbersByHand = false

    init(_ machine: Machine, _ positional: [Value], _ keyword: [(name: String, value: Value)]) {
        self.machine = machine
        self.positional = positional
        self.keyword = keyword
    }

    mutating func run(_ format: [UInt8], depth: Int, isMarkup: Bool) throws(TemplateError) -> [UInt8] {
        guard depth > 0 else { throw machine.failure("a format nested too deeply") }
        var result: [UInt8] = []
        var position = 0
        while position < format.count {
            let byte = format[position]
            position += 1
            let doubled = position < format.count && format[position] == byte
            switch byte {
            case UInt8(ascii: "{") where doubled, UInt8(ascii: "}") where doubled:
                result.append(byte)
                position += 1
            case UInt8(ascii: "}"): throw machine.failure("a format with a single '}'")
            case UInt8(ascii: "{"):
                var open = 1
                let start = position
                while position < format.count, open > 0 {
                    if format[position] == UInt8(ascii: "{") { open += 1 }
                    if format[position] == UInt8(ascii: "}") { open -= 1 }
                    position += 1
                }
                guard open == 0 else { throw machine.failure("a format with a single '{'") }
                let field = try formatField(Array(format[start..<position - 1]), depth: depth, isMarkup: isMarkup)
                try machine.charge(field.bytes.count)
                result += field.bytes
            default: result.append(byte)
            }
        }
        return result
    }

    private mutating func formatField(
        _ field: [UInt8], depth: Int, isMarkup: Bool
    ) throws(TemplateError) -> TemplateString {
        // name [! conversion] [: layout]; brackets in the name may hold either sign.
        var end = 0
        var isInBrackets = false
        while end < field.count {
            if field[end] == UInt8(ascii: "[") { isInBrackets = true }
            if field[end] == UInt8(ascii: "]") { isInBrackets = false }
            if !isInBrackets, field[end] == UInt8(ascii: "!") || field[end] == UInt8(ascii: ":") { break }
            end += 1
        }
        var value = try lookUp(Array(field[..<end]))
        if end < field.count, field[end] == UInt8(ascii: "!") {
            guard end + 1 < field.count else { throw machine.failure("a format that ends after '!'") }
            switch field[end + 1] {
            case UInt8(ascii: "s"): value = .string(try machine.describe(value))
            case UInt8(ascii: "r"): value = .string(try machine.representation(value))
            default: throw machine.failure("a format knows the conversions 's' and 'r'")
            }
            end += 2
            guard end == field.count || field[end] == UInt8(ascii: ":") else {
                throw machine.failure("a format expects ':' after its conversion")
            }
        }
        let layout = end < field.count ? try run(Array(field[(end + 1)...]), depth: depth - 1, isMarkup: false) : []
        let text = try machine.formatted(value, layout)
        return isMarkup ? text.escaped : text
    }

    private mutating func lookUp(_ name: [UInt8]) throws(TemplateError) -> Value {
        var end = 0
        while end < name.count, name[end] != UInt8(ascii: "."), name[end] != UInt8(ascii: "[") { end += 1 }
        var value = try first(String(decoding: name[..<end], as: UTF8.self))
        while end < name.count {
            let isBracket = name[end] == UInt8(ascii: "[")
            let start = end + 1
            end = start
            while end < name.count, isBracket ? name[end] != UInt8(ascii: "]") : !".[".utf8.contains(name[end]) {
                end += 1
            }
            let part = TemplateString(name[start..<end])
            guard !part.isEmpty, !isBracket || end < name.count else {
                throw machine.failure("an empty name in a format")
            }
            if isBracket {
                end += 1
                let index = part.bytes.allSatisfy({ (48...57).contains($0) }) ? Int(part.string) : nil
                value = try machine.item(value, index.map(Value.integer) ?? .string(part))
            } else {
                value = try machine.attribute(value, part.string, part)
            }
        }
        return value
    }

    private mutating func first(_ name: String) throws(TemplateError) -> Value {
        var index = Int(name)
        if name.isEmpty {
            guard !numbersByHand, let next = nextIndex else {
                throw machine.failure("a format with both numbered and unnumbered fields")
            }
            index = next
            nextIndex = next + 1
        } else if index != nil {
            guard nextIndex == nil || nextIndex == 0 else {
                throw machine.failure("a format with both numbered and unnumbered fields")
            }
            numbersByHand = true
        }
        if let index {
            guard positional.indices.contains(index) else { throw machine.failure("too few values for the format") }
            return positional[index]
        }
        guard let value = keyword.first(where: { $0.name == name })?.value else {
            throw machine.failure("the format names '\(name)', which is not there")
        }
        return value
    }
}

/// `[[fill]align][sign][#][0][width][grouping][.precision][type]`
private struct FieldSpecification {
    var layout = FieldLayout()
    var hasAlignment = false
    var sign: UInt8 = UInt8(ascii: "-")
    var isAlternate = false
    var grouping: UInt8?
    var precision: Int?
    var type: UInt8?

    init(_ bytes: [UInt8], _ machine: Machine) throws(TemplateError) {
        var scalars = TemplateString(bytes: bytes).scalars[...]
        func isAlignment(_ scalar: Unicode.Scalar) -> Bool { "<>^=".unicodeScalars.contains(scalar) }
        if let first = scalars.first, let second = scalars.dropFirst().first, isAlignment(second) {
            layout.fill = TemplateString(scalars: [first])
            layout.alignment = UInt8(second.value)
            hasAlignment = true
            scalars = scalars.dropFirst(2)
        } else if let first = scalars.first, isAlignment(first) {
            layout.alignment = UInt8(first.value)
            hasAlignment = true
            scalars = scalars.dropFirst()
        }
        func take(_ accepted: String) -> UInt8? {
            guard let first = scalars.first, accepted.unicodeScalars.contains(first) else { return nil }
            scalars = scalars.dropFirst()
            return UInt8(first.value)
        }
        func number() throws(TemplateError) -> Int? {
            var value: Int?
            while let digit = take("0123456789") {
                value = (value ?? 0) * 10 + Int(digit - 48)
                guard value! < 1 << 24 else { throw .limit("a field wider than \(1 << 24)", line: machine.line) }
            }
            return value
        }
        if let given = take("+- ") { sign = given }
        isAlternate = take("#") != nil
        if take("0") != nil, !hasAlignment {
            layout.fill = "0"
            layout.alignment = UInt8(ascii: "=")
            hasAlignment = true
        }
        layout.width = try number() ?? 0
        grouping = take(",_")
        if take(".") != nil {
            precision = try number()
            guard precision != nil else { throw machine.failure("a format without digits after '.'") }
        }
        type = take("sdboxXceEfFgGn%")
        guard scalars.isEmpty else { throw machine.failure("an invalid layout in a format") }
    }
}

extension Machine {
    func braceFormat(
        _ format: TemplateString, _ positional: [Value], _ keyword: [(name: String, value: Value)]
    ) throws(TemplateError) -> Value {
        var formatter = BraceFormatter(self, positional, keyword)
        return try text(format.with(try formatter.run(format.bytes, depth: 2, isMarkup: format.isMarkup)))
    }

    /// The value laid out as a field of a format.
    fileprivate func formatted(_ value: Value, _ layout: [UInt8]) throws(TemplateError) -> TemplateString {
        if layout.isEmpty { return try describe(value) }
        var field = try FieldSpecification(layout, self)
        switch value {
        case .string(let text):
            guard field.type == nil || field.type == UInt8(ascii: "s"), field.grouping == nil, !field.isAlternate,
                field.sign == UInt8(ascii: "-"), field.layout.alignment != UInt8(ascii: "=") || field.layout.fill == "0"
            else { throw failure("a layout for numbers on a text") }
            if !field.hasAlignment || field.layout.alignment == UInt8(ascii: "=") {
                field.layout.alignment = UInt8(ascii: "<")
            }
            let kept = field.precision.map { min($0, text.count) } ?? text.count
            return try field.layout.apply(text.scalars(0..<kept), self)
        case .integer, .bool, .float: return try number(value, field)
        default: throw failure("a layout on a value of type '\(value.typeName)'")
        }
    }

    private func number(_ value: Value, _ field: FieldSpecification) throws(TemplateError) -> TemplateString {
        var text: TemplateString
        let type = field.type ?? 0
        switch type {
        case UInt8(ascii: "d"), UInt8(ascii: "n"), UInt8(ascii: "b"), UInt8(ascii: "o"), UInt8(ascii: "x"),
            UInt8(ascii: "X"):
            text = try wholeNumber(value, type, field)
        case 0 where value.integerValue != nil: text = try wholeNumber(value, UInt8(ascii: "d"), field)
        case 0 where field.precision == nil: text = try describe(value)
        case UInt8(ascii: "c"), UInt8(ascii: "s"): throw failure("the layout '\(Unicode.Scalar(type))' on a number")
        default:
            guard var number = number(value) else { throw failure("a layout for numbers on another value") }
            let isPercent = type == UInt8(ascii: "%")
            if isPercent { number *= 100 }
            let form = isPercent ? UInt8(ascii: "f") : type == 0 || type == UInt8(ascii: "n") ? UInt8(ascii: "g") : type
            text = try floating(number, form, field.precision ?? 6, keepsZeros: field.isAlternate)
            if type == 0, !text.bytes.contains(where: { ".en".utf8.contains($0) }) { text.bytes += Array(".0".utf8) }
            if isPercent { text.bytes.append(UInt8(ascii: "%")) }
        }
        if let separator = field.grouping { text = grouped(text, separator) }
        let isNegative = text.bytes.first == UInt8(ascii: "-")
        if !isNegative, field.sign != UInt8(ascii: "-") { text.bytes.insert(field.sign, at: 0) }
        var sign = isNegative || field.sign != UInt8(ascii: "-") ? 1 : 0
        if field.isAlternate, text.bytes.count > sign + 1, "boxX".utf8.contains(text.bytes[sign + 1]) { sign += 2 }
        return try field.layout.apply(text, sign: sign, self)
    }

    private func wholeNumber(
        _ value: Value, _ type: UInt8, _ field: FieldSpecification
    ) throws(TemplateError) -> TemplateString {
        guard value.integerValue != nil, field.precision == nil else {
            throw failure("a layout for whole numbers on a value of type '\(value.typeName)'")
        }
        let radix = [UInt8(ascii: "b"): 2, UInt8(ascii: "o"): 8, UInt8(ascii: "x"): 16, UInt8(ascii: "X"): 16]
        var text = try digits(value, radix: radix[type] ?? 10, nil)
        if type == UInt8(ascii: "X") { text = text.uppercased }
        if field.isAlternate, radix[type] != nil {
            text.bytes.insert(contentsOf: [UInt8(ascii: "0"), type], at: text.bytes.first == UInt8(ascii: "-") ? 1 : 0)
        }
        return text
    }

    /// With a separator before every third digit of the whole part, from the right.
    private func grouped(_ text: TemplateString, _ separator: UInt8) -> TemplateString {
        let start = text.bytes.first == UInt8(ascii: "-") ? 1 : 0
        let end = text.bytes[start...].firstIndex { !(48...57).contains($0) } ?? text.bytes.count
        var bytes = Array(text.bytes[..<start])
        for offset in start..<end {
            if offset > start, (end - offset) % 3 == 0 { bytes.append(separator) }
            bytes.append(text.bytes[offset])
        }
        return text.with(bytes + text.bytes[end...])
    }
}
