/// What becomes of the stretches a splitter matches (the names are those of `tokenizer.json`).
enum SplitBehavior: Sendable, Equatable {
    case removed, isolated, mergedWithPrevious, mergedWithNext, contiguous
}

/// Cuts a text into pieces, each a range of bytes.
struct Splitter: Sendable {
    enum Rule: Sendable {
        case literal([UInt8])
        case program(PatternProgram)
        case family(FamilySplitter)
        /// Each scalar of the set is a match of its own.
        case scalars(ScalarSet)
    }

    let rule: Rule
    let behavior: SplitBehavior
    /// Whether what lies between the matches counts as matched instead.
    let isInverted: Bool

    init(_ rule: Rule, _ behavior: SplitBehavior, isInverted: Bool = false) {
        self.rule = rule
        self.behavior = behavior
        self.isInverted = isInverted
    }

    /// A splitter by a regular expression, hand-written where the pattern is one of the known families.
    init(pattern: String, _ behavior: SplitBehavior, isInverted: Bool = false, part: String) throws(TokenizerError) {
        if let family = FamilySplitter(pattern: pattern) {
            self.init(.family(family), behavior, isInverted: isInverted)
        } else {
            self.init(.program(try PatternProgram(pattern, part: part)), behavior, isInverted: isInverted)
        }
    }

    /// Appends the pieces of `text` in order. Complexity: linear in the text for the patterns in use.
    func split(_ text: UnsafeBufferPointer<UInt8>, offset: Int, into pieces: inout [Range<Int>]) {
        if case .family(let family) = rule, behavior != .removed || isInverted, behavior != .contiguous,
            behavior == .isolated || behavior == .removed, let base = text.baseAddress
        {
            // Families match everything: isolated, and inverted with matches removed, both give the matches.
            let first = pieces.count
            family.split(base, 0, text.count, into: &pieces)
            if offset != 0 {
                for index in first..<pieces.count {
                    pieces[index] = pieces[index].lowerBound + offset..<pieces[index].upperBound + offset
                }
            }
            return
        }
        var parts: [(range: Range<Int>, isMatch: Bool)] = []
        var last = 0
        func add(_ match: Range<Int>) {
            if match.lowerBound > last { parts.append((last..<match.lowerBound, isInverted)) }
            parts.append((match, !isInverted))
            last = match.upperBound
        }
        findMatches(text, add)
        if last < text.count { parts.append((last..<text.count, isInverted)) }
        arrange(parts, offset, into: &pieces)
    }

    private func findMatches(_ text: UnsafeBufferPointer<UInt8>, _ found: (Range<Int>) -> Void) {
        guard let base = text.baseAddress, text.count > 0 else { return }
        switch rule {
        case .literal(let literal):
            guard let first = literal.first else { return }
            var position = 0
            while position + literal.count <= text.count {
                if text[position] == first, literal.indices.allSatisfy({ text[position + $0] == literal[$0] }) {
                    found(position..<position + literal.count)
                    position += literal.count
                } else {
                    position += 1
                }
            }
        case .scalars(let set):
            var position = 0
            while position < text.count {
                let (scalar, length) = UTF8Scalars.decode(base, position, text.count)
                if set.contains(scalar) { found(position..<position + length) }
                position += length
            }
        case .family(let family):
            var pieces: [Range<Int>] = []
            family.split(base, 0, text.count, into: &pieces)
            for piece in pieces { found(piece) }
        case .program(let program):
            var matcher = PatternMatcher(program)
            var position = 0
            var lastEnd = -1
            while position <= text.count, let match = matcher.firstMatch(text, from: position) {
                if match.isEmpty {
                    // An empty match right behind the last one is none.
                    if match.lowerBound != lastEnd { found(match) }
                    guard match.lowerBound < text.count else { return }
                    position = match.lowerBound + UTF8Scalars.decode(base, match.lowerBound, text.count).length
                } else {
                    found(match)
                    position = match.upperBound
                }
                lastEnd = match.upperBound
            }
        }
    }

    private func arrange(
        _ parts: [(range: Range<Int>, isMatch: Bool)], _ offset: Int, into pieces: inout [Range<Int>]
    ) {
        func emit(_ range: Range<Int>) {
            if !range.isEmpty { pieces.append(range.lowerBound + offset..<range.upperBound + offset) }
        }
        switch behavior {
        case .isolated: for part in parts { emit(part.range) }
        case .removed: for part in parts where !part.isMatch { emit(part.range) }
        case .contiguous, .mergedWithPrevious:
            var current: Range<Int>?
            var previousMatch = false
            for part in parts {
                let joins =
                    behavior == .contiguous ? part.isMatch == previousMatch : part.isMatch && !previousMatch
                if let open = current, joins {
                    current = open.lowerBound..<part.range.upperBound
                } else {
                    if let open = current { emit(open) }
                    current = part.range
                }
                previousMatch = part.isMatch
            }
            if let open = current { emit(open) }
        case .mergedWithNext:
            var merged: [Range<Int>] = []
            var previousMatch = false
            for part in parts.reversed() {
                if part.isMatch, !previousMatch, let next = merged.last {
                    merged[merged.count - 1] = part.range.lowerBound..<next.upperBound
                } else {
                    merged.append(part.range)
                }
                previousMatch = part.isMatch
            }
            for range in merged.reversed() { emit(range) }
        }
    }
}
