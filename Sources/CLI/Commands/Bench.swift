internal import ArgumentParser
internal import Benchmarking
internal import Foundation
internal import Inference
internal import Tensors

struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures speed as a share of what this machine can do.",
        discussion: """
            apus bench model.gguf                         prefill and decode of a model
            apus bench --shape llama-1b --format q4_k     of a model with random weights, made on the fly
            apus bench --limits                           read bandwidth and peak arithmetic of this machine
            apus bench --kernels                          every kernel against its limit and the reference

            Limits are measured before and after each figure, in the same run. share of read: the seconds that reading the weights
            and the cache takes at least, over those it took; share of peak: the same for the arithmetic of the matrix
            products. ± is half the range of the repeats over their median.
            """)

    @Argument(help: "A GGUF file, a folder or a built-in model.") var model: String?
    @Flag(help: "Measure what the machine can do at most, at 1 thread up to all.") var limits = false
    @Flag(help: "Measure every kernel.") var kernels = false

    @OptionGroup(title: "Random models") var random: RandomModelOptions
    @OptionGroup(title: "Measurement") var measurement: MeasurementOptions
    @OptionGroup(title: "Machine") var machine: BenchMachineOptions
    @Flag(help: "Print one JSON object.") var json = false

    func validate() throws {
        if random.isList || measurement.listsFormats { return }
        let kinds = [model != nil, random.shape != nil, limits, kernels].count { $0 }
        if kinds == 0 {
            throw ValidationError("There is nothing to measure; give a model, --shape, --limits or --kernels.")
        }
        if kinds > 1 { throw ValidationError("Give one of a model, --shape, --limits and --kernels.") }
        if random.keep != nil && random.shape == nil { throw ValidationError("--keep needs --shape.") }
        if !measurement.format.isEmpty && random.shape == nil && !kernels {
            throw ValidationError("--format needs --shape or --kernels.")
        }
        if random.shape != nil && measurement.format.values.count > 1 {
            throw ValidationError("--shape takes one --format; \(measurement.format.values.count) are given.")
        }
    }

    func run() throws {
        if random.isList { return listShapes() }
        if measurement.listsFormats { return Console.write((WeightFormats.names + WeightFormats.namesOfParts).joined(separator: "\n") + "\n") }
        #if DEBUG
            Console.note("this is a debug build, whose figures say nothing; build with -c release")
        #endif
        if limits {
            try BenchLimits(machine: machine, json: json).run()
        } else if kernels {
            try BenchKernels(measurement: measurement, machine: machine, json: json).run()
        } else {
            try BenchModel(
                model: model, random: random, measurement: measurement, machine: machine, json: json
            ).run()
        }
    }

    private func listShapes() {
        for size in ModelSize.all {
            Console.write(
                size.name.padding(toLength: 16, withPad: " ", startingAt: 0)
                    + String(format: "%7.0f M parameters, as %@\n", Double(size.parameters) / 1e6, size.example))
        }
    }
}
