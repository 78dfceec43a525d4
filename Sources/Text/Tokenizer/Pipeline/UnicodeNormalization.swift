/// The four normalization forms (Unicode Standard Annex #15) over bytes. Bytes that are no UTF-8 stay as they are and
/// part the text.
enum UnicodeNormalization: Sendable {
    case nfc, nfd, nfkc, nfkd

    private var isComposed: Bool { self == .nfc || self == .nfkc }
    private var isCompatible: Bool { self == .nfkc || self == .nfkd }

    // Below this, no scalar changes and none joins the one before it.
    private var firstAffected: UInt32 {
        switch self {
        case .nfc: 0x300
        case .nfd: 0xC0
        case .nfkc, .nfkd: 0xA0
        }
    }

    private struct Tables: Sendable {
        var canonical: [UInt32: [UInt32]] = [:]
        var compatible: [UInt32: [UInt32]] = [:]
        var compositions: [UInt64: UInt32] = [:]
    }

    private static let tables: Tables = {
        var tables = Tables()
        var code: UInt32 = 0
        var number: UInt32 = 0
        var isCompatible = false
        var parts: [UInt32] = []
        DecompositionData.entries.withUTF8Buffer { text in
            for byte in text {
                switch byte {
                case UInt8(ascii: "="), UInt8(ascii: "~"):
                    code += number
                    number = 0
                    isCompatible = byte == UInt8(ascii: "~")
                case UInt8(ascii: "+"):
                    parts.append(number)
                    number = 0
                case UInt8(ascii: ";"):
                    parts.append(number)
                    number = 0
                    if isCompatible { tables.compatible[code] = parts } else { tables.canonical[code] = parts }
                    if !isCompatible, parts.count == 2, let scalar = Unicode.Scalar(code),
                        !scalar.properties.isFullCompositionExclusion
                    {
                        tables.compositions[UInt64(parts[0]) << 32 | UInt64(parts[1])] = code
                    }
                    parts = []
                case UInt8(ascii: "0")...UInt8(ascii: "9"): number = number << 4 | UInt32(byte - 0x30)
                case UInt8(ascii: "A")...UInt8(ascii: "F"): number = number << 4 | UInt32(byte - 0x37)
                default: break
                }
            }
        }
        return tables
    }()

    func apply(_ text: [UInt8]) -> [UInt8] {
        let threshold = firstAffected
        // Scalars from U+0080 up have two bytes or more; the first byte tells whether any is affected.
        let firstByte: UInt8 = threshold == 0x300 ? 0xCC : 0xC2
        guard text.contains(where: { $0 >= firstByte }) else { return text }
        var output: [UInt8] = []
        output.reserveCapacity(text.count + text.count / 8)
        var run: [UInt32] = []
        text.withUnsafeBufferPointer { buffer in
            UTF8Scalars.forEach(buffer) { scalar, start, end, isIll in
                if isIll {
                    flush(&run, &output)
                    output.append(buffer[start])
                } else {
                    if scalar < threshold { flush(&run, &output) }
                    run.append(scalar)
                }
            }
        }
        flush(&run, &output)
        return output
    }

    private func flush(_ run: inout [UInt32], _ output: inout [UInt8]) {
        if run.count == 1, run[0] < firstAffected {
            UTF8Scalars.append(run[0], to: &output)
        } else if !run.isEmpty {
            var scalars: [UInt32] = []
            for scalar in run { decompose(scalar, into: &scalars) }
            reorder(&scalars)
            if isComposed { compose(&scalars) }
            for scalar in scalars { UTF8Scalars.append(scalar, to: &output) }
        }
        run.removeAll(keepingCapacity: true)
    }

    private func decompose(_ scalar: UInt32, into output: inout [UInt32]) {
        if scalar >= 0xAC00, scalar < 0xAC00 + 11172 {
            let index = scalar - 0xAC00
            output.append(0x1100 + index / 588)
            output.append(0x1161 + index % 588 / 28)
            if index % 28 != 0 { output.append(0x11A7 + index % 28) }
            return
        }
        let mapping =
            scalar < 0xA0
            ? nil : Self.tables.canonical[scalar] ?? (isCompatible ? Self.tables.compatible[scalar] : nil)
        guard let mapping else {
            output.append(scalar)
            return
        }
        for part in mapping { decompose(part, into: &output) }
    }

    static func combiningClass(_ scalar: UInt32) -> UInt8 {
        guard scalar >= 0x300, let valid = Unicode.Scalar(scalar) else { return 0 }
        return valid.properties.canonicalCombiningClass.rawValue
    }

    private func reorder(_ scalars: inout [UInt32]) {
        var index = 0
        while index < scalars.count {
            if Self.combiningClass(scalars[index]) == 0 {
                index += 1
                continue
            }
            var end = index
            while end < scalars.count, Self.combiningClass(scalars[end]) != 0 { end += 1 }
            if end - index > 1 {
                let marks = scalars[index..<end].enumerated().sorted {
                    let (a, b) = (Self.combiningClass($0.element), Self.combiningClass($1.element))
                    return a != b ? a < b : $0.offset < $1.offset
                }
                for (offset, mark) in marks.enumerated() { scalars[index + offset] = mark.element }
            }
            index = end
        }
    }

    private func compose(_ scalars: inout [UInt32]) {
        var output: [UInt32] = []
        var starter = -1
        var lastClass: UInt8 = 0
        for scalar in scalars {
            let itsClass = Self.combiningClass(scalar)
            if starter >= 0 {
                let isBlocked = starter != output.count - 1 && (lastClass == 0 || lastClass >= itsClass)
                if !isBlocked, let composed = Self.composition(output[starter], scalar) {
                    output[starter] = composed
                    continue
                }
            }
            if itsClass == 0 { starter = output.count }
            lastClass = itsClass
            output.append(scalar)
        }
        scalars = output
    }

    private static func composition(_ first: UInt32, _ second: UInt32) -> UInt32? {
        if first >= 0x1100, first < 0x1113, second >= 0x1161, second < 0x1176 {
            return 0xAC00 + (first - 0x1100) * 588 + (second - 0x1161) * 28
        }
        if first >= 0xAC00, first < 0xAC00 + 11172, (first - 0xAC00) % 28 == 0, second > 0x11A7, second < 0x11C3 {
            return first + second - 0x11A7
        }
        return tables.compositions[UInt64(first) << 32 | UInt64(second)]
    }
}
