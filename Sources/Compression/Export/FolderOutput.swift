internal import Checkpoints
internal import Foundation
internal import Models
internal import Tensors

/// Puts finished steps together to a folder: weights in a published layout or Apus's own, the source's other files beside them.
struct FolderOutput {
    private let job: CompressionJob
    private let work: WorkFolder
    private let container: QuantizedContainer

    init(_ job: CompressionJob, _ work: WorkFolder, _ container: QuantizedContainer) {
        self.job = job
        self.work = work
        self.container = container
    }

    /// Files of a folder that say how its model is used, as far as they are there.
    private static let others = [
        "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
        "vocab.json", "merges.txt", "chat_template.jinja", "generation_config.json",
    ]

    /// Why a model cannot become a folder, or nil.
    static func refusal(_ files: Checkpoint, _ uses: [TensorUse]) -> String? {
        if files.kind == .gguf {
            return "\(files.path) is a GGUF file, which has no configuration and tokenizer files to copy; name an output that ends "
                + "in .gguf"
        }
        if uses.contains(where: \.isTransposed) {
            return "\(files.path) stores its projections as [inputs, outputs], for which the layouts have no place; name an output "
                + "that ends in .gguf"
        }
        return nil
    }

    func write(to path: String) throws {
        let manager = FileManager.default
        let made = work.path + "/result"
        try? manager.removeItem(atPath: made)
        try create(made)
        try writeWeights(made + "/model.safetensors")
        for name in Self.others {
            guard let bytes = try job.files.checkpoint.folderFile(named: name) else { continue }
            try put(Data(bytes), made + "/" + name)
        }
        try put(try configuration(), made + "/config.json")
        // What had the name goes when the new one is there.
        if manager.fileExists(atPath: path) {
            let old = work.path + "/replaced"
            try? manager.removeItem(atPath: old)
            try move(path, old)
        }
        try move(made, path)
    }

    private func create(_ path: String) throws {
        do { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false) } catch {
            throw CompressionError("\(path): the folder cannot be made: \(error.localizedDescription)")
        }
    }

    private func move(_ from: String, _ to: String) throws {
        do { try FileManager.default.moveItem(atPath: from, toPath: to) } catch {
            throw CompressionError("\(to): the result cannot be put there: \(error.localizedDescription)")
        }
    }

    private func put(_ data: Data, _ path: String) throws {
        do { try data.write(to: URL(fileURLWithPath: path), options: .atomic) } catch {
            throw CompressionError("\(path): it cannot be written: \(error.localizedDescription)")
        }
    }

    private static func stem(_ name: String) -> String {
        name.hasSuffix(".weight") ? String(name.dropLast(".weight".count)) : name
    }

    private func writeWeights(_ path: String) throws {
        let checkpoint = job.files.checkpoint
        let uses = Dictionary(uniqueKeysWithValues: job.uses.map { ($0.name, $0) })
        let made = try work.made(steps: job.stepCount)
        let vectors = made.vectors
        var infos: [SafetensorsWriter.TensorInfo] = []
        for name in checkpoint.tensorNames {
            let tensor = checkpoint.rawTensor(named: name)!
            if let weight = made.weights[name], let use = uses[name] {
                infos += try container.tensors(
                    Self.stem(name), type: weight.type, outputs: use.shape[0], inputs: use.shape[1])
                for extra in weight.extras {
                    infos.append(.init(name: "\(Self.stem(name)).\(extra.suffix)", shape: extra.shape, type: extra.type))
                }
            } else if vectors[name] != nil {
                infos.append(.init(name: name, shape: tensor.shape, type: .f32))
            } else {
                guard let type = SafetensorsType(rawValue: tensor.dtypeName) else {
                    throw CompressionError("tensor \(name) is of type \(tensor.dtypeName), which cannot be written again")
                }
                infos.append(.init(name: name, shape: tensor.shape, type: type))
            }
        }
        // What the source does not have: shifts and biases that a method has folded in.
        let added = vectors.keys.filter { checkpoint.rawTensor(named: $0) == nil }.sorted()
        for name in added { infos.append(.init(name: name, shape: [vectors[name]!.count], type: .f32)) }
        var writer = try SafetensorsWriter(path: path, tensors: infos)
        var loaded: (step: Int, result: StepResult)?
        for name in checkpoint.tensorNames {
            let tensor = checkpoint.rawTensor(named: name)!
            if let (step, type, _) = made.weights[name], let use = uses[name] {
                if loaded?.step != step { loaded = (step, try work.read(step: step)!) }
                let weight = loaded!.result.weights.first { $0.name == name }!
                let parts = weight.bytes.withUnsafeBytes {
                    container.bytes($0, type: type, outputs: use.shape[0], inputs: use.shape[1])
                }
                let names = try container.tensors(
                    Self.stem(name), type: type, outputs: use.shape[0], inputs: use.shape[1])
                for (info, part) in zip(names, parts) { try part.withUnsafeBytes { try writer.append($0, to: info.name) } }
                for extra in weight.extras {
                    try extra.bytes.withUnsafeBytes { try writer.append($0, to: "\(Self.stem(name)).\(extra.suffix)") }
                }
            } else if let values = vectors[name] {
                try values.withUnsafeBytes { try writer.append($0, to: name) }
            } else {
                try tensor.stream { try writer.append($0, to: name) }
            }
        }
        for name in added { try vectors[name]!.withUnsafeBytes { try writer.append($0, to: name) } }
        try writer.finish()
    }

    /// config.json with the `quantization_config` of the layout.
    private func configuration() throws -> Data {
        var types: [String: ElementType] = [:]
        for record in job.recipe.tensors { types[Self.stem(record.name)] = ElementType(name: record.format) }
        let plain = job.uses.filter { use in
            if case .vector = use.role { return false }
            return types[Self.stem(use.name)] == nil
        }.map { Self.stem($0.name) } + (job.uses.contains { $0.role == .output } ? [] : ["lm_head"])
        let text = try container.configuration(types: types, plain: plain)
        guard let bytes = try job.files.checkpoint.folderFile(named: "config.json"),
            var config = try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any]
        else { throw CompressionError("\(job.files.checkpoint.path): config.json is no JSON object") }
        config["quantization_config"] = try JSONSerialization.jsonObject(with: Data(text.utf8))
        return try JSONSerialization.data(
            withJSONObject: config, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
    }
}
