public import Checkpoints
internal import Tensors

/// An architecture: how to put a model together from a checkpoint. One file in `Architectures/` and one line below.
struct Architecture: Sendable {
    /// The name that Apus prints and `general.architecture` uses.
    var name: String
    /// Names in `architectures` of a config.json.
    var huggingFace: [String]
    var names = TensorNames()
    var make: @Sendable (ModelSource) throws(CheckpointError) -> any Model
}

/// The architectures that Apus runs.
public enum Catalog {
    static let architectures: [Architecture] = [
        llama, mistral, qwen2, qwen3, gemma2, gemma3, phi3, gpt2,
    ]

    /// Names of all architectures, as messages print them.
    public static var names: [String] { architectures.map(\.name) }

    /// Builds the network of a checkpoint. The checkpoint's mapped files stay open as long as the model lives.
    ///
    /// The weights are laid out for products while it loads, which takes about as much memory again as the file has; the file's
    /// own pages are given back. With a panel file the layout is mapped instead, or written for the next time.
    ///
    /// - Parameters:
    ///   - threads: how many threads lay weights out; nil for one a core.
    ///   - panelFile: where laid-out weights are kept between starts; nil to keep none.
    /// - Throws: `CheckpointError` where the architecture is unknown, a number of the header is impossible, a
    ///   tensor is missing or has the wrong shape, or the panel file cannot be written.
    public static func load(
        _ checkpoint: Checkpoint, threads: Int? = nil, panelFile: String? = nil
    ) throws(CheckpointError) -> any Model {
        let threads = threads ?? availableProcessors()
        guard let panelFile else { return try make(checkpoint, PanelStorage(threads: threads)) }
        let identity = checkpoint.glance()
        if let file = PanelFile(path: panelFile, identity: identity) {
            let panels = PanelStorage(threads: threads, file: file)
            let model = try make(checkpoint, panels)
            if panels.fileMatches { return model }
        }
        let panels = PanelStorage(threads: threads)
        let model = try make(checkpoint, panels)
        do throws(PanelFileError) { try panels.write(to: panelFile, identity: identity) } catch {
            throw CheckpointError(file: panelFile, reason: error.reason)
        }
        return model
    }

    /// The sizes of a checkpoint's network, without laying out its weights.
    public static func shape(of checkpoint: Checkpoint) throws(CheckpointError) -> ModelShape {
        try make(checkpoint, PanelStorage(threads: 0)).shape
    }

    /// A part of a checkpoint's network, with other numbers in the place of some of the file's.
    ///
    /// - Parameters:
    ///   - part: what can be run of it.
    ///   - overlay: what stands in for the file's numbers.
    public static func load(
        _ checkpoint: Checkpoint, part: ModelPart, overlay: WeightOverlay, threads: Int
    ) throws(CheckpointError) -> any Model {
        try make(checkpoint, PanelStorage(threads: threads), part, overlay).model
    }

    /// Every tensor that a checkpoint's network uses, in the order in which it is built. No weight is read.
    public static func tensors(of checkpoint: Checkpoint) throws(CheckpointError) -> [TensorUse] {
        try make(checkpoint, PanelStorage(threads: 0)).source.uses.all
    }

    private static func make(_ checkpoint: Checkpoint, _ panels: PanelStorage) throws(CheckpointError) -> any Model {
        try make(checkpoint, panels, .whole, WeightOverlay()).model
    }

    private static func make(
        _ checkpoint: Checkpoint, _ panels: PanelStorage, _ part: ModelPart = .whole,
        _ overlay: WeightOverlay = WeightOverlay()
    ) throws(CheckpointError) -> (model: any Model, source: ModelSource) {
        let architecture = try architecture(of: checkpoint)
        let source = try ModelSource(
            checkpoint, architecture: architecture.name, names: architecture.names, panels: panels, part: part,
            overlay: overlay)
        let model = try architecture.make(source)
        checkpoint.releasePages()
        return (model, source)
    }

    static func architecture(of checkpoint: Checkpoint) throws(CheckpointError) -> Architecture {
        if let metadata = checkpoint.gguf {
            let name = try metadata.string("general.architecture")
            if let found = architectures.first(where: { $0.name == name }) { return found }
            throw unknown(name, field: "general.architecture", checkpoint)
        }
        guard let config = checkpoint.config else {
            throw CheckpointError(
                file: checkpoint.path, reason: "there is no config.json beside the weights; copy the model's own there")
        }
        let classes = try config.strings(ifPresent: "architectures") ?? []
        for name in classes {
            if let found = architectures.first(where: { $0.huggingFace.contains(name) }) { return found }
        }
        let modelType = try config.string(ifPresent: "model_type")
        let name = classes.first ?? modelType ?? "(none stated)"
        throw unknown(name, field: "architectures", checkpoint)
    }

    private static func unknown(_ name: String, field: String, _ checkpoint: Checkpoint) -> CheckpointError {
        CheckpointError(
            file: checkpoint.name, field: field,
            reason: "architecture '\(name)' is not one that Apus runs; it runs \(names.joined(separator: ", "))")
    }
}
