/// One step that cuts a text into pieces, and may rewrite them (the names are those of `tokenizer.json`).
enum PreTokenizer: Sendable {
    case split(Splitter)
    case byteLevel(addsPrefixSpace: Bool, splitter: Splitter?)
    case metaspace(replacement: [UInt8], scheme: PrependScheme, splits: Bool)

    enum PrependScheme: Sendable { case always, first, never }

    /// ASCII's punctuation and symbols, and the punctuation of Unicode 8, whose tables the reference keeps (there,
    /// U+166D and U+111C9 were punctuation).
    static let bertPunctuation = ScalarSet(
        .union([
            .intersection(.mask(ScalarClass.punctuation), .assigned(by: 8)), .range(0x166D, 0x166D),
            .range(0x111C9, 0x111C9), .range(0x21, 0x2F), .range(0x3A, 0x40), .range(0x5B, 0x60),
            .range(0x7B, 0x7E),
        ]))
    static let whiteSpace = ScalarSet(.mask(ScalarClass.whiteSpace))
    static let numeric = ScalarSet(.mask(ScalarClass.numbers))

    func apply(_ pieces: inout PieceList) {
        switch self {
        case .split(let splitter): pieces.split(splitter)
        case .byteLevel(let addsPrefixSpace, let splitter):
            if addsPrefixSpace { pieces.rewrite { $0.first == 0x20 ? nil : [0x20] + $0 } }
            if let splitter { pieces.split(splitter) }
            if pieces.mapsBytes { pieces.rewrite { ByteAlphabet.encoded($0) } }
        case .metaspace(let replacement, let scheme, let splits):
            let startsText = pieces.startsText
            var isFirst = true
            pieces.rewrite { piece in
                defer { isFirst = false }
                var text: [UInt8] = []
                text.reserveCapacity(piece.count + piece.count / 2 + 3)
                for byte in piece {
                    if byte == 0x20 { text.append(contentsOf: replacement) } else { text.append(byte) }
                }
                let prepends = scheme == .always || (scheme == .first && isFirst && startsText)
                return prepends && !text.starts(with: replacement) ? replacement + text : text
            }
            if splits { pieces.split(Splitter(.literal(replacement), .mergedWithNext)) }
        }
    }
}

/// A text and the pieces it has been cut into so far.
struct PieceList {
    var text: [UInt8]
    var ranges: [Range<Int>]
    /// Whether the text begins where the caller's text began.
    let startsText: Bool
    /// Whether the byte-level step rewrites bytes as characters; not where the model reads bytes.
    let mapsBytes: Bool

    init(_ text: [UInt8], startsText: Bool, mapsBytes: Bool) {
        self.text = text
        self.startsText = startsText
        self.mapsBytes = mapsBytes
        ranges = text.isEmpty ? [] : [0..<text.count]
    }

    mutating func split(_ splitter: Splitter) {
        var next: [Range<Int>] = []
        next.reserveCapacity(ranges.count == 1 ? text.count / 4 : ranges.count)
        text.withUnsafeBufferPointer { buffer in
            for range in ranges {
                splitter.split(UnsafeBufferPointer(rebasing: buffer[range]), offset: range.lowerBound, into: &next)
            }
        }
        ranges = next
    }

    /// Rewrites each piece; nil keeps it.
    mutating func rewrite(_ change: (ArraySlice<UInt8>) -> [UInt8]?) {
        var output: [UInt8] = []
        output.reserveCapacity(text.count + text.count / 4)
        for index in ranges.indices {
            let start = output.count
            let piece = text[ranges[index]]
            if let new = change(piece) { output.append(contentsOf: new) } else { output.append(contentsOf: piece) }
            ranges[index] = start..<output.count
        }
        text = output
    }
}
