/// Damages inputs in the ways that find mistakes in parsers: numbers at the edges of their types where lengths,
/// counts and offsets stand; cuts, repeats and splices; and, in texts, tokens in the wrong place.
enum Mutation {
    /// Values at which sums, products and comparisons go wrong.
    static let edges: [UInt64] = [
        0, 1, 2, 3, 7, 8, 31, 32, 33, 63, 64, 127, 128, 255, 256, 65_535, 65_536, 1 << 31 - 1, 1 << 31, 1 << 32 - 1,
        1 << 32,
        1 << 40, 1 << 61, 1 << 62, 1 << 63 - 1, 1 << 63, .max - 31, .max - 7, .max - 1, .max,
    ]

    static let tokens: [String] = [
        "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "\\ud83e", "\\uD800\\uDC00", "null", "true", "NaN",
        "-Infinity", "-", "0",
        "1e308", "1e999", "0.5", "-1", "01", "9223372036854775807", "9223372036854775808", "18446744073709551615",
        "18446744073709551616", "4294967296", "2147483647", "__metadata__", "dtype", "shape", "data_offsets",
        "weight_map",
        "\"F32\"", "\"I64\"", "\"F4\"", "../", "\u{0}", "\u{7F}", "é", "{\"a\":{\"a\":", "[[[[[[[[[[[[[[[[", " ", "\n",
    ]

    /// `input` with one to four changes. `header` is how many of its first bytes describe the rest, and `others` are
    /// inputs to take pieces from.
    static func mutate(
        _ input: [UInt8], header: Int, isText: Bool, others: [[UInt8]], _ random: inout SplitMix64
    ) -> [UInt8] {
        var bytes = input
        for _ in 0..<[1, 1, 2, 4].randomElement(using: &random)! {
            // Most changes hit the header: the rest is numbers that mean nothing to a parser.
            let bound = Int.random(in: 0..<8, using: &random) == 0 ? bytes.count : min(header, bytes.count)
            change(&bytes, bound: bound, isText: isText && Bool.random(using: &random), others, &random)
        }
        return bytes
    }

    private static func change(
        _ bytes: inout [UInt8], bound: Int, isText: Bool, _ others: [[UInt8]], _ random: inout SplitMix64
    ) {
        guard bound > 0 else {
            bytes.append(UInt8.random(in: .min ... .max, using: &random))
            return
        }
        let position = Int.random(in: 0..<bound, using: &random)
        if isText { return changeText(&bytes, at: position, &random) }
        switch Int.random(in: 0..<10, using: &random) {
        case 0: bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 1: bytes[position] = UInt8.random(in: .min ... .max, using: &random)
        case 2: bytes.removeLast(bytes.count - position)
        case 3: bytes.removeSubrange(range(from: position, in: bytes, &random))
        case 4: bytes.insert(contentsOf: Array(bytes[range(from: position, in: bytes, &random)]), at: position)
        case 5:
            guard let other = others.randomElement(using: &random), !other.isEmpty else { return }
            let start = Int.random(in: 0..<other.count, using: &random)
            let piece = Array(other[range(from: start, in: other, &random)])
            let replaced = Bool.random(using: &random) ? min(piece.count, bytes.count - position) : 0
            bytes.replaceSubrange(position..<position + replaced, with: piece)
        default: overwriteNumber(&bytes, near: position, bound: bound, &random)
        }
    }

    private static func range(from start: Int, in bytes: [UInt8], _ random: inout SplitMix64) -> Range<Int> {
        let longest = min(bytes.count - start, Bool.random(using: &random) ? 16 : 256)
        return start..<start + Int.random(in: 0...longest, using: &random)
    }

    /// Overwrites the next place after `position` that looks like a 32- or 64-bit length, count, type or offset.
    private static func overwriteNumber(
        _ bytes: inout [UInt8], near position: Int, bound: Int, _ random: inout SplitMix64
    ) {
        let width = [1, 2, 4, 4, 8, 8, 8].randomElement(using: &random)!
        guard bytes.count >= width else { return }
        var place = min(position, bytes.count - width)
        if width >= 4 {
            let limit = min(bound, bytes.count - width)
            let freeBytes = width / 4
            while place < limit, !bytes[place + freeBytes..<place + width].allSatisfy({ $0 == 0 }) { place += 1 }
        }
        let delta = UInt64(bitPattern: Int64.random(in: -1...1, using: &random))
        let edge = edges.randomElement(using: &random)! &+ (Bool.random(using: &random) ? 0 : delta)
        for index in 0..<width { bytes[place + index] = UInt8(truncatingIfNeeded: edge >> (8 * UInt64(index))) }
    }

    private static func changeText(_ bytes: inout [UInt8], at position: Int, _ random: inout SplitMix64) {
        let token = Array(tokens.randomElement(using: &random)!.utf8)
        func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
        switch Int.random(in: 0..<3, using: &random) {
        case 0: bytes.insert(contentsOf: token, at: position)
        case 1: bytes.replaceSubrange(position..<min(bytes.count, position + token.count), with: token)
        default:
            // A whole number becomes another one.
            guard let start = bytes[position...].firstIndex(where: isDigit) else { return }
            let end = bytes[start...].firstIndex { !isDigit($0) } ?? bytes.count
            bytes.replaceSubrange(start..<end, with: String(edges.randomElement(using: &random)!).utf8)
        }
    }
}
