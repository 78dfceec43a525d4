/// One step that changes a text before it is cut into pieces (the names are those of `tokenizer.json`).
indirect enum Normalizer: Sendable {
    case sequence([Normalizer])
    case unicode(UnicodeNormalization)
    case lowercase
    case strip(left: Bool, right: Bool)
    case stripAccents
    case prepend([UInt8])
    case replace(Splitter.Rule, with: [UInt8])
    case bert(cleansText: Bool, spacesChinese: Bool, stripsAccents: Bool, lowercases: Bool)
    case characterMap(CharacterMap)
    case nmt
    case byteLevel
    case sentencePiece(SentencePieceNormalizer)

    func apply(_ text: [UInt8]) -> [UInt8] {
        switch self {
        case .sequence(let steps): return steps.reduce(text) { $1.apply($0) }
        case .unicode(let form): return form.apply(text)
        case .lowercase: return Self.lowercased(text)
        case .strip(let left, let right): return strip(text, left, right)
        case .stripAccents: return Self.rebuilt(text) { Self.isMark($0) ? [] : nil }
        case .prepend(let prefix): return text.isEmpty ? text : prefix + text
        case .replace(let rule, let content): return replace(text, rule, content)
        case .bert(let cleans, let spaces, let strips, let lowers):
            return bert(text, cleans, spaces, strips, lowers)
        case .characterMap(let map): return map.replaceGraphemes(text)
        case .nmt: return Self.rebuilt(text, Self.nmt)
        case .byteLevel: return ByteAlphabet.encoded(text)
        case .sentencePiece(let normalizer): return normalizer.apply(text)
        }
    }

    /// The text with some scalars changed: `change` gives what takes a scalar's place, or nil to keep it.
    private static func rebuilt(_ text: [UInt8], _ change: (UInt32) -> [UInt32]?) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(text.count)
        text.withUnsafeBufferPointer { buffer in
            UTF8Scalars.forEach(buffer) { scalar, start, end, isIll in
                if !isIll, let new = change(scalar) {
                    for value in new { UTF8Scalars.append(value, to: &output) }
                } else {
                    output.append(contentsOf: buffer[start..<end])
                }
            }
        }
        return output
    }

    private static func lowercased(_ text: [UInt8]) -> [UInt8] {
        if !text.contains(where: { $0 >= 0x80 }) {
            return text.map { $0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0 }
        }
        return rebuilt(text) { scalar in
            if scalar < 0x80 { return [scalar >= 0x41 && scalar <= 0x5A ? scalar | 0x20 : scalar] }
            return Unicode.Scalar(scalar)?.properties.lowercaseMapping.unicodeScalars.map(\.value)
        }
    }

    private func strip(_ text: [UInt8], _ left: Bool, _ right: Bool) -> [UInt8] {
        var first = text.count
        var last = 0
        text.withUnsafeBufferPointer { buffer in
            UTF8Scalars.forEach(buffer) { scalar, start, end, _ in
                guard !ScalarClass.matches(scalar, ScalarClass.whiteSpace) else { return }
                first = min(first, start)
                last = end
            }
        }
        guard first < last else { return left || right ? [] : text }
        return Array(text[(left ? first : 0)..<(right ? last : text.count)])
    }

    private func replace(_ text: [UInt8], _ rule: Splitter.Rule, _ content: [UInt8]) -> [UInt8] {
        if case .literal(let literal) = rule, literal.count == 1 {
            guard text.contains(literal[0]) else { return text }
            var output: [UInt8] = []
            output.reserveCapacity(text.count + text.count / 2)
            for byte in text {
                if byte == literal[0] { output.append(contentsOf: content) } else { output.append(byte) }
            }
            return output
        }
        var pieces: [Range<Int>] = []
        text.withUnsafeBufferPointer { Splitter(rule, .removed, isInverted: true).split($0, offset: 0, into: &pieces) }
        var output: [UInt8] = []
        var position = 0
        for match in pieces {
            output.append(contentsOf: text[position..<match.lowerBound])
            output.append(contentsOf: content)
            position = match.upperBound
        }
        output.append(contentsOf: text[position...])
        return output
    }

    private static func nmt(_ scalar: UInt32) -> [UInt32]? {
        switch scalar {
        case 0x01...0x08, 0x0B, 0x0E...0x1F, 0x7F, 0x8F, 0x9F: []
        case 0x09, 0x0A, 0x0C, 0x0D, 0x1680, 0x200B...0x200F, 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD: [0x20]
        default: nil
        }
    }

    static func isChinese(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0x4E00...0x9FFF, 0x3400...0x4DBF, 0x20000...0x2A6DF, 0x2A700...0x2B73F, 0x2B740...0x2B81F,
            0x2B920...0x2CEAF, 0xF900...0xFAFF, 0x2F800...0x2FA1F:
            true
        default: false
        }
    }

    // The reference's tables are those of Unicode 8 for BERT and of Unicode 9 for `StripAccents`; a few scalars have
    // changed their category since.
    private static let controls: UInt32 = 1 << 25 | 1 << 26 | 1 << 27 | 1 << 28

    private static func isNonspacingMark(_ scalar: UInt32) -> Bool {
        scalar >= 0x300
            && (scalar == 0x1734
                || (ScalarClass.matches(scalar, ScalarClass.nonspacingMarks) && scalar != 0x111C9
                    && ScalarClass.isAssigned(scalar, by: 8)))
    }

    private static func isMark(_ scalar: UInt32) -> Bool {
        scalar >= 0x300
            && (scalar == 0x1CF2 || scalar == 0x1CF3
                || (ScalarClass.matches(scalar, ScalarClass.marks) && scalar != 0x111C9
                    && ScalarClass.isAssigned(scalar, by: 9)))
    }

    private func bert(_ text: [UInt8], _ cleans: Bool, _ spaces: Bool, _ strips: Bool, _ lowers: Bool) -> [UInt8] {
        var output = text
        if cleans {
            output = Self.rebuilt(output) { scalar in
                switch scalar {
                case 0x09, 0x0A, 0x0D: return [0x20]
                case 0, 0xFFFD: return []
                default: break
                }
                if ScalarClass.matches(scalar, ScalarClass.whiteSpace) {
                    return ScalarClass.matches(scalar, 1 << UInt32(ScalarClass.controlSpaceCode)) ? [] : [0x20]
                }
                return ScalarClass.matches(scalar, Self.controls) && ScalarClass.isAssigned(scalar, by: 8) ? [] : nil
            }
        }
        if spaces { output = Self.rebuilt(output) { Self.isChinese($0) ? [0x20, $0, 0x20] : nil } }
        if strips {
            output = UnicodeNormalization.nfd.apply(output)
            output = Self.rebuilt(output) { Self.isNonspacingMark($0) ? [] : nil }
        }
        if lowers { output = Self.lowercased(output) }
        return output
    }
}
