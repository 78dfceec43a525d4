/// Hand-written matchers of the two families of patterns that most byte-level tokenizers use, equal to the general
/// matcher (a test compares them) and several times as fast. Every piece follows the one before it: the families
/// match all text.
struct FamilySplitter: Sendable {
    enum Family: Sendable, Equatable {
        /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
        case gpt2
        /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,d}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|…`,
        /// where marks may count as letters.
        case cl100k(digits: Int, marksAreLetters: Bool)
    }

    let family: Family
    private let lettersMask: UInt32

    init(_ family: Family) {
        self.family = family
        if case .cl100k(_, true) = family {
            lettersMask = ScalarClass.letters | ScalarClass.marks
        } else {
            lettersMask = ScalarClass.letters
        }
    }

    private static let contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
    private static let spelledContractions = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"

    /// The patterns that the families are equal to, as tokenizers write them.
    static let known: [(pattern: String, family: Family)] = {
        let gpt2 = #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#
        let gpt2Grouped = #"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#
        var list: [(String, Family)] = [(gpt2, .gpt2), (gpt2Grouped, .gpt2)]
        let tail = #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
        for (digits, written) in [(3, #"\p{N}{1,3}"#), (1, #"\p{N}"#), (Int.max, #"\p{N}+"#)] {
            list.append(
                (
                    contractions + #"|[^\r\n\p{L}\p{N}]?\p{L}+|"# + written + tail,
                    .cl100k(digits: digits, marksAreLetters: false)
                ))
            list.append(
                (
                    contractions + #"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|"# + written
                        + #"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#,
                    .cl100k(digits: digits, marksAreLetters: true)
                ))
        }
        return list
    }()

    init?(pattern: String) {
        guard let entry = Self.known.first(where: { $0.pattern.utf8.elementsEqual(pattern.utf8) }) else { return nil }
        self.init(entry.family)
    }

    private enum Kind: UInt8 { case other, letter, number, space, newline }

    private static let asciiKinds: [Kind] = (0..<UInt8(128)).map { byte in
        switch byte {
        case 0x0A, 0x0D: .newline
        case 0x09, 0x0B, 0x0C, 0x20: .space
        case 0x30...0x39: .number
        case 0x41...0x5A, 0x61...0x7A: .letter
        default: .other
        }
    }

    @inline(__always)
    private func kind(_ bytes: UnsafePointer<UInt8>, _ position: Int, _ end: Int, _ ascii: UnsafePointer<Kind>) -> (
        kind: Kind, length: Int
    ) {
        let byte = bytes[position]
        if byte < 0x80 { return (ascii[Int(byte)], 1) }
        let (scalar, length) = UTF8Scalars.decodeMultibyte(bytes, position, end)
        let bit: UInt32 = 1 << UInt32(ScalarClass.of(scalar) & ScalarClass.codeMask)
        if lettersMask & bit != 0 { return (.letter, length) }
        if ScalarClass.numbers & bit != 0 { return (.number, length) }
        if ScalarClass.whiteSpace & bit != 0 { return (.space, length) }
        return (.other, length)
    }

    /// Appends the pieces of `start..<end`.
    func split(_ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int, into pieces: inout [Range<Int>]) {
        Self.asciiKinds.withUnsafeBufferPointer { table in
            guard let ascii = table.baseAddress else { return }
            var position = start
            switch family {
            case .gpt2:
                while position < end {
                    let stop = gpt2End(bytes, position, end, ascii)
                    pieces.append(position..<stop)
                    position = stop
                }
            case .cl100k(let digits, _):
                while position < end {
                    let stop = cl100kEnd(bytes, position, end, digits, ascii)
                    pieces.append(position..<stop)
                    position = stop
                }
            }
        }
    }

    @inline(__always)
    private func skip(
        _ wanted: Kind, _ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int, _ ascii: UnsafePointer<Kind>
    ) -> Int {
        var position = start
        while position < end {
            let (kind, length) = kind(bytes, position, end, ascii)
            guard kind == wanted else { break }
            position += length
        }
        return position
    }

    /// The length of `'s`, `'t`, `'re`, `'ve`, `'m`, `'ll`, `'d` at an apostrophe, or 0.
    @inline(__always)
    private func contraction(_ bytes: UnsafePointer<UInt8>, _ position: Int, _ end: Int, ignoringCase: Bool) -> Int {
        guard position + 1 < end else { return 0 }
        let fold: UInt8 = ignoringCase ? 0x20 : 0
        let first = bytes[position + 1] | fold
        switch first {
        case 0x73, 0x74, 0x6D, 0x64: return 2
        case 0x72, 0x76, 0x6C:
            guard position + 2 < end else { return 0 }
            let second = bytes[position + 2] | fold
            return second == (first == 0x6C ? 0x6C : 0x65) ? 3 : 0
        // ſ, which equals s when case is ignored.
        case 0xC5 | fold:
            return ignoringCase && position + 2 < end && bytes[position + 1] == 0xC5 && bytes[position + 2] == 0xBF
                ? 3 : 0
        default: return 0
        }
    }

