/// The compiled character map of a SentencePiece model (`precompiled_charsmap`): a double-array trie of the strings to
/// replace, and their replacements, each ended by a zero byte.
struct CharacterMap: Sendable {
    private let units: [UInt32]
    private let replacements: [UInt8]

    /// - Throws: ``TokenizerError`` where the sizes in the map do not add up.
    init(_ bytes: [UInt8], part: String) throws(TokenizerError) {
        guard bytes.count >= 4 else {
            throw TokenizerError(
                part: part, reason: "the character map has \(bytes.count) bytes, and its header alone 4")
        }
        func word(at start: Int) -> UInt32 {
            var value: UInt32 = 0
            for offset in 0..<4 { value |= UInt32(bytes[start + offset]) << UInt32(8 * offset) }
            return value
        }
        let size = Int(word(at: 0))
        guard size % 4 == 0, size <= bytes.count - 4 else {
            throw TokenizerError(
                part: part,
                reason: "the character map says its trie has \(size) bytes, which is no multiple of 4 up to the "
                    + "\(bytes.count - 4) that follow; the file is damaged")
        }
        units = (0..<size / 4).map { word(at: 4 + $0 * 4) }
        replacements = Array(bytes[(4 + size)...])
    }

    /// The matches at `position`, shortest first: `found` is given the end of each and where its replacement begins.
    @inline(__always)
    private func matches(
        _ text: UnsafePointer<UInt8>, _ position: Int, _ end: Int, _ found: (_ end: Int, _ value: Int) -> Bool
    ) {
        guard var unit = units.first else { return }
        var node = offset(unit)
        var place = position
        while place < end {
            let byte = text[place]
            if byte == 0 { return }
            node ^= Int(byte)
            guard node < units.count else { return }
            unit = units[node]
            guard unit & 0x8000_00FF == UInt32(byte) else { return }
            node ^= offset(unit)
            place += 1
            if unit >> 8 & 1 == 1 {
                guard node < units.count else { return }
                if !found(place, Int(units[node] & 0x7FFF_FFFF)) { return }
            }
        }
    }

    @inline(__always)
    private func offset(_ unit: UInt32) -> Int { Int((unit >> 10) << ((unit & 0x200) >> 6)) }

    private func replacement(at start: Int) -> ArraySlice<UInt8> {
        guard start < replacements.count else { return [] }
        return replacements[start...].prefix { $0 != 0 }
    }

    /// The longest match at `position`: its end and what takes its place.
    func longest(_ text: UnsafePointer<UInt8>, _ position: Int, _ end: Int) -> (end: Int, text: ArraySlice<UInt8>)? {
        var best: (end: Int, value: Int)?
        matches(text, position, end) { stop, value in
            best = (stop, value)
            return true
        }
        return best.map { ($0.end, replacement(at: $0.value)) }
    }

    /// Replaces grapheme by grapheme, as `tokenizer.json`'s `Precompiled` does: a grapheme of fewer than six bytes
    /// becomes the replacement of the shortest string of the map that it begins with; else each scalar does so alone.
    func replaceGraphemes(_ text: [UInt8]) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(text.count)
        func shortest(_ part: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
            part.withUnsafeBufferPointer { buffer in
                guard let base = buffer.baseAddress else { return nil }
                var value: Int?
                matches(base, 0, buffer.count) { _, found in
                    value = found
                    return false
                }
                return value.map { replacement(at: $0) }
            }
        }
        for piece in wellFormedParts(text) {
            guard piece.isText else {
                output.append(contentsOf: text[piece.range])
                continue
            }
            var position = piece.range.lowerBound
            for character in String(decoding: text[piece.range], as: UTF8.self) {
                let end = position + character.utf8.count
                if end - position < 6, let new = shortest(text[position..<end]) {
                    output.append(contentsOf: new)
                } else {
                    for scalar in character.unicodeScalars {
                        let width = UTF8.width(scalar)
                        let part = text[position..<position + width]
                        output.append(contentsOf: shortest(part) ?? part)
                        position += width
                    }
                }
                position = end
            }
        }
        return output
    }

    private func wellFormedParts(_ text: [UInt8]) -> [(range: Range<Int>, isText: Bool)] {
        var parts: [(range: Range<Int>, isText: Bool)] = []
        text.withUnsafeBufferPointer { buffer in
            UTF8Scalars.forEach(buffer) { _, start, end, isIll in
                if let last = parts.last, last.isText, !isIll {
                    parts[parts.count - 1].range = last.range.lowerBound..<end
                } else {
                    parts.append((start..<end, !isIll))
                }
            }
        }
        return parts
    }
}
