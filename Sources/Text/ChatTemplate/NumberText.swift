/// Decimal text of numbers.
enum NumberText {
    /// The shortest digits that read back as `value`: positional from 1e-4 up to 1e16, else with an exponent; always
    /// with a fraction or an exponent, so that it is seen to be no whole number.
    static func shortest(_ value: Double) -> String {
        guard let (isNegative, digits, point) = shortestDigits(value) else {
            return value.isNaN ? "nan" : value < 0 ? "-inf" : "inf"
        }
        let sign = isNegative ? "-" : ""
        guard (-3...16).contains(point) else {
            let fraction = digits.count > 1 ? "." + String(digits.dropFirst()) : ""
            return sign + String(digits.prefix(1)) + fraction + exponent(point - 1)
        }
        if point <= 0 { return sign + "0." + String(repeating: "0", count: -point) + digits }
        if digits.count <= point { return sign + digits + String(repeating: "0", count: point - digits.count) + ".0" }
        return sign + String(digits.prefix(point)) + "." + String(digits.dropFirst(point))
    }

    static func exponent(_ value: Int) -> String {
        let magnitude = String(value.magnitude)
        return "e" + (value < 0 ? "-" : "+") + (magnitude.count < 2 ? "0" : "") + magnitude
    }

    /// Sign, digits without zeros at either end, and the place of the point relative to the first digit.
    private static func shortestDigits(_ value: Double) -> (isNegative: Bool, digits: String, point: Int)? {
        guard value.isFinite else { return nil }
        if value == 0 { return (value.sign == .minus, "0", 1) }
        let text = value.magnitude.description
        let parts = text.split(separator: "e", maxSplits: 1)
        let mantissa = parts[0].split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let whole = String(mantissa[0])
        let fraction = mantissa.count > 1 ? String(mantissa[1]) : ""
        var point = whole.count + (parts.count > 1 ? Int(parts[1]) ?? 0 : 0)
        var digits = Substring(whole + fraction)
        while digits.first == "0" {
            digits = digits.dropFirst()
            point -= 1
        }
        while digits.count > 1, digits.last == "0" { digits = digits.dropLast() }
        return (value < 0, String(digits), point)
    }

    /// All decimal digits of a finite magnitude, exactly, and the place of the point relative to the first digit.
    static func exactDigits(_ value: Double) -> (digits: [UInt8], point: Int) {
        // value = significand · 2^power; a negative power turns into 5^-power over 10^-power.
        let isSubnormal = value.exponentBitPattern == 0
        let significand = value.significandBitPattern | (isSubnormal ? 0 : 1 << 52)
        let power = (isSubnormal ? 1 : Int(value.exponentBitPattern)) - 1075
        var limbs: [UInt32] = [UInt32(significand % 1_000_000_000), UInt32(significand / 1_000_000_000)]
        for _ in 0..<abs(power) {
            var carry: UInt64 = 0
            for index in limbs.indices {
                let product = UInt64(limbs[index]) * (power < 0 ? 5 : 2) + carry
                limbs[index] = UInt32(product % 1_000_000_000)
                carry = product / 1_000_000_000
            }
            if carry > 0 { limbs.append(UInt32(carry)) }
        }
        var digits: [UInt8] = []
        for limb in limbs.reversed() {
            let text = String(limb)
            digits.append(contentsOf: [UInt8](repeating: 0, count: 9 - text.utf8.count))
            digits.append(contentsOf: text.utf8.map { $0 - UInt8(ascii: "0") })
        }
        let leading = digits.prefix { $0 == 0 }.count
        digits.removeFirst(leading)
        let point = digits.count - (power < 0 ? -power : 0)
        return digits.isEmpty ? ([0], 1) : (digits, point)
    }

    /// Rounds digits to the first `count`, half to even; the point moves where a carry adds a digit.
    static func round(_ digits: [UInt8], point: Int, to count: Int) -> (digits: [UInt8], point: Int) {
        guard count < digits.count else { return (digits, point) }
        guard count >= 0 else { return ([0], point) }
        var kept = Array(digits.prefix(count))
        let next = digits[count]
        let isExactHalf = next == 5 && digits[(count + 1)...].allSatisfy { $0 == 0 }
        guard next > 5 || next == 5 && (!isExactHalf || (kept.last ?? 0) % 2 == 1) else {
            return (kept.isEmpty ? [0] : kept, point)
        }
        var index = kept.count - 1
        while index >= 0, kept[index] == 9 {
            kept[index] = 0
            index -= 1
        }
        if index >= 0 {
            kept[index] += 1
            return (kept, point)
        }
        return ([1] + kept, point + 1)
    }

    /// Magnitude with `places` digits after the point.
    static func fixed(_ value: Double, places: Int) -> String {
        let exact = exactDigits(value.magnitude)
        // A number below the last place rounds to it or to zero: its digits start behind the point.
        let rounded = round(exact.digits, point: exact.point, to: exact.point + places)
        let isZero = rounded.digits.allSatisfy { $0 == 0 }
        let digits = isZero ? [] : rounded.digits
        let point = isZero ? 0 : rounded.point
        func digit(_ index: Int) -> Character {
            Character(Unicode.Scalar(48 + (digits.indices.contains(index) ? digits[index] : 0)))
        }
        let whole = point <= 0 ? "0" : String((0..<point).map(digit))
        return places == 0 ? whole : whole + "." + String((0..<places).map { digit(point + $0) })
    }

    /// Magnitude as one digit, `places` digits after the point, and an exponent.
    static func scientific(_ value: Double, places: Int) -> String {
        let (digits, point) = significant(value, count: places + 1)
        let text = digits.map { Character(Unicode.Scalar(48 + $0)) }
        return String(text[0]) + (places > 0 ? "." + String(text[1...]) : "") + exponent(value == 0 ? 0 : point - 1)
    }

    /// Magnitude with `places` significant digits, in whichever form is shorter; zeros at the end dropped unless
    /// `keepsZeros`.
    static func general(_ value: Double, places: Int, keepsZeros: Bool) -> String {
        let places = max(places, 1)
        let (digits, point) = significant(value, count: places)
        let power = value == 0 ? 0 : point - 1
        var text: String
        if power < -4 || power >= places {
            let characters = digits.map { Character(Unicode.Scalar(48 + $0)) }
            text = String(characters[0]) + "." + String(characters[1...])
        } else {
            text = fixed(value, places: places - 1 - power)
        }
        if !keepsZeros, text.contains(".") {
            while text.hasSuffix("0") { text.removeLast() }
        }
        if text.hasSuffix(".") { text.removeLast() }
        return power < -4 || power >= places ? text + exponent(power) : text
    }

    private static func significant(_ value: Double, count: Int) -> (digits: [UInt8], point: Int) {
        let exact = exactDigits(value.magnitude)
        var (digits, point) = round(exact.digits, point: exact.point, to: count)
        if digits.count > count { digits.removeLast(digits.count - count) }
        digits += [UInt8](repeating: 0, count: count - digits.count)
        return (digits, point)
    }

    /// `\x`, `\u` or `\U` and the scalar's number in hexadecimal.
    static func escape(_ scalar: Unicode.Scalar) -> String {
        let (prefix, width) = scalar.value < 0x100 ? ("\\x", 2) : scalar.value < 0x10000 ? ("\\u", 4) : ("\\U", 8)
        return prefix + padded(String(scalar.value, radix: 16), width)
    }

    static func padded(_ text: String, _ width: Int) -> String {
        String(repeating: "0", count: max(0, width - text.utf8.count)) + text
    }
}
