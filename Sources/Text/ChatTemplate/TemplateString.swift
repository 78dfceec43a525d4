/// Text as templates see it: a sequence of Unicode scalars, equal only when the scalars are equal (Swift's `String`
/// also equates texts that are merely canonically equivalent). Kept as UTF-8, so that searching, joining and
/// stripping work on bytes.
struct TemplateString: Hashable, Sendable, ExpressibleByStringLiteral {
    /// Valid UTF-8.
    var bytes: [UInt8]
    /// Set by the filters `safe` and `escape`: joining such text with `+` escapes the other side.
    var isMarkup = false

    init(bytes: [UInt8], isMarkup: Bool = false) {
        self.bytes = bytes
        self.isMarkup = isMarkup
    }

    init(_ slice: ArraySlice<UInt8>, isMarkup: Bool = false) {
        self.init(bytes: Array(slice), isMarkup: isMarkup)
    }

    init(_ string: String) { self.init(bytes: Array(string.utf8)) }

    init(stringLiteral value: StaticString) {
        self.init(bytes: Array(UnsafeBufferPointer(start: value.utf8Start, count: value.utf8CodeUnitCount)))
    }

    init(scalars: some Sequence<Unicode.Scalar>, isMarkup: Bool = false) {
        var bytes: [UInt8] = []
        for scalar in scalars { bytes.append(scalar) }
        self.init(bytes: bytes, isMarkup: isMarkup)
    }

    static func == (left: TemplateString, right: TemplateString) -> Bool { left.bytes == right.bytes }
    static func < (left: TemplateString, right: TemplateString) -> Bool {
        left.bytes.lexicographicallyPrecedes(right.bytes)
    }

    func hash(into hasher: inout Hasher) { hasher.combine(bytes) }

    var string: String { String(decoding: bytes, as: UTF8.self) }
    var scalars: [Unicode.Scalar] { Array(string.unicodeScalars) }
    var isEmpty: Bool { bytes.isEmpty }
    var isASCII: Bool { bytes.allSatisfy { $0 < 0x80 } }

    /// Number of scalars. O(bytes).
    var count: Int { bytes.reduce(0) { $0 + ($1 & 0xC0 != 0x80 ? 1 : 0) } }

    /// Byte offset of each scalar, and the end; nil where every scalar is one byte.
    var offsets: [Int]? {
        if isASCII { return nil }
        var result: [Int] = []
        for (offset, byte) in bytes.enumerated() where byte & 0xC0 != 0x80 { result.append(offset) }
        result.append(bytes.count)
        return result
    }

    /// The scalars `range`, which must lie within 0…count.
    func scalars(_ range: Range<Int>) -> TemplateString {
        let offsets = offsets
        let lower = offsets?[range.lowerBound] ?? range.lowerBound
        let upper = offsets?[range.upperBound] ?? range.upperBound
        return TemplateString(bytes[lower..<upper], isMarkup: isMarkup)
    }

    /// Each scalar as a text of its own.
    var elements: [TemplateString] {
        guard let offsets else { return bytes.map { TemplateString(bytes: [$0], isMarkup: isMarkup) } }
        return (0..<offsets.count - 1).map { TemplateString(bytes[offsets[$0]..<offsets[$0 + 1]], isMarkup: isMarkup) }
    }

    /// This text with other bytes and the same markup flag.
    func with(_ bytes: [UInt8]) -> TemplateString { TemplateString(bytes: bytes, isMarkup: isMarkup) }
    func with(_ bytes: ArraySlice<UInt8>) -> TemplateString { TemplateString(bytes, isMarkup: isMarkup) }
}

extension [UInt8] {
    mutating func append(_ scalar: Unicode.Scalar) {
        if scalar.value < 0x80 {
            append(UInt8(scalar.value))
        } else {
            append(contentsOf: UTF8.encode(scalar)!)
        }
    }

