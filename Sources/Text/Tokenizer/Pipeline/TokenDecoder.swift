/// One step from tokens back to text (the names are those of `tokenizer.json`). Steps see a list of tokens and give a
/// list; the text is the list joined.
enum TokenDecoder: Sendable {
    case byteLevel
    /// Tokens `<0xXX>` become their bytes. Where those are no UTF-8, U+FFFD stands for every byte of the run, or for
    /// the ill-formed bytes alone.
    case byteFallback(replacesWholeRuns: Bool)
    case metaspace(replacement: [UInt8], prepends: Bool)
    case replace(Splitter.Rule, with: [UInt8])
    case strip(content: [UInt8], start: Int, stop: Int)
    case fuse
    case wordPiece(prefix: [UInt8], cleansUp: Bool)
    case bpe(suffix: [UInt8])
    case ctc(pad: [UInt8], delimiter: [UInt8], cleansUp: Bool)
    /// Tokens joined by spaces: what a tokenizer without a decoder does.
    case joinedBySpaces
    /// SentencePiece's rule for the start of a text: the ▁ of its first piece goes; with `stripsAll`, that of every
    /// piece before the first that leaves text.
    case pieceStart(stripsAll: Bool)
    /// GGUF's word starts: ▁ is a space, but for the first.
    case wordStarts

    /// - Parameter keepsBytes: whether runs of byte tokens that are no UTF-8 stay bytes, or become a U+FFFD for each.
    func apply(_ tokens: [[UInt8]], keepsBytes: Bool) -> [[UInt8]] {
        switch self {
        case .byteLevel: return [tokens.flatMap { ByteAlphabet.decoded($0) ?? $0 }]
        case .byteFallback(let wholeRuns): return fallBack(tokens, keepsBytes, wholeRuns)
        case .metaspace(let replacement, let prepends):
            return tokens.enumerated().map { index, token in
                Self.replacing(replacement, with: index == 0 && prepends ? [] : [0x20], in: token)
            }
        case .replace(let rule, let content): return tokens.map { Normalizer.replace(rule, with: content).apply($0) }
        case .strip(let content, let start, let stop): return tokens.map { Self.strip($0, content, start, stop) }
        case .fuse: return [tokens.flatMap { $0 }]
        case .wordPiece(let prefix, let cleansUp):
            return tokens.enumerated().map { index, token in
                var text = token
                if index > 0 {
                    text = token.starts(with: prefix) ? Array(token.dropFirst(prefix.count)) : [0x20] + token
                }
                return cleansUp ? Self.cleanedUp(text) : text
            }
        case .bpe(let suffix):
            return tokens.enumerated().map { index, token in
                Self.replacing(suffix, with: index == tokens.count - 1 ? [] : [0x20], in: token)
            }
        case .ctc(let pad, let delimiter, let cleansUp):
            var kept: [[UInt8]] = []
            for (index, token) in tokens.enumerated() where index == 0 || token != tokens[index - 1] {
                var text = Self.replacing(pad, with: [], in: token)
                if cleansUp { text = Self.replacing(delimiter, with: [0x20], in: Self.cleanedUp(text)) }
                if !text.isEmpty { kept.append(text) }
            }
            return kept
        case .joinedBySpaces: return tokens.enumerated().map { $0 == 0 ? $1 : [0x20] + $1 }
        case .pieceStart(let stripsAll):
            var isAtStart = true
            return tokens.map { Self.stripStart($0, stripsAll, &isAtStart) }
        case .wordStarts:
            return tokens.enumerated().map { index, token in
                guard token.starts(with: BytePairModel.space) else { return token }
                return (index == 0 ? [] : [0x20]) + token.dropFirst(3)
            }
        }
    }

    static func stripStart(_ token: [UInt8], _ stripsAll: Bool, _ isAtStart: inout Bool) -> [UInt8] {
        guard isAtStart else { return token }
        var text = token
        if token.starts(with: BytePairModel.space) {
            text.removeFirst(BytePairModel.space.count)
            isAtStart = stripsAll
        }
        if !text.isEmpty { isAtStart = false }
        return text
    }

    /// The byte that a token `<0xXX>` stands for.
    static func byte(of token: some BidirectionalCollection<UInt8>) -> UInt8? {
        guard token.count == 6, token.starts(with: Array("<0x".utf8)), token.last == 0x3E else { return nil }
        var value: UInt8 = 0
        for digit in token.dropFirst(3).prefix(2) {
            guard let number = Character(Unicode.Scalar(digit)).hexDigitValue, digit < 0x80 else { return nil }
            value = value << 4 | UInt8(number)
        }
        return value
    }

    private func fallBack(_ tokens: [[UInt8]], _ keepsBytes: Bool, _ wholeRuns: Bool) -> [[UInt8]] {
        var output: [[UInt8]] = []
        var run: [UInt8] = []
        func flush() {
            guard !run.isEmpty else { return }
            if keepsBytes || String(validating: run, as: UTF8.self) != nil {
                output.append(run)
            } else if wholeRuns {
                output.append(contentsOf: repeatElement([0xEF, 0xBF, 0xBD], count: run.count))
            } else {
                var text: [UInt8] = []
                run.withUnsafeBufferPointer { buffer in
                    UTF8Scalars.forEach(buffer) { scalar, _, _, _ in UTF8Scalars.append(scalar, to: &text) }
                }
                output.append(text)
            }
            run = []
        }
        for token in tokens {
            if let byte = Self.byte(of: token) {
                run.append(byte)
            } else {
                flush()
                output.append(token)
            }
        }
        flush()
        return output
    }

    static func replacing(_ pattern: [UInt8], with content: [UInt8], in token: [UInt8]) -> [UInt8] {
        guard !pattern.isEmpty, let first = pattern.first, token.contains(first) else { return token }
        var output: [UInt8] = []
        var position = 0
        while position < token.count {
            if token[position...].starts(with: pattern) {
                output += content
                position += pattern.count
            } else {
                output.append(token[position])
                position += 1
            }
        }
        return output
    }

    static func strip(_ token: [UInt8], _ content: [UInt8], _ start: Int, _ stop: Int) -> [UInt8] {
        guard !content.isEmpty else { return token }
        var text = token[...]
        var left = start
        while left > 0, text.starts(with: content) {
            text = text.dropFirst(content.count)
            left -= 1
        }
        left = stop
        while left > 0, text.count >= content.count, text.suffix(content.count).elementsEqual(content) {
            text = text.dropLast(content.count)
            left -= 1
        }
        return Array(text)
    }

    private static let cleanUps: [([UInt8], [UInt8])] = [
        (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"),
        (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
    ].map { (Array($0.0.utf8), Array($0.1.utf8)) }

    static func cleanedUp(_ text: [UInt8]) -> [UInt8] {
        cleanUps.reduce(text) { replacing($1.0, with: $1.1, in: $0) }
    }
}
