/// How a byte-level GGUF model cuts text, by the name in `tokenizer.ggml.pre`. The patterns are those of the models'
/// own tokenizers; each cuts what the one before it left.
struct GGUFPreTokenizer {
    var patterns: [String]
    var ignoresMerges = false
    var addsBOS = false
    /// Whether text is composed (NFC) first.
    var composes = false
    /// Whether the vocabulary is written in the byte alphabet; else in plain text with tokens for bytes.
    var readsBytes = true
    var escapesSpaces = false

    static func named(_ name: String) throws(TokenizerError) -> GGUFPreTokenizer {
        guard let found = all[name] else {
            throw TokenizerError(
                part: "tokenizer.ggml.pre",
                reason: "the pre-tokenizer \"\(name)\" is not known, and any other would give wrong ids; "
                    + "use the model's tokenizer.json instead")
        }
        return found
    }

    func splitters() throws(TokenizerError) -> [PreTokenizer] {
        var steps: [PreTokenizer] = []
        for pattern in patterns {
            steps.append(.split(try Splitter(pattern: pattern, .isolated, part: "tokenizer.ggml.pre")))
        }
        return steps
    }

    // MARK: Patterns

    private static let gpt2 = FamilySplitter.known[0].pattern
    private static let contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
    private static let spaces = #"\s*[\r\n]+|\s+(?!\S)|\s+"#
    private static let other = #" ?[^\s\p{L}\p{N}]+[\r\n]*"#
    private static let llama3 = contractions + #"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"# + other + "|" + spaces
    private static let qwen2 = contractions + #"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|"# + other + "|" + spaces
    private static let qwen35 =
        contractions + #"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|"# + spaces
    private static let upper = #"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"#
    private static let lower = #"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"#

    /// Words of upper then lower case, as o200k and its kin write them.
    private static func casedWords(_ upper: String, _ lower: String, _ ending: String) -> String {
        #"[^\r\n\p{L}\p{N}]?"# + upper + "*" + lower + "+" + ending + #"|[^\r\n\p{L}\p{N}]?"# + upper + "+" + lower
            + "*" + ending
    }

