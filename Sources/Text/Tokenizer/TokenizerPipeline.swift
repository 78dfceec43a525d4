/// All that a tokenizer is made of, whichever description it was read from.
struct TokenizerPipeline: Sendable {
    /// Every token as the vocabulary writes it, added tokens included.
    var tokens: TokenTable
    var model: TokenModel
    var normalizer: Normalizer?
    var preTokenizers: [PreTokenizer] = []
    /// Whether the byte-level step must rewrite bytes as characters because something after it reads those.
    var mapsBytes = false
    var addedTokens: [AddedToken] = []
    var decoders: [TokenDecoder] = []
    /// What post-processing puts before and after the ids of a text.
    var prefixIDs: [Int32] = []
    var suffixIDs: [Int32] = []
    /// Special ids: left out by `decode(skipSpecial: true)`.
    var specialIDs: Set<Int32> = []
    /// What a token of this id is as text, where that is not its spelling.
    var spelledAs: [Int32: [UInt8]] = [:]
    /// A rule of SentencePiece as GGUF files carry it: text after any added token is taken for a text of its own.
    var roles = TokenRoles()
    var chatTemplate: String?
    var namedChatTemplates: [(name: String, template: String)] = []
}

/// The ids that play a part.
struct TokenRoles: Sendable {
    var bos: Int32?
    var eos: Int32?
    var unknown: Int32?
    var padding: Int32?
    /// Ids that end an answer, `eos` among them.
    var stops: [Int32] = []
}
