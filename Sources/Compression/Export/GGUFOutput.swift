internal import Apus
internal import Checkpoints
internal import Models
internal import Tensors

/// Puts finished steps together to a GGUF file.
struct GGUFOutput {
    private let job: CompressionJob
    private let work: WorkFolder

    init(_ job: CompressionJob, _ work: WorkFolder) {
        self.job = job
        self.work = work
    }

    /// A tensor of the file and where its bytes come from.
    private struct Part {
        var info: GGUFWriter.TensorInfo
        var source: Source

        enum Source {
            /// The source's own bytes.
            case copied(String)
            /// A step's.
            case made(name: String, step: Int)
            case vector([Float])
        }
        /// Where each row comes from; nil for as it is.
        var order: [Int]?
    }

    func write(to path: String) throws {
        let isGGUF = job.files.checkpoint.kind == .gguf
        let header = isGGUF ? nil : try GGUFHeader(job.files, job.shape)
        var metadata: [(key: String, value: GGUFValue)]
        var extra: [String: [Float]] = [:]
        if let header {
            let made = try header.metadata(job.files.checkpoint.name)
            metadata = made.values
            extra = made.vectors
        } else {
            metadata = copiedMetadata()
        }
        metadata.append(
            (key: "general.file_type", value: .uint32(GGUFHeader.fileType(try TypePlan.type(job.recipe.request.format)))))
        let parts = try isGGUF ? copiedParts() : convertedParts(header!, extra)
        var writer = try GGUFWriter(path: path, metadata: metadata, tensors: parts.map(\.info))
        var loaded: (step: Int, result: StepResult)?
        for part in parts {
            var bytes: [UInt8]
            switch part.source {
            case .copied(let name):
                let tensor = job.files.checkpoint.rawTensor(named: name)!
                if part.order == nil {
                    try tensor.stream { try writer.append($0, to: part.info.name) }
                    continue
                }
                bytes = Array(tensor.bytes)
                tensor.file.dontNeed(tensor.range)
            case .made(let name, let step):
                if loaded?.step != step { loaded = (step, try work.read(step: step)!) }
                bytes = loaded!.result.weights.first { $0.name == name }!.bytes
            case .vector(let values): bytes = values.withUnsafeBytes { Array($0) }
            }
            if let order = part.order {
                let row = bytes.count / order.count
                bytes = order.flatMap { bytes[$0 * row..<($0 + 1) * row] }
            }
            try bytes.withUnsafeBytes { try writer.append($0, to: part.info.name) }
        }
        try writer.finish()
    }

    // MARK: From a GGUF file

    private func copiedMetadata() -> [(key: String, value: GGUFValue)] {
        let metadata = job.files.checkpoint.gguf!
        var result: [(key: String, value: GGUFValue)] = []
        for key in metadata.keys where !key.hasPrefix("split.") && key != "general.file_type" {
            if key == "general.quantization_version" { continue }
            if let value = metadata.value(key) { result.append((key: key, value: value)) }
        }
        result.append((key: "general.quantization_version", value: .uint32(2)))
        return result
    }

    private func copiedParts() throws -> [Part] {
        let made = try work.made(steps: job.stepCount)
        let checkpoint = job.files.checkpoint
        return try checkpoint.tensorNames.map { name in
            let tensor = checkpoint.rawTensor(named: name)!
            if let weight = made.weights[name] {
                return Part(
                    info: .init(name: name, shape: tensor.shape, type: weight.type),
                    source: .made(name: name, step: weight.step))
            }
            if let values = made.vectors[name] {
                return Part(info: .init(name: name, shape: tensor.shape, type: .f32), source: .vector(values))
            }
            guard let type = ElementType(name: tensor.dtypeName) else {
                throw CompressionError(
                    "tensor \(name) is of type \(tensor.dtypeName), which cannot be written to another file")
            }
            return Part(info: .init(name: name, shape: tensor.shape, type: type), source: .copied(name))
        }
    }

    // MARK: From a folder

    private func convertedParts(_ header: GGUFHeader, _ extra: [String: [Float]]) throws -> [Part] {
        let made = try work.made(steps: job.stepCount)
        let checkpoint = job.files.checkpoint
        let shape = job.shape
        var parts: [Part] = []
        for (name, values) in extra.sorted(by: { $0.key < $1.key }) {
            parts.append(Part(info: .init(name: name, shape: [values.count], type: .f32), source: .vector(values)))
        }
        for use in job.uses {
            var order: [Int]?
            if header.pairsNeighbours {
                if use.convention.contains(".attn_q.") {
                    order = GGUFHeader.neighbours(heads: shape.heads, headWidth: shape.headWidth)
                }
                if use.convention.contains(".attn_k.") {
                    order = GGUFHeader.neighbours(heads: shape.cache[0].heads, headWidth: shape.headWidth)
                }
            }
            if let weight = made.weights[use.name] {
                parts.append(
                    Part(
                        info: .init(name: use.convention, shape: use.shape, type: weight.type),
                        source: .made(name: use.name, step: weight.step), order: order))
            } else if use.role == .vector {
                let values = try made.vectors[use.name] ?? stored(use)
                parts.append(
                    Part(
                        info: .init(name: use.convention, shape: use.shape, type: .f32),
                        source: .vector(values.map { $0 + use.adding }), order: order))
            } else if use.isTransposed {
                let matrix = try BlockWeights.read(checkpoint, use)
                parts.append(
                    Part(
                        info: .init(name: use.convention, shape: use.shape, type: .f32), source: .vector(matrix.values),
                        order: order))
            } else {
                let tensor = try checkpoint.require(use.name, shape: use.shape)
                parts.append(
                    Part(
                        info: .init(name: use.convention, shape: use.shape, type: tensor.type), source: .copied(use.name),
                        order: order))
            }
        }
        // Biases that a method has added.
        let known = Set(job.uses.map(\.name))
        for (name, _) in made.vectors where !known.contains(name) {
            throw CompressionError("the vector \(name) that the method has added has no place in a GGUF file")
        }
        return parts
    }

    private func stored(_ use: TensorUse) throws -> [Float] {
        let tensor = try job.files.checkpoint.require(use.name, shape: use.shape)
        return Weight(type: tensor.type, outputs: 1, inputs: use.shape[0], bytes: tensor.bytes).floats(ofRow: 0)
    }
}
