extension Checkpoint {
    /// Opens a model.
    ///
    /// - Parameter path: A `.gguf` file (any part of a split one), a folder with `.safetensors` files or one GGUF
    ///   model, a `.safetensors` file, or `model.safetensors.index.json`.
    /// - Throws: ``CheckpointError`` saying which file, tensor and field is wrong, or what was looked for in vain.
    /// - Complexity: O(bytes of the headers); tensor data is not read.
    public static func open(_ path: String) throws(CheckpointError) -> Checkpoint {
        if try Folder.isFolder(path) { return try openFolder(path, as: path) }
        let (folder, name) = Folder.split(path)
        let lowercased = name.lowercased()
        if lowercased.hasSuffix(".gguf") { return try openGGUF(folder: folder, name, as: path) }
        if name.hasSuffix(".safetensors.index.json") {
            return try openSharded(folder: folder, index: name, as: path)
        }
        if lowercased.hasSuffix(".safetensors") { return try openSafetensors(folder: folder, name, as: path) }
        if pickled.contains(where: lowercased.hasSuffix) { throw pickle(path) }
        let file = try MappedFile(path: path)
        if file.bytes.starts(with: GGUFLimits.magic) {
            return try Checkpoint(gguf: [GGUFFile(file)], name: name, path: path)
        }
        throw CheckpointError(
            file: path,
            reason: foreignFile(file.bytes, expected: "GGUF")
                + "; name a .gguf file, a .safetensors file or a model folder")
    }

    /// A GGUF model from its files in order.
    package convenience init(gguf files: [GGUFFile], name: String, path: String) throws(CheckpointError) {
        try GGUFSplit.check(files)
        try self.init(
            kind: .gguf, name: name, path: path, folder: nil, parts: files.map { ($0.file, $0.tensors) },
            gguf: files[0].metadata)
    }

    /// A safetensors model from its files in order; `index` says which of their tensors count, and nil means all.
    package convenience init(
        safetensors files: [SafetensorsFile], index: SafetensorsIndex?, name: String, path: String, folder: String?,
        config: HuggingFaceConfig?, generationConfig: HuggingFaceConfig?
    ) throws(CheckpointError) {
        var parts: [(file: MappedFile, tensors: [TensorRecord])] = []
        for file in files {
            let shard = Folder.split(file.file.path).name
            parts.append(
                (
                    file.file,
                    index.map { index in file.tensors.filter { index.shardOfTensor[$0.name] == shard } } ?? file.tensors
                ))
        }
        try self.init(
            kind: .huggingFace, name: name, path: path, folder: folder, parts: parts, config: config,
            generationConfig: generationConfig)
        guard let index, tensorNames.count < index.shardOfTensor.count else { return }
        let present = Set(tensorNames)
        let missing = index.shardOfTensor.keys.filter { !present.contains($0) }.sorted()
        throw CheckpointError(
            file: index.file, tensor: missing[0], field: "weight_map",
            reason: "it is said to be in \(index.shardOfTensor[missing[0]]!), which does not hold it"
                + (missing.count > 1 ? " (nor \(missing.count - 1) more)" : "")
                + "; index and shards do not belong together")
    }

    // MARK: GGUF

    private static func openGGUF(folder: String, _ name: String, as path: String) throws(CheckpointError) -> Checkpoint
    {
        guard let split = GGUFSplit.Name(name, suffix: ".gguf") else {
            let stem = name.lowercased().hasSuffix(".gguf") ? String(name.dropLast(5)) : name
            return try Checkpoint(gguf: [GGUFFile(MappedFile(path: Folder.join(folder, name)))], name: stem, path: path)
        }
        let names = (1...split.count).map { split.part($0, suffix: ".gguf") }
        try checkPresent(names, folder: folder, what: "parts of this split model")
        var files: [GGUFFile] = []
        for name in names { files.append(try GGUFFile(MappedFile(path: Folder.join(folder, name)))) }
        return try Checkpoint(gguf: files, name: split.stem, path: path)
    }

    private static func checkPresent(_ names: [String], folder: String, what: String) throws(CheckpointError) {
        let missing = names.filter { !Folder.exists(Folder.join(folder, $0)) }
        guard let first = missing.first else { return }
        let listed = missing.prefix(5).joined(separator: ", ") + (missing.count > 5 ? ", …" : "")
        throw CheckpointError(
            file: Folder.join(folder, first),
            reason:
                "\(missing.count) of \(names.count) \(what) are missing (\(listed)); download them into the same folder"
        )
    }

    // MARK: Safetensors

