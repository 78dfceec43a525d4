extension Filters {
    static let absolute: Filter = { (machine, value, arguments) throws(TemplateError) in
        _ = try arguments.positional("abs", 0...0, machine)
        if case .float(let number) = value { return .float(number.magnitude) }
        guard let number = value.integerValue else {
            throw machine.failure("abs needs a number, not a value of type '\(value.typeName)'")
        }
        return try machine.signed(.integer(number), isNegative: number < 0)
    }

    static let integer: Filter = { (machine, value, arguments) throws(TemplateError) in
        let values = try arguments.bind("int", ["default", "base"], required: 0, machine)
        let fallback = values[0] ?? .integer(0)
        let base = try integer(values[1], 10, machine)
        switch value {
        case .undefined(let undefined): throw .undefined(undefined.message, line: machine.line)
        case .integer, .bool: return .integer(value.integerValue ?? 0)
        case .float(let number):
            if number.isNaN { return fallback }
            guard number.isFinite else { throw machine.failure("infinity is no whole number") }
            return try whole(number, machine)
        case .string(let text):
            if let number = try NumberText.integer(text, base: base, machine) { return .integer(number) }
            guard let number = NumberText.float(text), number.isFinite else { return fallback }
            return try whole(number, machine)
        default: return fallback
        }
    }

    private static func whole(_ number: Double, _ machine: Machine) throws(TemplateError) -> Value {
        guard let whole = Int(exactly: number.rounded(.towardZero)) else {
            throw machine.unsupported("whole numbers past 64 bits")
        }
        return .integer(whole)
    }

    static let float: Filter = { (machine, value, arguments) throws(TemplateError) in
        let fallback = try arguments.bind("float", ["default"], required: 0, machine)[0] ?? .float(0)
        if let number = machine.number(value) { return .float(number) }
        if case .undefined(let undefined) = value { throw .undefined(undefined.message, line: machine.line) }
        guard case .string(let text) = value, let number = NumberText.float(text) else { return fallback }
        return .float(number)
    }

    static let round: Filter = { (machine, value, arguments) throws(TemplateError) in
        let values = try arguments.bind("round", ["precision", "method"], required: 0, machine)
        let places = try integer(values[0], 0, machine)
        let method = try plain(values[1] ?? .string("common"), machine).string
        guard ["common", "ceil", "floor"].contains(method) else {
            throw machine.failure("round knows the methods common, ceil and floor, not '\(method)'")
        }
        guard let number = machine.number(value) else {
            throw machine.failure("round needs a number, not a value of type '\(value.typeName)'")
        }
        guard (-400...400).contains(places) else { throw machine.unsupported("rounding to \(places) places") }
        if method == "common" {
            guard let whole = value.integerValue else { return .float(rounded(number, places: places)) }
            return try rounded(whole, places: places, machine)
        }
        guard places >= 0, places <= 15 else { throw machine.unsupported("\(method) to \(places) places") }
        var scale = 1.0
        for _ in 0..<places { scale *= 10 }
        return .float((number * scale).rounded(method == "ceil" ? .up : .down) / scale)
    }

    /// Rounds the exact decimal value, half to even.
    private static func rounded(_ number: Double, places: Int) -> Double {
        guard number.isFinite, number != 0, places < 330 else { return number }
        let exact = NumberText.exactDigits(number.magnitude)
        let kept = NumberText.round(exact.digits, point: exact.point, to: exact.point + places)
        let text = kept.digits.map(String.init).joined()
        let magnitude = Double("\(text)e\(kept.point - kept.digits.count)") ?? number.magnitude
        let isZero = kept.digits.allSatisfy { $0 == 0 }
        return number < 0 ? -(isZero ? 0 : magnitude) : isZero ? 0 : magnitude
    }

    private static func rounded(_ number: Int, places: Int, _ machine: Machine) throws(TemplateError) -> Value {
        guard places < 0 else { return .integer(number) }
        guard places > -19 else { return .integer(0) }
        var scale = 1
        for _ in 0 ..< -places { scale *= 10 }
        let (quotient, remainder) = number.quotientAndRemainder(dividingBy: scale)
        let twice = remainder.magnitude.multipliedReportingOverflow(by: 2)
        let isAway =
            twice.overflow || twice.partialValue > scale.magnitude
            || twice.partialValue == scale.magnitude && quotient % 2 != 0
        let steps = isAway ? quotient + number.signum() : quotient
        let (result, overflow) = steps.multipliedReportingOverflow(by: scale)
        guard !overflow else { throw machine.unsupported("whole numbers past 64 bits") }
        return .integer(result)
    }
}

