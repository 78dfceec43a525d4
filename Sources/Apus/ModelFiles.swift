public import Checkpoints
public import Models
internal import Tensors
public import Text

/// The files of a model: weights, and beside or inside them tokenizer, template and recommendations.
public struct ModelFiles: Sendable {
    public let checkpoint: Checkpoint

    /// - Parameter name: a GGUF file, a Hugging Face folder, or a built-in model.
    public init(_ name: String) throws(CheckpointError) {
        checkpoint = try Checkpoint.open(try BuiltInModels.path(of: name) ?? name)
    }

    /// The network that the weights make, laid out for products; see `Catalog.load`.
    ///
    /// - Throws: `CheckpointError` where the architecture is unknown or a tensor is missing or has the wrong shape.
    public func network(threads: Int? = nil, panelFile: String? = nil) throws(CheckpointError) -> any Model {
        try checkWeights()
        return try Catalog.load(checkpoint, threads: threads, panelFile: panelFile)
    }

    /// The network's sizes; no weight is read.
    public func shape() throws(CheckpointError) -> ModelShape {
        try checkWeights()
        return try Catalog.shape(of: checkpoint)
    }

    /// Where laid-out weights of this model are kept between starts: beside it.
    public var panelFile: String {
        checkpoint.kind == .gguf ? checkpoint.path + ".panels" : checkpoint.path + "/apus.panels"
    }

    private func checkWeights() throws(CheckpointError) {
        guard !checkpoint.tensorNames.isEmpty else {
            throw CheckpointError(
                file: checkpoint.path,
                reason: "the file has no weights, only \(checkpoint.gguf == nil ? "a header" : "a vocabulary"); "
                    + "it can tokenize, and nothing else: use a whole model")
        }
    }

    /// What the weights are known by: equal only where names, shapes, types and every byte of them are. Reads them all.
    public var identity: String {
        var hash = ContentHash()
        for name in checkpoint.tensorNames {
            guard let tensor = checkpoint.rawTensor(named: name) else { continue }
            hash.add("\(name) \(tensor.dtypeName) \(tensor.shape)")
            tensor.stream { hash.add($0) }
        }
        return hash.text
    }

    /// The tokenizer inside or beside the weights.
    ///
    /// - Throws: `CheckpointError` where there is none, or its description is damaged or of an unknown kind.
    public func tokenizer() throws(CheckpointError) -> Tokenizer {
        if let metadata = checkpoint.gguf {
            let vocabulary = try GGUFVocabulary(metadata, file: checkpoint.path)
            do throws(TokenizerError) { return try Tokenizer(gguf: vocabulary) } catch {
                throw CheckpointError(file: checkpoint.path, field: error.part, reason: error.reason)
            }
        }
        return try TokenizerFiles(
            json: try checkpoint.folderFile(named: "tokenizer.json"),
            sentencePiece: try checkpoint.folderFile(named: "tokenizer.model"),
            config: try checkpoint.folderFile(named: "tokenizer_config.json"),
            modelType: try checkpoint.config?.string(ifPresent: "model_type")
        ).tokenizer(of: checkpoint.path)
    }

    /// The source of the chat template, where there is one.
    public func template(_ tokenizer: Tokenizer) throws(CheckpointError) -> String? {
        if let metadata = checkpoint.gguf { return try metadata.string(ifPresent: "tokenizer.chat_template") }
        if let file = try checkpoint.folderFile(named: "chat_template.jinja") {
            return String(decoding: file, as: UTF8.self)
        }
        return tokenizer.chatTemplate
    }

    /// Every token that ends an answer: the tokenizer's, and those of config.json and generation_config.json.
    public func endOfGeneration(_ tokenizer: Tokenizer) throws(CheckpointError) -> [Int32] {
        var ids = Set(tokenizer.eosIDs)
        for config in [checkpoint.config, checkpoint.generationConfig] {
            guard let config, config.has("eos_token_id") else { continue }
            let listed: [Int]
            do throws(CheckpointError) { listed = [try config.int("eos_token_id")] } catch {
                listed = try config.ints("eos_token_id")
            }
            ids.formUnion(listed.compactMap { Int32(exactly: $0) })
        }
        return ids.sorted()
    }

    /// What the model's files recommend for sampling.
    public func recommendedSampling() throws(CheckpointError) -> RecommendedSampling {
        var recommended = RecommendedSampling()
        guard let config = checkpoint.generationConfig, try config.bool(ifPresent: "do_sample") ?? false else {
            return recommended
        }
        recommended.temperature = try config.double(ifPresent: "temperature")
        recommended.topK = try config.int(ifPresent: "top_k")
        recommended.topP = try config.double(ifPresent: "top_p")
        recommended.minP = try config.double(ifPresent: "min_p")
        recommended.repetitionPenalty = try config.double(ifPresent: "repetition_penalty")
        return recommended
    }
}

extension GGUFVocabulary {
    /// The tokenizer part of a GGUF header.
    init(_ metadata: GGUFMetadata, file: String) throws(CheckpointError) {
        func id(_ key: String) throws(CheckpointError) -> Int32? {
            let field = "tokenizer.ggml.\(key)_token_id"
            guard let value = try metadata.int(ifPresent: field) else { return nil }
            // Some converters write 2^32 - 1 for "none".
            if value == Int(UInt32.max) { return nil }
            guard let id = Int32(exactly: value) else {
                throw CheckpointError(file: file, field: field, reason: "\(value) is not a token id")
            }
            return id
        }
        self.init(
            model: try metadata.string("tokenizer.ggml.model"), tokens: try metadata.strings("tokenizer.ggml.tokens"))
        pre = try metadata.string(ifPresent: "tokenizer.ggml.pre")
        scores = try metadata.floats(ifPresent: "tokenizer.ggml.scores")
        tokenTypes = try metadata.ints(ifPresent: "tokenizer.ggml.token_type")
        merges = try metadata.strings(ifPresent: "tokenizer.ggml.merges")
        bosID = try id("bos")
        eosID = try id("eos")
        unkID = try id("unknown")
        sepID = try id("seperator")
        padID = try id("padding")
        eotID = try id("eot")
        eomID = try id("eom")
        addBOS = try metadata.bool(ifPresent: "tokenizer.ggml.add_bos_token")
        addEOS = try metadata.bool(ifPresent: "tokenizer.ggml.add_eos_token")
        addSEP = try metadata.bool(ifPresent: "tokenizer.ggml.add_sep_token")
        addSpacePrefix = try metadata.bool(ifPresent: "tokenizer.ggml.add_space_prefix")
        removeExtraWhitespaces = try metadata.bool(ifPresent: "tokenizer.ggml.remove_extra_whitespaces")
        precompiledCharsmap = try metadata.bytes(ifPresent: "tokenizer.ggml.precompiled_charsmap")
        lowercases = try metadata.bool(ifPresent: "tokenizer.ggml.normalizer.lowercase")
        stripsAccents = try metadata.bool(ifPresent: "tokenizer.ggml.normalizer.strip_accents")
    }
}
