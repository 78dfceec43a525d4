/// Reading of UTF-8 that never fails: a byte that begins no well-formed scalar is a unit of its own, one byte long,
/// and stands for U+FFFD wherever its character class is asked for. The byte itself is kept.
enum UTF8Scalars {
    static let replacement: UInt32 = 0xFFFD

    /// The unit at `position` (< `end`): its scalar value and its length in bytes (1...4).
    @inline(__always)
    static func decode(_ bytes: UnsafePointer<UInt8>, _ position: Int, _ end: Int) -> (scalar: UInt32, length: Int) {
        let first = bytes[position]
        if first < 0x80 { return (UInt32(first), 1) }
        return decodeMultibyte(bytes, position, end)
    }

    @inline(never)
    static func decodeMultibyte(_ bytes: UnsafePointer<UInt8>, _ position: Int, _ end: Int) -> (
        scalar: UInt32, length: Int
    ) {
        let first = UInt32(bytes[position])
        let room = end - position
        @inline(__always) func tail(_ offset: Int) -> UInt32? {
            let byte = bytes[position + offset]
            return byte & 0xC0 == 0x80 ? UInt32(byte & 0x3F) : nil
        }
        if first >= 0xC2, first < 0xE0, room >= 2, let a = tail(1) {
            return ((first & 0x1F) << 6 | a, 2)
        }
        if first >= 0xE0, first < 0xF0, room >= 3, let a = tail(1), let b = tail(2) {
            let scalar = (first & 0x0F) << 12 | a << 6 | b
            if scalar >= 0x800, !(0xD800..<0xE000).contains(scalar) { return (scalar, 3) }
        }
        if first >= 0xF0, first < 0xF5, room >= 4, let a = tail(1), let b = tail(2), let c = tail(3) {
            let scalar = (first & 0x07) << 18 | a << 12 | b << 6 | c
            if scalar >= 0x10000, scalar < 0x110000 { return (scalar, 4) }
        }
        return (replacement, 1)
    }

    /// The start of the unit that ends at `position` (> `start`), no further back than `start`.
    @inline(__always)
    static func previous(_ bytes: UnsafePointer<UInt8>, _ position: Int, _ start: Int) -> Int {
        if bytes[position - 1] < 0x80 { return position - 1 }
        var candidate = position - 1
        while candidate > start, position - candidate < 4, bytes[candidate] & 0xC0 == 0x80 { candidate -= 1 }
        return decodeMultibyte(bytes, candidate, position).length == position - candidate ? candidate : position - 1
    }

    @inline(__always)
    static func append(_ scalar: UInt32, to output: inout [UInt8]) {
        if scalar < 0x80 {
            output.append(UInt8(scalar))
        } else if scalar < 0x800 {
            output.append(UInt8(0xC0 | scalar >> 6))
            output.append(UInt8(0x80 | scalar & 0x3F))
        } else if scalar < 0x10000 {
            output.append(UInt8(0xE0 | scalar >> 12))
            output.append(UInt8(0x80 | scalar >> 6 & 0x3F))
            output.append(UInt8(0x80 | scalar & 0x3F))
        } else {
            output.append(UInt8(0xF0 | scalar >> 18))
            output.append(UInt8(0x80 | scalar >> 12 & 0x3F))
            output.append(UInt8(0x80 | scalar >> 6 & 0x3F))
            output.append(UInt8(0x80 | scalar & 0x3F))
        }
    }

    static func bytes(_ scalar: UInt32) -> [UInt8] {
        var output: [UInt8] = []
        append(scalar, to: &output)
        return output
    }

    /// Calls `body` with each unit in order: its scalar, its start and its end. `ill` is true for a byte that is no
    /// part of a well-formed scalar.
    @inline(__always)
    static func forEach(
        _ bytes: UnsafeBufferPointer<UInt8>, _ body: (_ scalar: UInt32, _ start: Int, _ end: Int, _ ill: Bool) -> Void
    ) {
        guard let base = bytes.baseAddress else { return }
        var position = 0
        while position < bytes.count {
            let (scalar, length) = decode(base, position, bytes.count)
            body(scalar, position, position + length, length == 1 && scalar == replacement)
            position += length
        }
    }
}
