internal import ArgumentParser
internal import Benchmarking
internal import Inference
internal import Tensors

/// Numbers or names separated by commas.
struct CommaList<Element: LosslessStringConvertible & Sendable>: ExpressibleByArgument, Sendable {
    var values: [Element]
    var isEmpty: Bool { values.isEmpty }
    var defaultValueDescription: String { values.map(String.init).joined(separator: ",") }

    init(_ values: [Element]) { self.values = values }

    init?(argument: String) {
        values = []
        for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
            guard let value = Element(String(part)) else { return nil }
            values.append(value)
        }
    }
}

struct RandomModelOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Measure a model of this shape with random weights; 'list' lists the shapes.", valueName: "name"))
    var shape: String?
    @Option(
        help: ArgumentHelp(
            "Keep the random model's file in this folder and take it from there the next time; else it is a scratch file that goes at once.",
            valueName: "folder"))
    var keep: String?

    var isList: Bool { shape == "list" }

    func validate() throws {
        guard let shape, !isList else { return }
        do { _ = try ModelSize.named(shape) } catch { throw ValidationError("\(error).") }
    }
}

struct MeasurementOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Format of the random weights, q8_0 by default; with --kernels a list, all by default; 'list' lists them.",
            valueName: "name"))
    var format = CommaList<String>([])
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Lengths of prompts to measure prefill with; 0 for none.", valueName: "n,…"))
    var prompt = CommaList<Int>([512])
    @Option(
        parsing: .unconditional, help: ArgumentHelp("Steps of decode to measure; 0 for none.", valueName: "n"))
    var generate = 128
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Numbers of sequences to decode at once; with --kernels numbers of rows.", valueName: "n,…"))
    var batch: CommaList<Int>?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Tokens that each sequence has before decode is measured.", valueName: "n"))
    var context = 16
    @Option(
        parsing: .unconditional, help: ArgumentHelp("Measurements of each prefill; the median counts.", valueName: "n"))
    var repeats = 3
    @Flag(help: "Measure the matrix products of a step alone.") var kernelsOnly = false
    @Flag(help: "Add where the time of a step goes, by operation.") var profile = false

    var listsFormats: Bool { format.values == ["list"] }
    var batches: [Int] { batch?.values ?? [1, 4, 16, 64] }
    var prompts: [Int] { prompt.values.filter { $0 > 0 } }

    func formats() throws -> [ElementType] { try format.values.map { try WeightFormats.named($0) } }

    func validate() throws {
        for value in prompt.values where !(0...1_000_000).contains(value) {
            throw ValidationError("--prompt is \(value); it must lie in 0...1000000.")
        }
        for value in batch?.values ?? [] where !(1...512).contains(value) {
            throw ValidationError("--batch is \(value); it must lie in 1...512.")
        }
        for (name, value, range) in [
            ("--generate", generate, 0...100_000), ("--context", context, 1...1_000_000),
            ("--repeats", repeats, 1...1000),
        ] where !range.contains(value) {
            throw ValidationError("\(name) is \(value); it must lie in \(range).")
        }
        if kernelsOnly && profile { throw ValidationError("Give one of --kernels-only and --profile.") }
        if listsFormats { return }
        do { _ = try formats() } catch { throw ValidationError("\(error).") }
    }
}

struct BenchMachineOptions: ParsableArguments {
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Threads; by default one for each core.", valueName: "k")) var threads: Int?
    @Option(
        help: ArgumentHelp(
            "Kernel table: portable, avx2, avxvnni or avx512; by default the fastest this machine has.",
            valueName: "name"))
    var table: String?
    @Option(help: ArgumentHelp("How keys and values are kept: f32, f16 or bf16.", valueName: "type"))
    var cacheType: CacheTypeArgument = .f32

    var threadCount: Int { threads ?? EngineConfiguration.availableCores }
    func kernels() throws -> KernelTable { try KernelTable.named(table) }

    func validate() throws {
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("--threads is \(threads); it must lie in 1...1024.")
        }
        do { _ = try kernels() } catch { throw ValidationError("\(error).") }
    }
}