    private static let o200k =
        casedWords(upper, lower, contractions + "?") + #"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|"# + spaces
    private static let tekken = casedWords(upper, lower, "") + #"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|"# + spaces
    private static let youtu =
        casedWords(upper, lower, contractions + "?") + #"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|"# + spaces
    private static let kimi =
        #"\p{Han}+|"#
        + casedWords(
            #"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]"#, #"[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]"#,
            contractions + "?") + #"|\p{N}{1,3}|"# + other + "|" + spaces
    private static let asciiWord = ##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+"##
    private static let deepSeek3Words =
        asciiWord + #"|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|"# + spaces
    private static let hanAndKana = "[\u{4E00}-\u{9FA5}\u{3040}-\u{309F}\u{30A0}-\u{30FF}]+"
    private static let deepSeek3 = [#"\p{N}{1,3}"#, hanAndKana, deepSeek3Words]
    // Letters of scripts with case, as one model's tokenizer lists them; escaped, for some change under normalization.
    private static let wideLetters =
        #"\x{41}-\x{5A}\x{61}-\x{7A}\x{B5}\x{C0}-\x{D6}\x{D8}-\x{F6}\x{F8}-\x{1BA}\x{1BC}-\x{1BF}"#
        + #"\x{1C4}-\x{293}\x{295}-\x{2AF}\x{370}-\x{373}\x{376}\x{377}\x{37B}-\x{37D}\x{37F}\x{386}"#
        + #"\x{388}-\x{38A}\x{38C}\x{38E}-\x{3A1}\x{3A3}-\x{3F5}\x{3F7}-\x{481}\x{48A}-\x{52F}"#
        + #"\x{531}-\x{556}\x{10A0}-\x{10C5}\x{13A0}-\x{13F5}\x{13F8}-\x{13FD}\x{1C90}-\x{1CBA}"#
        + #"\x{1CBD}-\x{1CBF}\x{1D00}-\x{1D2B}\x{1D6B}-\x{1D77}\x{1D79}-\x{1D9A}\x{1E00}-\x{1F15}"#
        + #"\x{1F18}-\x{1F1D}\x{1F20}-\x{1F45}\x{1F48}-\x{1F4D}\x{1F50}-\x{1F57}\x{1F59}\x{1F5B}\x{1F5D}"#
        + #"\x{1F5F}-\x{1F7D}\x{1F80}-\x{1FB4}\x{1FB6}-\x{1FBC}\x{1FBE}\x{1FC2}-\x{1FC4}"#
        + #"\x{1FC6}-\x{1FCC}\x{1FD0}-\x{1FD3}\x{1FD6}-\x{1FDB}\x{1FE0}-\x{1FEC}\x{1FF2}-\x{1FF4}"#
        + #"\x{1FF6}-\x{1FFC}\x{2102}\x{2107}\x{210A}-\x{2113}\x{2115}\x{2119}-\x{211D}\x{2124}\x{2126}"#
        + #"\x{2128}\x{212A}-\x{212D}\x{212F}-\x{2134}\x{2139}\x{213C}-\x{213F}\x{2145}-\x{2149}\x{214E}"#
        + #"\x{2183}\x{2184}\x{2C00}-\x{2C7B}\x{2C7E}-\x{2CE4}\x{2CEB}-\x{2CEE}\x{2CF2}\x{2CF3}"#
        + #"\x{A640}-\x{A66D}\x{A680}-\x{A69B}\x{A722}-\x{A76F}\x{A771}-\x{A787}\x{A78B}-\x{A78E}"#
        + #"\x{AB70}-\x{ABBF}\x{FB00}-\x{FB06}\x{FB13}-\x{FB17}\x{FF21}-\x{FF3A}\x{FF41}-\x{FF5A}"#
        + #"\x{10400}-\x{1044F}\x{104B0}-\x{104D3}\x{104D8}-\x{104FB}\x{10C80}-\x{10CB2}"#
        + #"\x{10CC0}-\x{10CF2}\x{118A0}-\x{118DF}\x{1E900}-\x{1E943}"#
    private static let falcon = [#"[\p{P}\$\+<=>\^~\|`]+"#, gpt2, "[0-9][0-9][0-9]"]
    private static let digitsThenGPT2 = [#"\p{N}"#, gpt2]
    private static let bloom = " ?[^(\\s|.,!?…。，、।۔،)]+"

    private static let afmoeScripts =
        "[\u{4E00}-\u{9FFF}\u{3400}-\u{4DBF}\u{F900}-\u{FAFF}\u{3040}-\u{309F}\u{30A0}-\u{30FF}"
        + "\u{FF65}-\u{FF9F}\u{2F00}-\u{2FDF}"
        + "\u{0E40}-\u{0E7F}\u{0E80}-\u{0EFF}\u{1780}-\u{17FF}\u{1000}-\u{109F}"
        + "\u{AA60}-\u{AA7F}\u{A9E0}-\u{A9FF}\u{AC00}-\u{D7AF}\u{1100}-\u{11FF}]+"

    // MARK: Names

    private static let all: [String: GGUFPreTokenizer] = {
        var table: [String: GGUFPreTokenizer] = [:]
        func add(_ names: [String], _ patterns: [String], _ change: (inout GGUFPreTokenizer) -> Void = { _ in }) {
            var entry = GGUFPreTokenizer(patterns: patterns)
            change(&entry)
            for name in names { table[name] = entry }
        }
        add(["default"], [#"[\p{P}\$\+<=>\^~\|]+"#, gpt2, #"\p{N}+"#, "[0-9][0-9][0-9]"])
        add(
            ["llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano"],
            [llama3]
        ) {
            $0.ignoresMerges = true
            $0.addsBOS = true
        }
        add(["smaug-bpe", "dbrx", "chatglm-bpe", "glm4"], [llama3])
        add(
            [
                "gpt-2", "phi-2", "jina-es", "jina-de", "gigachat", "jina-v2-es", "jina-v2-de", "a.x-4.0", "mellum",
                "modern-bert", "jina-v1-en", "jina-v2-code", "roberta-bpe", "exaone4", "jais", "trillion",
                "granite-docling",
            ], [gpt2])
        add(["mpt", "olmo"], [gpt2]) { $0.composes = true }
        add(["starcoder", "refact", "smollm", "codeshell", "exaone", "minerva-7b", "mellum2"], digitsThenGPT2)
        add(["command-r"], digitsThenGPT2) { $0.composes = true }
        add(["qwen2"], [qwen2]) { $0.composes = true }
        add(
            ["deepseek-r1-qwen", "kormo", "f2llmv2", "megrez", "hunyuan", "solar-open", "stablelm2", "grok-2"], [qwen2])
        add(["qwen35"], [qwen35]) { $0.composes = true }
        add(
            ["deepseek-llm"],
            [
                "[\r\n]", #"\s?["# + wideLetters + "]+",
                #"\s?[!-/:-~\x{FF01}-\x{FF0F}\x{FF1A}-\x{FF5E}\x{2018}-\x{201F}\x{3000}-\x{3002}]+"#, #"\s+$"#,
                "[\u{4E00}-\u{9FA5}\u{0800}-\u{4E00}\u{AC00}-\u{D7FF}]+", #"\p{N}+"#,
            ])
        add(
            ["deepseek-coder"],
            [
                "[\r\n]", #"\s?\p{L}+"#, #"\s?\p{P}+"#,
                "[\u{4E00}-\u{9FA5}\u{0800}-\u{4E00}\u{AC00}-\u{D7FF}]+", #"\p{N}"#,
            ])
        add(["deepseek-v3", "hunyuan-dense", "joyai-llm"], deepSeek3)
        add(
            ["spark2_5"],
            [
                #"\p{N}{1,3}"#, "[\u{4E00}-\u{9FA5}\u{3040}-\u{309F}\u{30A0}-\u{30FF}]+",
                asciiWord
                    + #"|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+|[\r\n]|\s+(?!\S)|\s+"#, #"\p{N}"#,
            ])
        add(["falcon"], falcon)
        add(["poro-chat", "bloom", "gpt3-finnish"], [bloom])
        add(["viking"], [bloom, #"\p{N}"#])
        add(["tekken"], [tekken]) {
            $0.ignoresMerges = true
            $0.addsBOS = true
        }
        add(["gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"], [o200k])
        add(["granite-embed-multi-97m"], [o200k]) { $0.ignoresMerges = true }
        add(["tiny_aya", "cohere2moe"], [#"\d{1,3}(?=(?:\d{3})*\b)"#, o200k])
        add(
            ["jais-2"],
            [
                contractions + #"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"# + other
                    + #"|\s*[\r\n]+|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)"#
                    + #"|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1}"#
            ])
        add(
            ["youtu"],
            [
                "[\u{AC00}-\u{D7A3}\u{3131}-\u{318E}]+"
                    + "|[\u{FF01}\u{2026}\u{201C}\u{201D}\u{2018}\u{2019}\u{2014}\u{FF1A}\u{FF1B}\u{FF0C}"
                    + "\u{3001}-\u{303F}\u{FE30}-\u{FE4F}]+|[\u{3105}-\u{312F}]+|" + hanAndKana, youtu,
            ]
        ) { $0.ignoresMerges = true }
        add(
            ["chameleon"],
            [
                "<sentinel:[0-9]+>", "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", "([\t\n]|    |  )", #"\p{N}"#,
                #"[\p{P}!-/:-@\[-`{-~]"#, gpt2,
            ]
        ) { $0.addsBOS = true }
        add(["superbpe"], [#"\p{N}+"#, #"(?=(\d{3})+(?!\d))"#])
        add(
            ["bailingmoe", "bailingmoe2", "llada-moe"],
            [
                #"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]"#
                    + #"|\s+(?!\S)|\s+"#
            ])
        add(
            ["seed-coder"],
            [contractions + #"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|"# + spaces])
        add(["kimi-k2"], [kimi])
        add(["afmoe"], [#"\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N}))"#, afmoeScripts, deepSeek3Words])
        add(["laguna"], [#"[^\n]+|[\n]+"#, qwen2])
        add(
            ["exaone-moe"],
            [
                contractions
                    + #"|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?"#
                    + #"|\s*[\r\n]|\s+(?!\S)|\s+"#
            ])
        add(
            ["minicpm5"],
            [#"\p{N}{1,3}"#, contractions + #"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+|"# + other + "|" + spaces]
        ) { $0.ignoresMerges = true }
        add(["gemma4", "granite-embed-multi-311m", "sarvam-moe"], [#"[^\n]+|[\n]+"#]) {
            $0.readsBytes = false
            $0.escapesSpaces = true
        }
        add(["whitespace"], [#"\S+"#]) { $0.readsBytes = false }
        return table
    }()
}
