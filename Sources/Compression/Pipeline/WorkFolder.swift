internal import Checkpoints
internal import Foundation
internal import Tensors

/// What a step of a compression has made of its tensors.
struct StepResult {
    struct Weight {
        var name: String
        var type: ElementType
        var bytes: [UInt8]
        /// What stands beside it.
        var extras: [ExtraTensor] = []
    }

    var weights: [Weight] = []
    /// Vectors that folding has changed, as the source stores them.
    var vectors: [String: [Float]] = [:]
    var records: [Recipe.TensorRecord] = []
}

/// The folder beside the result in which finished steps lie until all are done: whoever starts the same work again goes on
/// from there.
struct WorkFolder {
    let path: String
    /// Steps that were found finished.
    let isResumed: Bool
    private static let stampName = "work.json"

    /// Opens the folder of an output, or makes it anew where it belongs to other work.
    ///
    /// - Parameter recipe: request and sources, before any tensor: what other work differs in.
    init(output: String, _ recipe: Recipe) throws {
        path = output + ".apus-work"
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        var plain = recipe
        // Where files lie does not matter, only what is in them.
        plain.model.path = ""
        plain.calibration?.path = ""
        let stamp = try encoder.encode(plain)
        let manager = FileManager.default
        let stampPath = path + "/" + Self.stampName
        if manager.contents(atPath: stampPath) == stamp {
            isResumed = true
            return
        }
        isResumed = false
        if manager.fileExists(atPath: path) {
            guard manager.fileExists(atPath: stampPath) else {
                throw CompressionError(
                    "\(path) exists and was not made by this command; move it away, or choose another output")
            }
            try manager.removeItem(atPath: path)
        }
        do {
            try manager.createDirectory(atPath: path, withIntermediateDirectories: false)
            try stamp.write(to: URL(fileURLWithPath: stampPath), options: .atomic)
        } catch let error as CocoaError {
            throw CompressionError("\(path): the work folder cannot be made: \(error.localizedDescription)")
        }
    }

    private func file(_ step: Int) -> String { path + "/step-\(step).safetensors" }

    /// Keeps a step. The file appears when it is whole.
    func write(_ result: StepResult, step: Int) throws {
        var tensors: [SafetensorsWriter.TensorInfo] = []
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        let records = [UInt8](try encoder.encode(result.records))
        tensors.append(.init(name: "records", shape: [records.count], type: .u8))
        let vectors = result.vectors.sorted { $0.key < $1.key }
        for (name, values) in vectors {
            tensors.append(.init(name: "v:\(name)", shape: [values.count], type: .f32))
        }
        for weight in result.weights {
            tensors.append(
                .init(name: "w:\(weight.type.rawValue):\(weight.name)", shape: [weight.bytes.count], type: .u8))
            for extra in weight.extras {
                tensors.append(.init(name: "x:\(extra.suffix):\(weight.name)", shape: extra.kind.shape, type: extra.kind.type))
            }
        }
        var writer = try SafetensorsWriter(path: file(step), tensors: tensors)
        try records.withUnsafeBytes { try writer.append($0, to: "records") }
        for (name, values) in vectors { try values.withUnsafeBytes { try writer.append($0, to: "v:\(name)") } }
        for weight in result.weights {
            try weight.bytes.withUnsafeBytes {
                try writer.append($0, to: "w:\(weight.type.rawValue):\(weight.name)")
            }
            for extra in weight.extras {
                try extra.bytes.withUnsafeBytes { try writer.append($0, to: "x:\(extra.suffix):\(weight.name)") }
            }
        }
        try writer.finish()
    }

    /// A kept step; nil where it is not done.
    func read(step: Int) throws -> StepResult? {
        guard FileManager.default.fileExists(atPath: file(step)) else { return nil }
        let checkpoint = try Checkpoint.open(file(step))
        var result = StepResult()
        var extras: [String: [ExtraTensor]] = [:]
        for name in checkpoint.tensorNames {
            guard let tensor = checkpoint.rawTensor(named: name) else { continue }
            let bytes = Array(tensor.bytes)
            let parts = name.split(separator: ":", maxSplits: 2).map(String.init)
            switch parts[0] {
            case "records":
                result.records = try JSONDecoder().decode([Recipe.TensorRecord].self, from: Data(bytes))
            case "v":
                result.vectors[parts[1...].joined(separator: ":")] = bytes.withUnsafeBytes {
                    (0..<bytes.count / 4).map { [bytes = $0] in bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
                }
            case "x":
                guard parts.count == 3, let type = SafetensorsType(rawValue: tensor.dtypeName) else { continue }
                extras[parts[2], default: []].append(
                    ExtraTensor(.init(suffix: parts[1], shape: tensor.shape, type: type), bytes: bytes))
            default:
                guard parts.count == 3, let number = UInt32(parts[1]), let type = ElementType(rawValue: number) else {
                    continue
                }
                result.weights.append(.init(name: parts[2], type: type, bytes: bytes))
            }
        }
        for index in result.weights.indices { result.weights[index].extras = extras[result.weights[index].name] ?? [] }
        return result
    }

    /// What finished steps have made of the tensors, without the bytes.
    struct Made {
        /// Where each quantized tensor lies, its format, and what stands beside it.
        var weights: [String: (step: Int, type: ElementType, extras: [ExtraTensor.Kind])] = [:]
        /// Vectors that folding has changed, or added.
        var vectors: [String: [Float]] = [:]
    }

    /// Looks through all steps.
    ///
    /// - Parameter steps: how many a whole job has.
    func made(steps: Int) throws -> Made {
        var made = Made()
        for step in 0..<steps {
            guard let result = try read(step: step) else { continue }
            for weight in result.weights { made.weights[weight.name] = (step, weight.type, weight.extras.map(\.kind)) }
            made.vectors.merge(result.vectors) { $1 }
        }
        return made
    }

    /// All is done: the folder goes.
    func remove() { try? FileManager.default.removeItem(atPath: path) }
}
