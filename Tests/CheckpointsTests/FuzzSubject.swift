import Checkpoints
import Tensors

/// What is fed with damaged inputs: each kind of file, parsed from memory, and everything it then gives out touched.
struct FuzzSubject {
    enum Kind: CaseIterable {
        case gguf, split, safetensors, sharded, config, index
    }

    let ggufs: [[UInt8]]
    /// The parts of one split model.
    let split: [[UInt8]]
    let safetensors: [[UInt8]]
    /// The shards that `index` names, by their names.
    let shards: [(name: String, bytes: [UInt8])]
    let configs: [[UInt8]]
    let index: [UInt8]

    /// One input, damaged as the number says.
    ///
    /// - Returns: Whether the parser accepted it; anything but acceptance or a ``CheckpointError`` is a mistake.
    func run(_ kind: Kind, number: UInt64) -> Bool {
        var random = SplitMix64(state: number &* 0x2545_F491_4F6C_DD1D)
        do {
            switch kind {
            case .gguf:
                let bytes = mutateGGUF(ggufs.randomElement(using: &random)!, &random)
                touch(try Checkpoint(gguf: [GGUFFile(file(bytes))], name: "fuzz", path: "fuzz.gguf"))
            case .split:
                var parts = split
                let damaged = Int.random(in: parts.indices, using: &random)
                parts[damaged] = mutateGGUF(parts[damaged], &random)
                touch(try Checkpoint(gguf: try parts.map { try GGUFFile(file($0)) }, name: "fuzz", path: "fuzz.gguf"))
            case .safetensors:
                let bytes = mutateSafetensors(safetensors.randomElement(using: &random)!, &random)
                touch(try checkpoint([SafetensorsFile(file(bytes))], index: nil))
            case .sharded:
                var parts = shards
                let damaged = Int.random(in: parts.indices, using: &random)
                parts[damaged].bytes = mutateSafetensors(parts[damaged].bytes, &random)
                let files = try parts.map { try SafetensorsFile(MappedFile(copying: $0.bytes, name: $0.name)) }
                touch(try checkpoint(files, index: SafetensorsIndex(file(index))))
            case .config:
                touch(try HuggingFaceConfig(file(mutateText(configs.randomElement(using: &random)!, &random))))
            case .index:
                let index = try SafetensorsIndex(file(mutateText(index, &random)))
                precondition(index.shards.allSatisfy { !$0.contains("/") && !$0.isEmpty })
                let files = try shards.map { try SafetensorsFile(MappedFile(copying: $0.bytes, name: $0.name)) }
                touch(try checkpoint(files, index: index))
            }
            return true
        } catch let error as CheckpointError {
            precondition(!error.description.isEmpty && !error.file.isEmpty && !error.reason.isEmpty)
            return false
        } catch {
            preconditionFailure("an error of another type: \(error)")
        }
    }

    private func file(_ bytes: [UInt8]) -> MappedFile { MappedFile(copying: bytes, name: "fuzz") }

    private func checkpoint(_ files: [SafetensorsFile], index: SafetensorsIndex?) throws -> Checkpoint {
        try Checkpoint(
            safetensors: files, index: index, name: "fuzz", path: "fuzz", folder: nil, config: nil,
            generationConfig: nil)
    }

    // MARK: Damage

    private func mutateGGUF(_ bytes: [UInt8], _ random: inout SplitMix64) -> [UInt8] {
        Mutation.mutate(bytes, header: min(bytes.count, 4096), isText: false, others: ggufs, &random)
    }

    private func mutateText(_ bytes: [UInt8], _ random: inout SplitMix64) -> [UInt8] {
        Mutation.mutate(bytes, header: bytes.count, isText: true, others: configs + [index], &random)
    }