    @inline(__always)
    private func gpt2End(
        _ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int, _ ascii: UnsafePointer<Kind>
    ) -> Int {
        if bytes[start] == 0x27 {
            let length = contraction(bytes, start, end, ignoringCase: false)
            if length > 0 { return start + length }
        }
        var (kind, length) = kind(bytes, start, end, ascii)
        var position = start + length
        if bytes[start] == 0x20, position < end {
            let (following, itsLength) = self.kind(bytes, position, end, ascii)
            if following != .space, following != .newline {
                kind = following
                position += itsLength
            }
        }
        switch kind {
        case .letter, .number, .other: return skip(kind, bytes, position, end, ascii)
        case .space, .newline: return spacesEnd(bytes, start, end, ascii)
        }
    }

    /// `\s+(?!\S)|\s+` at white space: all of it where it ends the text, else all but its last scalar where it has two.
    @inline(__always)
    private func spacesEnd(
        _ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int, _ ascii: UnsafePointer<Kind>
    ) -> Int {
        var position = start
        var last = start
        while position < end {
            let (kind, length) = kind(bytes, position, end, ascii)
            guard kind == .space || kind == .newline else { break }
            last = position
            position += length
        }
        return position == end || last == start ? position : last
    }

    @inline(__always)
    private func cl100kEnd(
        _ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int, _ digits: Int, _ ascii: UnsafePointer<Kind>
    ) -> Int {
        if bytes[start] == 0x27 {
            let length = contraction(bytes, start, end, ignoringCase: true)
            if length > 0 { return start + length }
        }
        let (kind, length) = kind(bytes, start, end, ascii)
        var position = start + length
        switch kind {
        case .letter: return skip(.letter, bytes, position, end, ascii)
        case .number:
            var count = 1
            while count < digits, position < end {
                let (following, itsLength) = self.kind(bytes, position, end, ascii)
                guard following == .number else { break }
                position += itsLength
                count += 1
            }
            return position
        case .other, .space:
            guard position < end else { break }
            let (following, itsLength) = self.kind(bytes, position, end, ascii)
            if following == .letter { return skip(.letter, bytes, position + itsLength, end, ascii) }
            if kind == .other || (bytes[start] == 0x20 && following == .other) {
                return newlinesEnd(bytes, skip(.other, bytes, position, end, ascii), end)
            }
        case .newline: break
        }
        if kind == .other { return newlinesEnd(bytes, position, end) }
        // `\s*[\r\n]+`: up to the last line end of the white space, else as `spacesEnd`.
        position = start
        var last = start
        var afterNewline = start
        while position < end {
            let (following, itsLength) = self.kind(bytes, position, end, ascii)
            guard following == .space || following == .newline else { break }
            last = position
            position += itsLength
            if following == .newline { afterNewline = position }
        }
        if afterNewline > start { return afterNewline }
        return position == end || last == start ? position : last
    }

    @inline(__always)
    private func newlinesEnd(_ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Int {
        var position = start
        while position < end, bytes[position] == 0x0A || bytes[position] == 0x0D { position += 1 }
        return position
    }
}