extension NumberText {
    /// A whole number as people write it: white space around it, a sign, single underscores between digits, and for
    /// base 2, 8, 16 or 0 a prefix. Nil where the text is none.
    static func integer(_ text: TemplateString, base: Int, _ machine: Machine) throws(TemplateError) -> Int? {
        guard base == 0 || (2...36).contains(base) else { return nil }
        var bytes = withASCIIDigits(text)[...]
        var sign = ""
        if let first = bytes.first, first == UInt8(ascii: "-") || first == UInt8(ascii: "+") {
            sign = first == UInt8(ascii: "-") ? "-" : ""
            bytes = bytes.dropFirst()
        }
        var radix = base == 0 ? 10 : base
        if bytes.count > 1, bytes[bytes.startIndex] == UInt8(ascii: "0") {
            let marks: [UInt8: Int] = [UInt8(ascii: "b"): 2, UInt8(ascii: "o"): 8, UInt8(ascii: "x"): 16]
            if let marked = marks[bytes[bytes.startIndex + 1] | 0x20], base == 0 || base == marked {
                radix = marked
                bytes = bytes.dropFirst(2)
                if bytes.first == UInt8(ascii: "_") { bytes = bytes.dropFirst() }
            } else if base == 0, bytes.contains(where: { $0 != UInt8(ascii: "0") && $0 != UInt8(ascii: "_") }) {
                return nil
            }
        }
        guard let digits = withoutUnderscores(bytes), digits.utf8.allSatisfy({ isDigit($0, radix: radix) }) else {
            return nil
        }
        guard let value = Int(sign + digits, radix: radix) else {
            throw machine.unsupported("whole numbers past 64 bits")
        }
        return value
    }

    /// The text without white space around it, and with every script's decimal digits as 0 to 9.
    private static func withASCIIDigits(_ text: TemplateString) -> [UInt8] {
        let stripped = text.stripped(left: true, right: true)
        if stripped.isASCII { return stripped.bytes }
        var bytes: [UInt8] = []
        for scalar in stripped.string.unicodeScalars {
            if scalar.properties.numericType == .decimal, let value = scalar.properties.numericValue {
                bytes.append(48 + UInt8(value))
            } else {
                bytes.append(scalar)
            }
        }
        return bytes
    }

    private static func isDigit(_ byte: UInt8, radix: Int) -> Bool {
        switch byte {
        case 48...57: Int(byte) - 48 < radix
        case 65...90: Int(byte) - 55 < radix
        case 97...122: Int(byte) - 87 < radix
        default: false
        }
    }

    /// A floating-point number as people write it, or nil.
    static func float(_ text: TemplateString) -> Double? {
        guard let digits = withoutUnderscores(withASCIIDigits(text)[...]) else { return nil }
        let lower = digits.lowercased()
        let magnitude = lower.hasPrefix("-") || lower.hasPrefix("+") ? String(lower.dropFirst()) : lower
        switch magnitude {
        case "inf", "infinity": return lower.hasPrefix("-") ? -Double.infinity : Double.infinity
        case "nan": return Double.nan
        default: break
        }
        // Swift also reads hexadecimal and other names; only digits, a point and an exponent are meant here.
        guard magnitude.utf8.allSatisfy({ (48...57).contains($0) || "+-.e".utf8.contains($0) }) else { return nil }
        if let number = Double(lower) { return number }
        // "1." and ".5" need their missing zero.
        let parts = magnitude.split(separator: "e", maxSplits: 1, omittingEmptySubsequences: false)
        let mantissa = parts[0].split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard mantissa.count == 2, !(mantissa[0].isEmpty && mantissa[1].isEmpty) else { return nil }
        let filled = (mantissa[0].isEmpty ? "0" : mantissa[0]) + "." + (mantissa[1].isEmpty ? "0" : mantissa[1])
        let power = parts.count > 1 ? "e" + parts[1] : ""
        return Double(filled + power).map { lower.hasPrefix("-") ? -$0 : $0 }
    }

    /// The digits without the single underscores between them; nil where an underscore stands elsewhere.
    private static func withoutUnderscores(_ bytes: ArraySlice<UInt8>) -> String? {
        guard !bytes.isEmpty else { return nil }
        var result: [UInt8] = []
        var wasDigit = false
        for (offset, byte) in zip(bytes.indices, bytes) {
            if byte == UInt8(ascii: "_") {
                guard wasDigit, offset + 1 < bytes.endIndex, bytes[offset + 1] != byte else { return nil }
                wasDigit = false
            } else {
                result.append(byte)
                wasDigit = isDigit(byte, radix: 36)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
