internal import Apus
internal import ArgumentParser
internal import Inference
internal import Models
internal import Tensors

/// `--cache-type`.
enum CacheTypeArgument: String, ExpressibleByArgument, CaseIterable {
    case f32, f16, bf16

    var type: CacheType {
        switch self {
        case .f32: .f32
        case .f16: .f16
        case .bf16: .bf16
        }
    }
}

/// How the machine is used. None of this changes a token, except the cache type.
struct EngineOptions: ParsableArguments {
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Threads of the forward pass; by default one for each core.", valueName: "k"))
    var threads: Int?

    @Option(
        help: ArgumentHelp(
            "Kernels: portable, avx2, avxvnni or avx512; by default the fastest this machine has.", valueName: "name"))
    var kernels: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "The most tokens a conversation may hold; by default the model's own context.", valueName: "n"))
    var context: Int?

    @Option(
        help: ArgumentHelp(
            "How keys and values are kept: f32, f16 or bf16. Part of the answer's definition.", valueName: "type"))
    var cacheType: CacheTypeArgument = .f32

    @Flag(
        help: ArgumentHelp(
            "Keep the weights as they are laid out for products in a file beside the model (FILE.panels, or apus.panels in "
                + "a folder), about as large as the model: the next start maps it instead of laying them out."))
    var repackCache = false

    func validate() throws {
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("--threads is \(threads); it must lie in 1...1024.")
        }
        if let context, context < 1 { throw ValidationError("--context is \(context); it must be at least 1.") }
        do { _ = try KernelTable.named(kernels) } catch { throw ValidationError("\(error).") }
    }

    /// Tells where the model's own context is less than was asked for.
    func noteContext(_ shape: ModelShape) {
        guard let context, context > shape.context else { return }
        Console.note(
            "the model was made for \(shape.context) tokens; --context \(context) is taken as \(shape.context)")
    }

    /// - Parameter sequences: the most requests at once.
    func configuration(sequences: Int = 1) throws -> EngineConfiguration {
        var configuration = EngineConfiguration()
        configuration.threads = threads
        configuration.kernels = try KernelTable.named(kernels)
        configuration.context = context
        configuration.cacheType = cacheType.type
        configuration.maximumRunning = sequences
        configuration.keepsPanels = repackCache
        return configuration
    }
}