    private func mutateSafetensors(_ bytes: [UInt8], _ random: inout SplitMix64) -> [UInt8] {
        let length = 8 + bytes.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
        guard Int.random(in: 0..<4, using: &random) > 0 else {
            return Mutation.mutate(bytes, header: length, isText: true, others: safetensors, &random)
        }
        // The header's text changes and its length is put right, so that the damage gets past the first check.
        let header = Mutation.mutate(Array(bytes[8..<length]), header: length, isText: true, others: configs, &random)
        return (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) } + header + bytes[length...]
    }

    // MARK: Use

    private func touch(_ checkpoint: Checkpoint) {
        var sum = 0
        for name in checkpoint.tensorNames {
            let raw = checkpoint.rawTensor(named: name)!
            sum &+= Int(raw.bytes.first ?? 0) &+ Int(raw.bytes.last ?? 0)
            precondition(raw.bytes.count == raw.range.count && raw.range.upperBound <= raw.file.bytes.count)
            if let tensor = try? checkpoint.tensor(named: name) {
                let elements = tensor.shape.reduce(1, *)
                precondition(tensor.type.byteCount(elements: elements) == tensor.bytes.count)
            }
        }
        precondition(checkpoint.weightBytes >= 0 && checkpoint.parameterCount >= 0)
        _ = try? checkpoint.require("model.layers.0.self_attn.q_proj.weight", shape: [1])
        if let metadata = checkpoint.gguf { sum &+= touch(metadata) }
        precondition(sum >= 0)
    }

    private func touch(_ metadata: GGUFMetadata) -> Int {
        for key in metadata.keys {
            precondition(metadata.value(key)!.type == metadata.type(of: key)!)
            _ = try? metadata.int(key)
            _ = try? metadata.uint(key)
            _ = try? metadata.float(key)
            _ = try? metadata.bool(key)
            _ = try? metadata.string(key)
            _ = try? metadata.strings(key)
            _ = try? metadata.ints(key)
            _ = try? metadata.floats(key)
            _ = try? metadata.bools(key)
        }
        return metadata.keys.count
    }

    private func touch(_ config: HuggingFaceConfig) {
        for key in config.keys {
            _ = try? config.int(key)
            _ = try? config.double(key)
            _ = try? config.bool(key)
            _ = try? config.string(key)
            _ = try? config.ints(key)
            _ = try? config.doubles(key)
            _ = try? config.strings(key)
            _ = try? config.bools(key)
            if let nested = try? config.object(key) { touch(nested) }
            if let nested = try? config.objects(ifPresent: key) { nested.forEach(touch) }
        }
    }
}

extension FuzzSubject {
    /// Small sound inputs of every kind, from the golden files and from the writers.
    ///
    /// - Parameters:
    ///   - goldens: The folder of the golden files.
    ///   - scratch: A folder for files that are removed again.
    init(goldens: String, scratch: String) throws(CheckpointError) {
        func read(_ name: String) throws(CheckpointError) -> [UInt8] {
            try MappedFile(path: goldens + "/" + name).copy()
        }
        var random = SplitMix64(state: 7)
        var ggufs = [try read("every-type.gguf")]
        var safetensors = [try read("every-type.safetensors")]
        for number in 0..<12 {
            let path = scratch + "/seed-\(number)"
            try RandomModel.gguf(&random).write(to: path + ".gguf")
            ggufs.append(try MappedFile(path: path + ".gguf").copy())
            try RandomModel.safetensors(&random).write(to: path + ".safetensors")
            safetensors.append(try MappedFile(path: path + ".safetensors").copy())
        }
        var split: [[UInt8]] = []
        for number in 1...3 { split.append(try read("split-0000\(number)-of-00003.gguf")) }
        var shards: [(name: String, bytes: [UInt8])] = []
        for number in 1...2 {
            let name = "model-0000\(number)-of-00002.safetensors"
            shards.append((name, try read("sharded/" + name)))
        }
        self.init(
            ggufs: ggufs, split: split, safetensors: safetensors, shards: shards,
            configs: [try read("sharded/config.json"), try read("sharded/generation_config.json")],
            index: try read("sharded/model.safetensors.index.json"))
    }
}
