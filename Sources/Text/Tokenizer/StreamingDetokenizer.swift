extension TokenDecoder {
    /// What one token becomes where the step looks at no other token than by whether it is the first; nil where it
    /// does look at others.
    func applyToOne(_ token: [UInt8], isFirst: Bool) -> [UInt8]? {
        switch self {
        case .byteLevel: ByteAlphabet.decoded(token) ?? token
        case .byteFallback: Self.byte(of: token).map { [$0] } ?? token
        case .metaspace(let replacement, let prepends):
            Self.replacing(replacement, with: isFirst && prepends ? [] : [0x20], in: token)
        case .replace, .strip: apply([token], keepsBytes: true)[0]
        case .fuse: token
        case .wordPiece, .joinedBySpaces, .wordStarts:
            isFirst ? apply([token], keepsBytes: true)[0] : apply([[], token], keepsBytes: true)[1]
        // Of the first token alone: its state is the caller's.
        case .pieceStart: token
        case .bpe, .ctc: nil
        }
    }
}

extension Tokenizer {
    /// The steps before the tokens are joined, the strip of the joined text's start, and whether that is all there is:
    /// then text can be given out token by token.
    var streamingPlan: (steps: [TokenDecoder], leading: (content: [UInt8], count: Int)?, isWhole: Bool) {
        var steps: [TokenDecoder] = []
        var leading: (content: [UInt8], count: Int)?
        var isFused = false
        for decoder in pipeline.decoders {
            switch decoder {
            case .bpe, .ctc: return (steps, leading, false)
            case .strip(let content, let start, 0) where isFused && leading == nil: leading = (content, start)
            case .fuse: isFused = true
            case .byteLevel where !isFused:
                steps.append(decoder)
                isFused = true
            default:
                if isFused { return (steps, leading, false) }
                steps.append(decoder)
            }
        }
        return (steps, leading, true)
    }

    func decodeInside(_ token: [UInt8]) -> [UInt8] {
        let plan = streamingPlan
        var text = token
        for step in plan.steps { text = step.applyToOne(text, isFirst: false) ?? text }
        if case .bpe(let suffix)? = pipeline.decoders.first {
            text = TokenDecoder.replacing(suffix, with: [0x20], in: text)
        }
        return text
    }
}

/// Gives out the text of ids as they arrive, whole characters only: what `decode` of all the ids gives, in parts.
///
/// A character whose bytes have not all arrived is held back; bytes that can begin no character become U+FFFD. Where a
/// tokenizer's decoder must see later tokens first (word suffixes, repeated tokens), all text comes with ``finish()``.
public struct StreamingDetokenizer: Sendable {
    private let tokenizer: Tokenizer
    private let skipSpecial: Bool
    private let steps: [TokenDecoder]
    private let leading: [UInt8]
    private var leadingLeft: Int
    private let isStreaming: Bool
    private var isFirst = true
    private var isAtStart = true
    private var held: [UInt8] = []
    private var ids: [Int32] = []
    // Of `ids`, those whose text is not given out.
    private var skippedCount = 0

    /// - Parameters:
    ///   - tokenizer: whose ids will come.
    ///   - skipSpecial: whether special tokens are left out.
    public init(_ tokenizer: Tokenizer, skipSpecial: Bool = true) {
        self.tokenizer = tokenizer
        self.skipSpecial = skipSpecial
        let plan = tokenizer.streamingPlan
        steps = plan.steps
        leading = plan.leading?.content ?? []
        leadingLeft = plan.leading?.count ?? 0
        isStreaming = plan.isWhole
    }

    /// Takes the next id and returns the text that is complete by it, often empty.
    public mutating func push(_ id: Int32) -> String {
        if skipSpecial, tokenizer.isSpecial(id) { return "" }
        guard isStreaming else {
            ids.append(id)
            return ""
        }
        guard var text = tokenizer.spelling(id) else { return "" }
        for step in steps {
            if case .pieceStart(let stripsAll) = step {
                text = TokenDecoder.stripStart(text, stripsAll, &isAtStart)
            } else {
                text = step.applyToOne(text, isFirst: isFirst) ?? text
            }
        }
        isFirst = false
        held += text
        while leadingLeft > 0, !held.isEmpty {
            if held.starts(with: leading) {
                held.removeFirst(leading.count)
                leadingLeft -= 1
            } else if leading.starts(with: held) {
                return ""
            } else {
                leadingLeft = 0
            }
        }
        let complete = Self.completeCount(held)
        defer { held.removeFirst(complete) }
        return String(decoding: held[..<complete], as: UTF8.self)
    }

    /// Takes ids whose text is known already, such as a prompt's: what comes after continues their text, so a space
    /// between the two is kept. Before any ``push(_:)``. O(ids).
    public mutating func skip(_ known: [Int32]) {
        for id in known { _ = push(id) }
        skippedCount = ids.count
    }

    /// The text that is left, an unfinished character as U+FFFD. The detokenizer then begins anew.
    public mutating func finish() -> String {
        defer { self = StreamingDetokenizer(tokenizer, skipSpecial: skipSpecial) }
        guard isStreaming else {
            let whole = Array(tokenizer.decodeText(ids, skipSpecial: skipSpecial).utf8)
            let known = Array(tokenizer.decodeText(Array(ids[..<skippedCount]), skipSpecial: skipSpecial).utf8)
            return String(decoding: whole.dropFirst(zip(whole, known).prefix { $0 == $1 }.count), as: UTF8.self)
        }
        return String(decoding: held, as: UTF8.self)
    }

    /// How many bytes to give out: all but a beginning of a character at the end.
    private static func completeCount(_ bytes: [UInt8]) -> Int {
        for length in 1...3 where length <= bytes.count {
            let start = bytes.count - length
            let byte = bytes[start]
            if byte & 0xC0 == 0x80 { continue }
            let needed =
                switch byte {
                case 0xC2..<0xE0: 2
                case 0xE0..<0xF0: 3
                case 0xF0..<0xF5: 4
                default: 1
                }
            guard needed > length else { return bytes.count }
            // A second byte out of its range can begin no character.
            if length > 1 {
                let second = bytes[start + 1]
                let isPossible =
                    switch byte {
                    case 0xE0: second >= 0xA0
                    case 0xED: second < 0xA0
                    case 0xF0: second >= 0x90
                    case 0xF4: second < 0x90
                    default: true
                    }
                if !isPossible { return bytes.count }
            }
            return start
        }
        return bytes.count
    }
}
