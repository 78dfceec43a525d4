/// Turns text into token ids and back, exactly as the tokenizer it was described for does.
///
/// It is made from a `tokenizer.json`, a SentencePiece `tokenizer.model`, the vocabulary of a GGUF file or a tiktoken
/// rank file, and never changes afterwards: `encode` and `decode` are pure functions and may run on any thread.
///
/// Text is taken byte for byte. A byte that is no part of well-formed UTF-8 is cut off as the character U+FFFD would be
/// and then keeps its own value: byte-level vocabularies have an id for it, vocabularies with byte tokens (`<0xXX>`)
/// use the one of that byte, and all others treat it as an unknown character.
public final class Tokenizer: Sendable {
    let pipeline: TokenizerPipeline
    // Added tokens looked for in the text as it is, and in the normalized text.
    private let rawMatcher: AddedTokenMatcher
    private let normalizedMatcher: AddedTokenMatcher

    init(_ description: TokenizerPipeline) {
        var pipeline = description
        var raw = AddedTokenMatcher()
        var normalized = AddedTokenMatcher()
        for token in pipeline.addedTokens {
            if token.isNormalized {
                let pattern = pipeline.normalizer?.apply(token.content) ?? token.content
                normalized.add(token, writtenAs: pattern)
                // The reference gives such a token back as it looks for it.
                if pattern != token.content { pipeline.spelledAs[token.id] = pattern }
            } else {
                raw.add(token, writtenAs: token.content)
            }
        }
        self.pipeline = pipeline
        rawMatcher = raw
        normalizedMatcher = normalized
    }

    // MARK: Text to ids

    /// The ids of a text.
    ///
    /// - Parameters:
    ///   - bytes: the text, UTF-8 or not.
    ///   - special: whether special tokens that the text spells out are taken for those tokens. Where false they are
    ///     plain text, as text from outside should be; added tokens that are not special are found either way.
    ///   - addSpecialTokens: whether to add what the tokenizer's own post-processing adds, such as a beginning token.
    /// - Complexity: O(n log n) at worst in the bytes, linear on ordinary text.
    public func encode(_ bytes: [UInt8], special: Bool = false, addSpecialTokens: Bool = false) -> [Int32] {
        var ids: [Int32] = []
        ids.reserveCapacity(bytes.count / 3 + 8)
        if addSpecialTokens { ids += pipeline.prefixIDs }
        var scratch = ModelScratch()
        bytes.withUnsafeBufferPointer { buffer in
            rawMatcher.cut(buffer, special: special) { range, id in
                if let id {
                    ids.append(id)
                } else {
                    let segment = Array(buffer[range])
                    encodeSegment(segment, startsText: range.lowerBound == 0, special, into: &ids, &scratch)
                }
            }
        }
        if addSpecialTokens { ids += pipeline.suffixIDs }
        return ids
    }

    /// The ids of a text; see ``encode(_:special:addSpecialTokens:)-([UInt8],_,_)``.
    public func encode(_ text: String, special: Bool = false, addSpecialTokens: Bool = false) -> [Int32] {
        encode(Array(text.utf8), special: special, addSpecialTokens: addSpecialTokens)
    }

    private func encodeSegment(
        _ segment: [UInt8], startsText: Bool, _ special: Bool, into ids: inout [Int32], _ scratch: inout ModelScratch
    ) {
        let text = pipeline.normalizer?.apply(segment) ?? segment
        guard !normalizedMatcher.isEmpty else {
            encodePieces(text, startsText: startsText, into: &ids, &scratch)
            return
        }
        text.withUnsafeBufferPointer { buffer in
            normalizedMatcher.cut(buffer, special: special) { range, id in
                if let id {
                    ids.append(id)
                } else {
                    let part = range.count == text.count ? text : Array(buffer[range])
                    encodePieces(part, startsText: startsText && range.lowerBound == 0, into: &ids, &scratch)
                }
            }
        }
    }

