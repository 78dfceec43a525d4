extension TokenizerJSON {
    private func unknownKind(_ part: JSONFields, _ what: String) -> TokenizerError {
        TokenizerError(
            part: part.path,
            reason: part.type.isEmpty
                ? "this \(what) has no type" : "the \(what) \"\(part.type)\" is not known, so no ids can be promised")
    }

    private func rule(_ part: JSONFields) throws(TokenizerError) -> Splitter.Rule {
        guard let pattern = part["pattern"] else { throw part.failure("there is no pattern") }
        if let text = pattern.value.stringValue { return .literal(Array(text.utf8)) }
        if let text = try pattern.optionalString("String") { return .literal(Array(text.utf8)) }
        if let text = try pattern.optionalString("Regex") {
            if let family = FamilySplitter(pattern: text) { return .family(family) }
            return .program(try PatternProgram(text, part: pattern.path))
        }
        throw pattern.failure("a pattern must be {\"String\": …} or {\"Regex\": …}")
    }

    func readNormalizer(_ part: JSONFields) throws(TokenizerError) -> Normalizer {
        switch part.type {
        case "Sequence":
            var steps: [Normalizer] = []
            for item in try part.list("normalizers") { steps.append(try readNormalizer(item)) }
            return .sequence(steps)
        case "NFC": return .unicode(.nfc)
        case "NFD": return .unicode(.nfd)
        case "NFKC": return .unicode(.nfkc)
        case "NFKD": return .unicode(.nfkd)
        case "Lowercase": return .lowercase
        case "Strip":
            return .strip(
                left: try part.bool("strip_left", default: true), right: try part.bool("strip_right", default: true))
        case "StripAccents": return .stripAccents
        case "Prepend": return .prepend(try part.bytes("prepend"))
        case "Replace": return .replace(try rule(part), with: try part.bytes("content"))
        case "BertNormalizer":
            let lowercases = try part.bool("lowercase", default: true)
            return .bert(
                cleansText: try part.bool("clean_text", default: true),
                spacesChinese: try part.bool("handle_chinese_chars", default: true),
                stripsAccents: try part.bool("strip_accents", default: lowercases), lowercases: lowercases)
        case "Precompiled":
            guard let text = try part.optionalString("precompiled_charsmap"), !text.isEmpty else {
                return .sequence([])
            }
            guard let bytes = Base64.decode(text.utf8) else {
                throw TokenizerError(part: "\(part.path).precompiled_charsmap", reason: "this is no base64")
            }
            return .characterMap(try CharacterMap(bytes, part: "\(part.path).precompiled_charsmap"))
        case "Nmt": return .nmt
        case "ByteLevel": return .byteLevel
        default: throw unknownKind(part, "normalizer")
        }
    }

    func readPreTokenizers(_ part: JSONFields) throws(TokenizerError) -> [PreTokenizer] {
        switch part.type {
        case "Sequence":
            var steps: [PreTokenizer] = []
            for item in try part.list("pretokenizers") { steps += try readPreTokenizers(item) }
            return steps
        case "ByteLevel":
            let usesPattern = try part.bool("use_regex", default: true)
            return [
                .byteLevel(
                    addsPrefixSpace: try part.bool("add_prefix_space", default: true),
                    splitter: usesPattern ? Splitter(.family(FamilySplitter(.gpt2)), .isolated) : nil)
            ]
        case "Split":
            return [
                .split(
                    Splitter(
                        try rule(part), try behavior(part, default: nil),
                        isInverted: try part.bool("invert", default: false)))
            ]
        case "Metaspace":
            let replacement = try part.optionalString("replacement") ?? "▁"
            guard replacement.unicodeScalars.count == 1 else {
                throw part.failure("the replacement must be one character")
            }
            return [
                .metaspace(
                    replacement: Array(replacement.utf8), scheme: try prependScheme(part),
                    splits: try part.bool("split", default: true))
            ]
        case "Whitespace":
            let program = try PatternProgram(#"\w+|[^\w\s]+"#, dialect: .rust, part: part.path)
            return [.split(Splitter(.program(program), .removed, isInverted: true))]
        case "WhitespaceSplit": return [.split(Splitter(.scalars(PreTokenizer.whiteSpace), .removed))]
        case "Punctuation":
            return [
                .split(Splitter(.scalars(PreTokenizer.bertPunctuation), try behavior(part, default: .isolated)))
            ]
        case "Digits":
            let isIndividual = try part.bool("individual_digits", default: false)
            return [.split(Splitter(.scalars(PreTokenizer.numeric), isIndividual ? .isolated : .contiguous))]
        case "BertPreTokenizer":
            return [
                .split(Splitter(.scalars(PreTokenizer.whiteSpace), .removed)),
                .split(Splitter(.scalars(PreTokenizer.bertPunctuation), .isolated)),
            ]
        case "CharDelimiterSplit": return [.split(Splitter(.literal(try part.bytes("delimiter")), .removed))]
        default: throw unknownKind(part, "pre-tokenizer")
        }
    }

    private func behavior(
        _ part: JSONFields, default fallback: SplitBehavior?
    ) throws(TokenizerError) -> SplitBehavior {
        guard let name = try part.optionalString("behavior") else {
            if let fallback { return fallback }
            throw part.failure("there is no behavior")
        }
        switch name {
        case "Removed", "removed": return .removed
        case "Isolated", "isolated": return .isolated
        case "MergedWithPrevious", "merged_with_previous": return .mergedWithPrevious
        case "MergedWithNext", "merged_with_next": return .mergedWithNext
        case "Contiguous", "contiguous": return .contiguous
        default: throw part.failure("the behavior \"\(name)\" is not known")
        }
    }

    private func prependScheme(_ part: JSONFields) throws(TokenizerError) -> PreTokenizer.PrependScheme {
        switch try part.optionalString("prepend_scheme") {
        case "always": return .always
        case "first": return .first
        case "never": return .never
        case nil: return try part.bool("add_prefix_space", default: true) ? .always : .never
        case .some(let name): throw part.failure("the prepend_scheme \"\(name)\" is not known")
        }
    }

    func readDecoders(_ part: JSONFields) throws(TokenizerError) -> [TokenDecoder] {
        switch part.type {
        case "Sequence":
            var steps: [TokenDecoder] = []
            for item in try part.list("decoders") { steps += try readDecoders(item) }
            return steps
        case "ByteLevel": return [.byteLevel]
        case "ByteFallback": return [.byteFallback(replacesWholeRuns: true)]
        case "Metaspace":
            let replacement = try part.optionalString("replacement") ?? "▁"
            return [.metaspace(replacement: Array(replacement.utf8), prepends: try prependScheme(part) != .never)]
        case "Replace": return [.replace(try rule(part), with: try part.bytes("content"))]
        case "Strip":
            let start = try part.integer("start", default: 0)
            let stop = try part.integer("stop", default: 0)
            guard start >= 0, stop >= 0 else { throw part.failure("start and stop must not be negative") }
            return [.strip(content: try part.bytes("content"), start: start, stop: stop)]
        case "Fuse": return [.fuse]
        case "WordPiece":
            return [
                .wordPiece(
                    prefix: Array((try part.optionalString("prefix") ?? "##").utf8),
                    cleansUp: try part.bool("cleanup", default: true))
            ]
        case "BPEDecoder": return [.bpe(suffix: Array((try part.optionalString("suffix") ?? "</w>").utf8))]
        case "CTC":
            return [
                .ctc(
                    pad: Array((try part.optionalString("pad_token") ?? "<pad>").utf8),
                    delimiter: Array((try part.optionalString("word_delimiter_token") ?? "|").utf8),
                    cleansUp: try part.bool("cleanup", default: true))
            ]
        default: throw unknownKind(part, "decoder")
        }
    }

    func readPostProcessor(_ part: JSONFields, _ pipeline: inout TokenizerPipeline) throws(TokenizerError) {
        switch part.type {
        case "Sequence":
            for item in try part.list("processors") { try readPostProcessor(item, &pipeline) }
        case "ByteLevel": break
        case "BertProcessing", "RobertaProcessing":
            pipeline.prefixIDs = [try roleID(part, "cls")] + pipeline.prefixIDs
            pipeline.suffixIDs += [try roleID(part, "sep")]
        case "TemplateProcessing": try readTemplate(part, &pipeline)
        default: throw unknownKind(part, "post-processor")
        }
    }

    private func roleID(_ part: JSONFields, _ key: String) throws(TokenizerError) -> Int32 {
        guard let pair = part[key]?.value.arrayValue, pair.count == 2 else {
            throw TokenizerError(part: "\(part.path).\(key)", reason: "this must be a token and its id")
        }
        return try part.id(pair[1])
    }

    private func readTemplate(_ part: JSONFields, _ pipeline: inout TokenizerPipeline) throws(TokenizerError) {
        var before: [Int32] = []
        var after: [Int32] = []
        var sequences = 0
        for piece in try part.list("single") {
            if piece["Sequence"] != nil {
                sequences += 1
            } else if let special = piece["SpecialToken"] {
                let name = try special.string("id")
                guard let listed = part["special_tokens"]?[name]?["ids"]?.value.arrayValue else {
                    throw special.failure("\"\(name)\" is not among the template's special tokens")
                }
                for value in listed {
                    let id = try special.id(value)
                    if sequences == 0 { before.append(id) } else { after.append(id) }
                }
            } else {
                throw piece.failure("a piece of a template must be a Sequence or a SpecialToken")
            }
        }
        guard sequences == 1 else {
            throw TokenizerError(
                part: "\(part.path).single",
                reason: "the text must stand in the template once, and stands \(sequences) times")
        }
        pipeline.prefixIDs = before + pipeline.prefixIDs
        pipeline.suffixIDs += after
    }
}
