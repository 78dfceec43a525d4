/// A token that is found in the text itself before anything else happens to it.
struct AddedToken: Sendable {
    var content: [UInt8]
    var id: Int32
    /// Matches whole words only.
    var isSingleWord = false
    /// Takes the white space before it, or after it, along.
    var stripsLeft = false
    var stripsRight = false
    /// Is looked for in the normalized text.
    var isNormalized = false
    var isSpecial = false
}

/// Finds added tokens: at each place the longest, from left to right.
struct AddedTokenMatcher: Sendable {
    private var trie = ByteTrie()
    private var tokens: [AddedToken] = []

    private static let word = ScalarSet(
        .union([
            .mask(ScalarClass.marks | ScalarClass.decimalDigits | ScalarClass.connectors), .alphabetic,
            .range(0x200C, 0x200D),
        ]))

    var isEmpty: Bool { tokens.isEmpty }

    mutating func add(_ token: AddedToken, writtenAs pattern: [UInt8]) {
        trie.insert(pattern, value: Int32(tokens.count))
        tokens.append(token)
    }

    /// Cuts a text at the tokens found. Calls `body` with each stretch in order, and the token's id where it is one.
    ///
    /// - Parameter special: whether special tokens count; where they do not, they are passed over as plain text.
    func cut(_ text: UnsafeBufferPointer<UInt8>, special: Bool, _ body: (Range<Int>, Int32?) -> Void) {
        guard !isEmpty, let base = text.baseAddress else {
            if !text.isEmpty { body(0..<text.count, nil) }
            return
        }
        var done = 0
        var position = 0
        while position < text.count {
            guard trie.canBegin(with: base[position]), let match = trie.longestMatch(base, position, text.count) else {
                position += 1
                continue
            }
            let found = position..<match.end
            position = match.end
            let token = tokens[Int(match.value)]
            if token.isSpecial, !special { continue }
            if token.isSingleWord, !standsAlone(found, base, text.count) { continue }
            var (start, end) = (found.lowerBound, found.upperBound)
            if token.stripsLeft {
                while start > done {
                    let before = UTF8Scalars.previous(base, start, done)
                    guard isSpace(base, before, start) else { break }
                    start = before
                }
            }
            if token.stripsRight {
                while end < text.count {
                    let length = UTF8Scalars.decode(base, end, text.count).length
                    guard isSpace(base, end, end + length) else { break }
                    end += length
                }
            }
            if start > done { body(done..<start, nil) }
            body(max(start, done)..<max(end, done), token.id)
            done = max(end, done)
        }
        if done < text.count { body(done..<text.count, nil) }
    }

    private func isSpace(_ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Bool {
        ScalarClass.matches(UTF8Scalars.decode(bytes, start, end).scalar, ScalarClass.whiteSpace)
    }

    private func standsAlone(_ range: Range<Int>, _ bytes: UnsafePointer<UInt8>, _ end: Int) -> Bool {
        if range.lowerBound > 0 {
            let before = UTF8Scalars.previous(bytes, range.lowerBound, 0)
            if Self.word.contains(UTF8Scalars.decode(bytes, before, range.lowerBound).scalar) { return false }
        }
        return range.upperBound == end
            || !Self.word.contains(UTF8Scalars.decode(bytes, range.upperBound, end).scalar)
    }
}