    private static func openSafetensors(
        folder: String, _ name: String, as path: String, named modelName: String? = nil
    ) throws(CheckpointError) -> Checkpoint {
        if Folder.exists(Folder.join(folder, SafetensorsIndex.fileName)) {
            let index = try SafetensorsIndex(MappedFile(path: Folder.join(folder, SafetensorsIndex.fileName)))
            if index.shards.contains(name) {
                return try openSharded(folder: folder, index: SafetensorsIndex.fileName, as: path)
            }
        }
        if let split = GGUFSplit.Name(name, suffix: ".safetensors"), split.count > 1 {
            throw CheckpointError(
                file: path,
                reason:
                    "this is shard \(split.number) of \(split.count), and its folder has no \(SafetensorsIndex.fileName) "
                    + "that lists it; download the index into the same folder")
        }
        let file = try SafetensorsFile(MappedFile(path: Folder.join(folder, name)))
        return try Checkpoint(
            safetensors: [file], index: nil, name: modelName ?? String(name.dropLast(".safetensors".count)), path: path,
            folder: folder,
            config: configuration("config.json", folder),
            generationConfig: configuration("generation_config.json", folder))
    }

    private static func openSharded(
        folder: String, index indexName: String, as path: String
    ) throws(CheckpointError) -> Checkpoint {
        let index = try SafetensorsIndex(MappedFile(path: Folder.join(folder, indexName)))
        try checkPresent(index.shards, folder: folder, what: "shards that \(indexName) names")
        var files: [SafetensorsFile] = []
        for shard in index.shards { files.append(try SafetensorsFile(MappedFile(path: Folder.join(folder, shard)))) }
        return try Checkpoint(
            safetensors: files, index: index, name: Folder.name(of: folder.isEmpty ? "." : folder), path: path,
            folder: folder,
            config: configuration("config.json", folder),
            generationConfig: configuration("generation_config.json", folder))
    }

    private static func configuration(_ name: String, _ folder: String) throws(CheckpointError) -> HuggingFaceConfig? {
        let path = Folder.join(folder, name)
        return Folder.exists(path) ? try HuggingFaceConfig(MappedFile(path: path)) : nil
    }

    // MARK: Folders

    private static let pickled = [".bin", ".pt", ".pth", ".ckpt", ".pkl"]

    private static func pickle(_ path: String) -> CheckpointError {
        CheckpointError(
            file: path,
            reason:
                "pickle files (\(pickled.joined(separator: ", "))) are not read, since loading them can run any program; "
                + "convert the model to safetensors")
    }

    private static func openFolder(_ folder: String, as path: String) throws(CheckpointError) -> Checkpoint {
        let names = try Folder.list(folder)
        let ggufs = ggufModels(names)
        let tensors = names.filter { $0.hasSuffix(".safetensors") }
        guard ggufs.isEmpty || tensors.isEmpty, ggufs.count <= 1 else {
            throw ambiguous(folder, ggufs + tensors)
        }
        if let model = ggufs.first { return try openGGUF(folder: folder, model, as: path) }
        if names.contains(SafetensorsIndex.fileName) {
            // A folder may also hold other files of the model; the index says which ones count.
            let index = try SafetensorsIndex(MappedFile(path: Folder.join(folder, SafetensorsIndex.fileName)))
            guard !tensors.contains("model.safetensors") || index.shards.contains("model.safetensors") else {
                throw ambiguous(folder, [SafetensorsIndex.fileName, "model.safetensors"])
            }
            return try openSharded(folder: folder, index: SafetensorsIndex.fileName, as: path)
        }
        let single = tensors.contains("model.safetensors") ? ["model.safetensors"] : tensors
        if single.count == 1 {
            return try openSafetensors(folder: folder, single[0], as: path, named: Folder.name(of: folder))
        }
        guard single.isEmpty else { throw ambiguous(folder, single) }
        if let other = names.first(where: { name in name.contains("pytorch_model") && name.hasSuffix(".bin") })
            ?? names.first(where: { name in pickled.contains(where: name.hasSuffix) })
        {
            throw pickle(Folder.join(folder, other))
        }
        throw CheckpointError(
            file: folder,
            reason: "this folder has no model: looked for \(SafetensorsIndex.fileName), model.safetensors, one other "
                + ".safetensors file, or one .gguf file")
    }

    /// The GGUF models among the names of a folder: the first part of each split one that is there, and all others.
    private static func ggufModels(_ names: [String]) -> [String] {
        var stems: Set<String> = []
        return names.filter { name in
            guard name.lowercased().hasSuffix(".gguf") else { return false }
            guard let split = GGUFSplit.Name(name, suffix: ".gguf") else { return true }
            return stems.insert("\(split.stem)-\(split.count)").inserted
        }
    }

    private static func ambiguous(_ folder: String, _ names: [String]) -> CheckpointError {
        let listed = names.prefix(8).joined(separator: ", ") + (names.count > 8 ? ", …" : "")
        return CheckpointError(
            file: folder, reason: "this folder has more than one model (\(listed)); name the file to open")
    }
}