    mutating func append(text: StaticString) {
        append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// The scalar whose encoding begins at `offset`, and its length. The bytes must be valid UTF-8.
    func scalar(at offset: Int) -> (Unicode.Scalar, length: Int) {
        let first = UInt32(self[offset])
        func next(_ step: Int) -> UInt32 { UInt32(self[offset + step]) & 0x3F }
        let (value, length): (UInt32, Int) =
            switch first {
            case ..<0x80: (first, 1)
            case ..<0xE0: ((first & 0x1F) << 6 | next(1), 2)
            case ..<0xF0: ((first & 0x0F) << 12 | next(1) << 6 | next(2), 3)
            default: ((first & 0x07) << 18 | next(1) << 12 | next(2) << 6 | next(3), 4)
            }
        return (Unicode.Scalar(value) ?? "\u{FFFD}", length)
    }

    /// The scalar whose encoding ends before `offset`, and its length.
    func scalar(before offset: Int) -> (Unicode.Scalar, length: Int) {
        var start = offset - 1
        while start > 0, self[start] & 0xC0 == 0x80 { start -= 1 }
        return scalar(at: start)
    }

    /// Offset of the first occurrence of `needle` within `range`. O(range + needle): a long needle is sought with the
    /// failure table of Knuth, Morris and Pratt, so that no text makes the search quadratic.
    func firstOffset(of needle: [UInt8], in range: Range<Int>) -> Int? {
        guard needle.count <= range.count else { return nil }
        guard let first = needle.first else { return range.lowerBound }
        if needle.count > 16 { return longSearch(needle, range) }
        var start = range.lowerBound
        let last = range.upperBound - needle.count
        while start <= last {
            if self[start] == first {
                var matched = 1
                while matched < needle.count, self[start + matched] == needle[matched] { matched += 1 }
                if matched == needle.count { return start }
            }
            start += 1
        }
        return nil
    }

    private func longSearch(_ needle: [UInt8], _ range: Range<Int>) -> Int? {
        var failure = [Int](repeating: 0, count: needle.count)
        var matched = 0
        for index in 1..<needle.count {
            while matched > 0, needle[index] != needle[matched] { matched = failure[matched - 1] }
            if needle[index] == needle[matched] { matched += 1 }
            failure[index] = matched
        }
        matched = 0
        for offset in range {
            while matched > 0, self[offset] != needle[matched] { matched = failure[matched - 1] }
            if self[offset] == needle[matched] { matched += 1 }
            if matched == needle.count { return offset - matched + 1 }
        }
        return nil
    }

    /// Offset of the last occurrence of `needle` within `range`.
    func lastOffset(of needle: [UInt8], in range: Range<Int>) -> Int? {
        let lower = Array(self[range].reversed())
        let reversed = Array(needle.reversed())
        guard let found = lower.firstOffset(of: reversed, in: 0..<lower.count) else { return nil }
        return range.upperBound - found - needle.count
    }
}

extension Unicode.Scalar {
    /// White space as templates strip and split it: separators of Unicode and the ASCII information separators.
    var isTemplateSpace: Bool {
        switch value {
        case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000:
            true
        default: false
        }
    }
}

extension TemplateString {
    /// Without the scalars at either end that `drops` accepts.
    func stripped(left: Bool, right: Bool, _ drops: (Unicode.Scalar) -> Bool = \.isTemplateSpace) -> TemplateString {
        var lower = 0
        var upper = bytes.count
        while left, lower < upper {
            let (scalar, length) = bytes.scalar(at: lower)
            guard drops(scalar) else { break }
            lower += length
        }
        while right, upper > lower {
            let (scalar, length) = bytes.scalar(before: upper)
            guard drops(scalar) else { break }
            upper -= length
        }
        return with(bytes[lower..<upper])
    }

    /// With `&`, `<`, `>` and both quotes as HTML entities, marked as markup; markup stays as it is.
    var escaped: TemplateString {
        if isMarkup { return self }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "&"): result.append(text: "&amp;")
            case UInt8(ascii: "<"): result.append(text: "&lt;")
            case UInt8(ascii: ">"): result.append(text: "&gt;")
            case UInt8(ascii: "'"): result.append(text: "&#39;")
            case UInt8(ascii: "\""): result.append(text: "&#34;")
            default: result.append(byte)
            }
        }
        return TemplateString(bytes: result, isMarkup: true)
    }
}
