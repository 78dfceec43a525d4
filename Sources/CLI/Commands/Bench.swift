internal import ArgumentParser
internal import Benchmarking
internal import Foundation
internal import Inference
internal import Tensors

struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures speed as a share of what this machine can do.",
        discussion: """
            apus bench --limits         read bandwidth and peak arithmetic, at 1 thread up to all
            """)

    @Flag(help: "Measure what the machine can do at most.") var limits = false
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Threads; by default one for each core.", valueName: "k")) var threads: Int?
    @Option(
        help: ArgumentHelp(
            "Kernels: portable, avx2 or avx512; by default the fastest this machine has.", valueName: "name"))
    var kernels: String?
    @Flag(help: "Print one JSON object.") var json = false

    func validate() throws {
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("--threads is \(threads); it must lie in 1...1024.")
        }
        do { _ = try KernelTable.named(kernels) } catch { throw ValidationError("\(error).") }
        if !limits { throw ValidationError("There is nothing to measure; give --limits.") }
    }

    func run() throws {
        #if DEBUG
            Console.note("this is a debug build, whose figures say nothing; build with -c release")
        #endif
        try BenchLimits(threads: threads, kernels: KernelTable.named(kernels), json: json).run()
    }
}