    private func encodePieces(
        _ text: [UInt8], startsText: Bool, into ids: inout [Int32], _ scratch: inout ModelScratch
    ) {
        var pieces = PieceList(text, startsText: startsText, mapsBytes: pipeline.mapsBytes)
        for step in pipeline.preTokenizers { step.apply(&pieces) }
        pieces.text.withUnsafeBufferPointer { buffer in
            for range in pieces.ranges {
                pipeline.model.encode(UnsafeBufferPointer(rebasing: buffer[range]), into: &ids, &scratch)
            }
        }
    }

    // MARK: Ids to text

    /// The text of ids, in bytes. Ids that have no token give nothing. What bytes stand for is kept as it is, so that
    /// text that is no UTF-8 comes back whole.
    ///
    /// - Parameters:
    ///   - ids: tokens in order.
    ///   - skipSpecial: whether special tokens are left out.
    public func decode(_ ids: [Int32], skipSpecial: Bool = true) -> [UInt8] {
        decodedTokens(ids, skipSpecial: skipSpecial, keepsBytes: true)
    }

    /// The text of ids as a string. Bytes that are no UTF-8 become U+FFFD: each byte of a run of byte tokens that has
    /// a mistake anywhere, and each ill-formed part of byte-level tokens.
    public func decodeText(_ ids: [Int32], skipSpecial: Bool = true) -> String {
        String(decoding: decodedTokens(ids, skipSpecial: skipSpecial, keepsBytes: false), as: UTF8.self)
    }

    private func decodedTokens(_ ids: [Int32], skipSpecial: Bool, keepsBytes: Bool) -> [UInt8] {
        var tokens: [[UInt8]] = []
        tokens.reserveCapacity(ids.count)
        for id in ids where !(skipSpecial && pipeline.specialIDs.contains(id)) {
            if let token = spelling(id) { tokens.append(token) }
        }
        for decoder in pipeline.decoders { tokens = decoder.apply(tokens, keepsBytes: keepsBytes) }
        return tokens.flatMap { $0 }
    }

    func spelling(_ id: Int32) -> [UInt8]? {
        if let text = pipeline.spelledAs[id] { return text }
        return pipeline.tokens.token(id).map { Array($0) }
    }

    /// The bytes that one token adds inside a text, or nil where no token has this id.
    public func bytes(of id: Int32) -> [UInt8]? {
        guard let token = spelling(id) else { return nil }
        return decodeInside(token)
    }

    /// A token as the vocabulary writes it, or nil where no token has this id.
    public func token(of id: Int32) -> [UInt8]? { pipeline.tokens.token(id).map { Array($0) } }

    /// The id of a token as the vocabulary writes it, or nil.
    public func id(of token: [UInt8]) -> Int32? { pipeline.tokens.id(of: token) }

    // MARK: The vocabulary

    /// One more than the greatest id.
    public var vocabularySize: Int { pipeline.tokens.count }
    /// The id that begins a text, where there is one.
    public var bosID: Int32? { pipeline.roles.bos }
    /// The id that ends a text, where there is one.
    public var eosID: Int32? { pipeline.roles.eos }
    /// The id of what the vocabulary has no token for, where there is one.
    public var unkID: Int32? { pipeline.roles.unknown }
    /// The id that fills short rows of a batch, where there is one.
    public var padID: Int32? { pipeline.roles.padding }
    /// Every id known to end an answer, `eosID` first.
    public var eosIDs: [Int32] { pipeline.roles.stops }
    /// Whether a token is special: control, not text.
    public func isSpecial(_ id: Int32) -> Bool { pipeline.specialIDs.contains(id) }
    /// The spelling of the beginning token.
    public var bosToken: String? { roleToken(bosID) }
    /// The spelling of the ending token.
    public var eosToken: String? { roleToken(eosID) }
    /// The spelling of the unknown token.
    public var unkToken: String? { roleToken(unkID) }
    /// The spelling of the padding token.
    public var padToken: String? { roleToken(padID) }
    /// The chat template that `tokenizer_config.json` carries, the one named `default` where it carries several.
    public var chatTemplate: String? { pipeline.chatTemplate }
    /// The chat templates that `tokenizer_config.json` carries by name, in its order.
    public var namedChatTemplates: [(name: String, template: String)] { pipeline.namedChatTemplates }

    private func roleToken(_ id: Int32?) -> String? {
        id.flatMap { token(of: $0) }.map { String(decoding: $0, as: UTF8.self) }
    }
}
