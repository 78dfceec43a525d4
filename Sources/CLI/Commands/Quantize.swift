internal import Apus
internal import ArgumentParser
internal import Benchmarking
internal import Checkpoints
internal import Compression
internal import Foundation
internal import Tensors

struct Quantize: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Makes a smaller model of a model.",
        discussion: """
            One block of the model is in memory at a time. Work that was interrupted goes on where it ended when the same command
            is given again. Beside the result lies a recipe (OUT.recipe.json, or recipe.json in a folder) from which
            --recipe makes it again, bit for bit, on any machine.

            Methods:
            \(Method.all.map { "  \($0.name.padding(toLength: 12, withPad: " ", startingAt: 0))\($0.summary)" }.joined(separator: "\n"))

            An OUT that ends in .gguf becomes a GGUF file, which llama.cpp and its kin load too; any other a folder of
            safetensors in one of the layouts gptq, awq, compressed-tensors (other engines load them) and apus (every format).
            Formats of GGUF files: \(ElementType.allCases.map(\.name).joined(separator: " ")). --bits chooses among \
            Q2_K, Q3_K, Q4_K, Q5_K, Q6_K and Q8_0 there. Norms and biases keep their numbers; embedding and projection to scores \
            become Q6_K (Q8_0 where --bits is 8, or rows are no whole blocks of 256) unless --embedding-format says otherwise.

            Examples:
              apus quantize model/ -o model-q4.gguf --method gptq --bits 4 --calibration text.txt
              apus quantize model.gguf -o small.gguf --format Q8_0
              apus quantize --recipe model-q4.gguf.recipe.json -o again.gguf
            """)

    @Argument(help: "A GGUF file, a folder or a built-in model; with --recipe the recipe's own.") var model: String?
    @Option(name: .shortAndLong, help: ArgumentHelp("Where the result goes.", valueName: "out")) var output: String
    @Option(help: ArgumentHelp("How; see above.", valueName: "name")) var method: String?
    @Option(help: ArgumentHelp("Bits of a weight's code: 2, 3, 4, 5, 6 or 8. 4 where neither this nor --format is given.", valueName: "n"))
    var bits: Int?
    @Option(help: ArgumentHelp("Inputs that share a scale: 16, 32, 64 or 128; for folders.", valueName: "n")) var group: Int?
    @Option(help: ArgumentHelp("The format of projections, in place of --bits.", valueName: "name")) var format: String?
    @Option(
        help: ArgumentHelp(
            "The layout of a folder: gptq, awq, compressed-tensors or apus; by default the first of the last two that has room.",
            valueName: "name")) var layout: String?
    @Option(help: ArgumentHelp("The format of embedding and projection to scores; 'none' leaves them as they are.", valueName: "name"))
    var embeddingFormat: String?
    @Option(
        help: ArgumentHelp(
            "Choose every tensor's format: a part of the size (60%), a size (900MB), bits a weight (4.25bpw) or a time of a step (12ms).",
            valueName: "budget")) var budget: String?
    @Option(help: ArgumentHelp("A text like what the model will read, in UTF-8; - for standard input.", valueName: "file"))
    var calibration: String?
    @Option(help: ArgumentHelp("Rows of calibration text, spread over it.", valueName: "n")) var samples: Int?
    @Option(help: ArgumentHelp("Tokens of a row.", valueName: "n")) var length: Int?
    @Option(help: ArgumentHelp("GPTQ: columns in 'natural' or 'activation' order, or the 'best' of both.", valueName: "order"))
    var order: String?
    @Option(help: ArgumentHelp("GPTQ: what is added to the Hessian's diagonal, as a share of its mean.", valueName: "share"))
    var damping: Float?
    @Option(help: ArgumentHelp("GPTQ: at most so many sweeps over the codes; 0 for none.", valueName: "n")) var sweeps: Int?
    @Option(
        help: ArgumentHelp(
            "Keep this share of every projection's numbers at full precision beside it: outliers, and what matters most (0.45 as in "
                + "SqueezeLLM); for folders.", valueName: "percent")) var sparse: Double?
    @Option(
        help: ArgumentHelp(
            "Take back part of every projection's error by two thin matrices of this rank (LoRC: 8 to 32); for folders.",
            valueName: "rank")) var lorc: Int?
    @Option(help: ArgumentHelp("Make what a recipe describes.", valueName: "file")) var recipe: String?
    @Option(help: ArgumentHelp("Threads; by default one for each core.", valueName: "n")) var threads: Int?
    @Flag(help: "Replace OUT where it exists.") var force = false
    @Flag(help: "Print the recipe with the figures of every tensor as JSON.") var json = false

    func validate() throws {
        if let threads, threads < 1 { throw ValidationError("--threads is \(threads); it must be at least 1.") }
        if let bits, Self.kTypes[bits] == nil {
            throw ValidationError("--bits is \(bits); it must be 2, 3, 4, 5, 6 or 8.")
        }
        if let group, ![16, 32, 64, 128].contains(group) {
            throw ValidationError("--group is \(group); it must be 16, 32, 64 or 128.")
        }
        if bits != nil, format != nil { throw ValidationError("--bits and --format say the same thing; give one of them.") }
        if let layout {
            guard QuantizedContainer(rawValue: layout) != nil else {
                throw ValidationError(
                    "--layout is '\(layout)'; it must be \(QuantizedContainer.allCases.map(\.rawValue).joined(separator: ", ")).")
            }
            guard !output.lowercased().hasSuffix(".gguf") else {
                throw ValidationError("--layout is for folders; name an output that does not end in .gguf.")
            }
        }
        if let samples, samples < 1 { throw ValidationError("--samples is \(samples); it must be at least 1.") }
        if let length, length < 2 { throw ValidationError("--length is \(length); it must be at least 2.") }
        if let sparse, !(sparse > 0 && sparse < 50) {
            throw ValidationError("--sparse is \(sparse); it must lie between 0 and 50 percent.")
        }
        if let lorc, !(1...Correction.largestRank).contains(lorc) {
            throw ValidationError("--lorc is \(lorc); it must lie in 1...\(Correction.largestRank).")
        }
        if sparse != nil || lorc != nil {
            guard !output.lowercased().hasSuffix(".gguf"), layout == nil || layout == "apus" else {
                throw ValidationError("--sparse and --lorc are for folders of layout apus; name an OUT that does not end in .gguf.")
            }
        }
        if let damping, !(damping > 0 && damping < 1) {
            throw ValidationError("--damping is \(damping); it must lie between 0 and 1.")
        }
        if let sweeps, !(0...1000).contains(sweeps) {
            throw ValidationError("--sweeps is \(sweeps); it must lie in 0...1000.")
        }
        if let order, GPTQ.Order(rawValue: order) == nil {
            throw ValidationError("--order is '\(order)'; it must be natural, activation or best.")
        }
        if let budget {
            do { _ = try Budget(parsing: budget) } catch { throw ValidationError("\(error).") }
            guard bits == nil, group == nil, format == nil, embeddingFormat == nil else {
                throw ValidationError("--budget chooses formats; give no --bits, --group, --format or --embedding-format with it.")
            }
        }
        if recipe == nil, model == nil { throw ValidationError("Name a model, or a --recipe.") }
        if recipe != nil {
            let given = [method, format, embeddingFormat, order, budget, layout].contains { $0 != nil } || bits != nil || group != nil
                || samples != nil || length != nil || damping != nil || sweeps != nil || sparse != nil || lorc != nil
            if given { throw ValidationError("A recipe says how; --recipe goes with a model, --calibration and -o alone.") }
        }
    }

    func run() throws {
        let isGGUF = output.lowercased().hasSuffix(".gguf")
        var known: Recipe?
        if let recipe { known = try readRecipe(recipe) }
        if let known, (known.container == "gguf") != isGGUF {
            throw CompressionError(
                "\(recipe!) makes a \(known.container == "gguf" ? ".gguf file" : "folder"); name an output of that kind with -o")
        }
        try checkOutput()
        let name = model ?? known!.model.path
        let files = try ModelFiles(name)
        var request = try known?.request ?? request(isGGUF: isGGUF, files)
        var text: (text: String, name: String)?
        if let path = calibration ?? known?.calibration?.path {
            text = (try Console.text(try Console.read(path), of: path == "-" ? "standard input" : path), path)
        }
        let threads = threads ?? availableProcessors()
        let kernels = try KernelTable.named()
        if let budget { try allocate(Budget(parsing: budget), &request, files, text?.text, isGGUF, threads, kernels) }
        let meter = QuantizeMeter()
        let job = try CompressionJob(
            files, name: name, request,
            container: isGGUF ? nil : known.flatMap { QuantizedContainer(rawValue: $0.container) } ?? container(request),
            calibration: text, threads: threads,
            kernels: kernels, report: { meter.report($0) })
        if let known { try check(job.recipe, against: known) }
        for note in job.notes { Console.note(note) }
        do {
            try job.run(output: output)
            meter.end()
        } catch {
            meter.end()
            throw error
        }
        if json {
            Console.write(try Console.json(job.recipe, pretty: true) + "\n")
        } else {
            summarize(job.recipe, files)
        }
    }

    // MARK: What is asked for

    private static let kTypes: [Int: String] = [2: "Q2_K", 3: "Q3_K", 4: "Q4_K", 5: "Q5_K", 6: "Q6_K", 8: "Q8_0"]

    private func request(isGGUF: Bool, _ files: ModelFiles) throws -> Recipe.Request {
        let bits = bits ?? 4
        let name: String
        if let format {
            name = format
        } else if isGGUF {
            if let group {
                Console.note("--group \(group) is for folders; \(Self.kTypes[bits]!) has groups of its own")
            }
            name = Self.kTypes[bits]!
        } else if method?.lowercased() == "squeezellm" {
            guard bits == 3 || bits == 4 else {
                throw ValidationError("--bits is \(bits); codebooks of method squeezellm have 3 or 4.")
            }
            name = "LUT\(bits)"
        } else {
            // The widest groups that every row is a whole number of.
            let shape = try files.shape()
            let rows = [shape.width, shape.feedForward, shape.heads * shape.headWidth]
            let widest = [128, 64, 32].first { group in rows.allSatisfy { $0 % group == 0 } } ?? 32
            name = "INT\(bits)_G\(group ?? widest)"
        }
        guard let type = ElementType(name: name) else {
            throw ValidationError("--format is '\(name)', which is no format; see 'apus quantize --help'.")
        }
        var ends: String? = isGGUF ? (type.bitsPerElement > 8 ? type.name : "Q6_K") : nil
        if let embeddingFormat { ends = embeddingFormat.lowercased() == "none" ? nil : embeddingFormat }
        let method = method ?? (calibration == nil ? "rtn" : "gptq")
        var request = Recipe.Request(method: method, format: type.name, embeddingFormat: ends)
        if let samples { request.samples = samples }
        if let length { request.length = length }
        if let order { request.settings.order = GPTQ.Order(rawValue: order)! }
        if let damping { request.settings.damping = damping }
        if let sweeps { request.settings.sweeps = sweeps }
        request.lowRank = lorc
        request.sparse = sparse.map { $0 / 100 }
        return request
    }

    /// The layout of a folder: compressed-tensors where one format is for all and it has room, else Apus's own.
    private func container(_ request: Recipe.Request) -> QuantizedContainer {
        if let layout { return QuantizedContainer(rawValue: layout)! }
        let types = Set(request.formats.values).union(request.formats.isEmpty ? [request.format] : [])
            .compactMap { ElementType(name: $0) }
        // FineQuant makes a mixture of group sizes.
        // Corrections, and shifts of norms, have a place in Apus's own alone.
        let isPlain = request.lowRank == nil && request.sparse == nil && request.method != "os+"
        let fits = isPlain && types.count == 1 && request.method != "finequant" && request.embeddingFormat == nil && QuantizedContainer.compressedTensors.holds(types[0])
        return fits ? .compressedTensors : .apus
    }

    /// Fills in the formats that keep a budget.
    private func allocate(
        _ budget: Budget, _ request: inout Recipe.Request, _ files: ModelFiles, _ text: String?, _ isGGUF: Bool,
        _ threads: Int, _ kernels: KernelTable
    ) throws {
        guard let text else {
            throw CompressionError(
                "--budget measures what each tensor matters on a text: name one with --calibration (any UTF-8 file like what the "
                    + "model will read, some 100 KB)")
        }
        let times = KernelTimes(kernels: kernels, threads: threads)
        let planner = BudgetPlanner(files, isGGUF: isGGUF, threads: threads, kernels: kernels)
        let planned = try planner.formats(
            budget, text: text, samples: request.samples, length: request.length,
            seconds: { times.seconds($0, outputs: $1, inputs: $2) },
            report: { stage, share in Console.progress(String(format: "%.0f %% of the budget's plan (%@)", 100 * share, stage)) })
        Console.endProgress()
        request.formats = planned.formats
    }

    private func readRecipe(_ path: String) throws -> Recipe {
        let data = Data(try Console.read(path))
        let recipe: Recipe
        do { recipe = try JSONDecoder().decode(Recipe.self, from: data) } catch {
            throw CompressionError("\(path): this is no recipe of 'apus quantize'; name the .recipe.json beside its result")
        }
        guard recipe.version == Recipe.version else {
            throw CompressionError(
                "\(path): the recipe is of version \(recipe.version) and this program makes version \(Recipe.version); use the "
                    + "program that wrote it")
        }
        return recipe
    }

    private func check(_ made: Recipe, against known: Recipe) throws {
        guard made.model.hash == known.model.hash else {
            throw CompressionError(
                "\(made.model.path) has other weights than the model that the recipe was made from (\(known.model.path)); name "
                    + "the right model before --recipe")
        }
        guard made.calibration?.hash == known.calibration?.hash else {
            throw CompressionError(
                "\(made.calibration?.path ?? "no file") is not the calibration text that the recipe was made from "
                    + "(\(known.calibration?.path ?? "none")); name the right one with --calibration")
        }
    }

    private func checkOutput() throws {
        let manager = FileManager.default
        var isFolder: ObjCBool = false
        guard manager.fileExists(atPath: output, isDirectory: &isFolder) else { return }
        if !isFolder.boolValue || !((try? manager.contentsOfDirectory(atPath: output))?.isEmpty ?? false) {
            guard force else {
                throw CompressionError("\(output) exists; choose another name, or give --force to replace it")
            }
        }
    }

    private func summarize(_ recipe: Recipe, _ files: ModelFiles) {
        let before = files.checkpoint.weightBytes
        var after = before
        for tensor in recipe.tensors {
            after += tensor.bytes - (files.checkpoint.rawTensor(named: tensor.name)?.bytes.count ?? 0)
        }
        let errors = recipe.tensors.map(\.error)
        Console.write(
            String(
                format: "%@: %@ of weights, %.1f %% of %@\n", output, Console.bytes(after),
                100 * Double(after) / Double(max(before, 1)), Console.bytes(before)))
        Console.write(
            String(
                format: "%d tensors by %@; mean error %.3f %% of the outputs' energy, largest %.3f %%\n", errors.count,
                recipe.request.method, 100 * errors.reduce(0, +) / Double(max(errors.count, 1)),
                100 * (errors.max() ?? 0)))
    }
}

/// Progress on a terminal: share done, what is worked on, rate and time left.
private final class QuantizeMeter {
    private let start = ContinuousClock.now

    func report(_ progress: CompressionJob.Progress) {
        let elapsed = (ContinuousClock.now - start) / .seconds(1)
        let share = Double(progress.done) / Double(max(progress.total, 1))
        var line = String(format: "%.0f %% (%@)", 100 * share, progress.stage)
        if progress.done > 0, elapsed > 0 {
            let rate = Double(progress.done) / elapsed
            line += String(
                format: ", %.2f million weights a second, %.0f s left", rate / 1e6,
                Double(progress.total - progress.done) / rate)
        }
        Console.progress(line)
    }

    func end() { Console.endProgress() }
}
