/// The normalizer of a SentencePiece model: the character map, then the rules for spaces.
struct SentencePieceNormalizer: Sendable {
    var characterMap: CharacterMap?
    var addsDummyPrefix: Bool
    var removesExtraSpaces: Bool
    var escapesSpaces: Bool
    var treatsSpaceAsSuffix = false
    /// Pieces that pass through untouched.
    var userDefined = ByteTrie()
    /// What stands for a byte that is no UTF-8: itself, where the model has byte tokens, else U+FFFD.
    var keepsIllBytes: Bool

    func apply(_ text: [UInt8]) -> [UInt8] {
        if text.isEmpty { return [] }
        let space: [UInt8] = escapesSpaces ? BytePairModel.space : [0x20]
        var output: [UInt8] = []
        var isAllSpace = false
        output.reserveCapacity(text.count + text.count / 2 + 8)
        text.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            var position = 0
            var part: ArraySlice<UInt8> = []
            func advance() {
                let start = position
                if !userDefined.isEmpty, let match = userDefined.longestMatch(base, start, buffer.count) {
                    position = match.end
                } else if let characterMap, let match = characterMap.longest(base, start, buffer.count) {
                    position = match.end
                    part = match.text
                    return
                } else {
                    let (scalar, length) = UTF8Scalars.decode(base, start, buffer.count)
                    position += length
                    if length == 1, scalar == UTF8Scalars.replacement, !keepsIllBytes {
                        part = [0xEF, 0xBF, 0xBD]
                        return
                    }
                }
                part = ArraySlice(buffer[start..<position])
            }
            var pending = false
            if removesExtraSpaces {
                while position < buffer.count {
                    advance()
                    if !part.elementsEqual([0x20]) {
                        pending = true
                        break
                    }
                }
                isAllSpace = !pending
                if isAllSpace { return }
            }
            if !treatsSpaceAsSuffix, addsDummyPrefix { output += space }
            var endsInSpace = removesExtraSpaces
            while pending || position < buffer.count {
                if !pending { advance() }
                pending = false
                if endsInSpace { part = part.drop { $0 == 0x20 } }
                guard !part.isEmpty else { continue }
                for byte in part {
                    if byte == 0x20 { output += space } else { output.append(byte) }
                }
                endsInSpace = removesExtraSpaces && part.last == 0x20
            }
        }
        if removesExtraSpaces {
            while output.count >= space.count, output.suffix(space.count).elementsEqual(space) {
                output.removeLast(space.count)
            }
        }
        if treatsSpaceAsSuffix, addsDummyPrefix, !isAllSpace { output += space }
        return output
    }
}
