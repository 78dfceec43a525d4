import Checkpoints
import Inference
import Models
import Tensors
import Testing

@testable import Benchmarking

/// What is counted is right, and what is measured is possible. No time is asserted.
@Suite(.serialized) struct MeasurementTests {
    @Test func samples() {
        let sample = Sample([3, 1, 2])
        #expect(sample.median == 2 && sample.lowest == 1 && sample.highest == 3 && sample.spread == 1)
        #expect(Sample([4, 1, 2, 3]).median == 2.5)
        #expect(Sample([0, 0]).spread == 0)
        #expect(sample.joined(with: Sample([8, 9])).median == 3)
        #expect(sample.scaled(2).values == [6, 2, 4])
    }

    @Test func workIsCounted() throws {
        let folder = try TemporaryFolder()
        let size = ModelSize.small("llama")
        let checkpoint = try RandomModelFile(RandomModel(size: size, format: .q8_0), keptIn: folder.path).open()
        let shape = try Catalog.load(checkpoint).shape
        let work = try ModelWork(checkpoint, shape: shape, cacheType: .f16)
        // Q and output 256 × 256, K and V 128 × 256, gate, up and down 512 × 256; the embedding once more as the head.
        let layer = 2 * 256 * 256 + 2 * 128 * 256 + 3 * 512 * 256
        let elements = 2 * layer + 300 * 256
        #expect(work.weightBytes == elements / 32 * 34)
        #expect(work.operations(rows: 7, outputs: 3).bytes == Double(2 * (7 * 2 * layer + 3 * 300 * 256)))
        #expect(work.operations(rows: 7, outputs: 3).floats == 0)
        // 2 layers, keys and values of 2 heads of 64, 2 bytes each.
        #expect(work.cacheBytesOfPosition == 2 * 2 * 2 * 64 * 2)
        #expect(work.cacheBytes(positions: 10) == 10 * work.cacheBytesOfPosition)
        #expect(work.blocks.reduce(0) { $0 + $1.count } == 14 && work.blockNames.count == 14)
        #expect(work.headName == "token_embd.weight")
    }

    @Test func sharesAreBoundsOverTime() {
        let limits = Limits(
            threads: 1, kernels: "none", read: Sample([10]), readSmallPages: Sample([9]), fma: Sample([100]),
            dot: Sample([1000]), readPattern: Limits.ReadPattern(streams: 1, ahead: 0))
        let share = LimitShare(seconds: 2, bytes: 10e9, operations: (bytes: 500e9, floats: 100e9), limits: limits)
        #expect(share.read == 0.5 && share.peak == 0.75 && share.nearer == 0.75)
    }

    @Test func limitsArePlausible() throws {
        for table in KernelTable.available {
            let meter = try LimitMeter(kernels: table, threads: 2, bytes: 64 << 20)
            for threads in 1...2 {
                let limits = meter.measure(threads: threads, repeats: 2)
                #expect(limits.kernels == table.name && limits.threads == threads)
                for sample in [limits.read, limits.readSmallPages, limits.fma, limits.dot] {
                    #expect(sample.values.count == 2 && sample.lowest > 0.01 && sample.highest < 1e6)
                }
            }
        }
    }

    @Test func aModelIsMeasured() throws {
        let folder = try TemporaryFolder()
        let checkpoint = try RandomModelFile(RandomModel(size: .small("qwen3"), format: .q4_0), keptIn: folder.path)
            .open()
        var configuration = EngineConfiguration()
        configuration.threads = 1
        let meter = try LimitMeter(kernels: KernelTable.available[0], threads: 1, bytes: 8 << 20)
        let bench = try ModelBenchmark(checkpoint, configuration: configuration, meter: meter)
        var limits = bench.limits()
        let prefill = try bench.prefill(tokens: 40, repeats: 2, limits: &limits)
        #expect(prefill.tokens == 40 && prefill.rate.values.count == 2 && prefill.rate.lowest > 0)
        #expect(prefill.share.peak > 0)
        for batch in [1, 5] {
            let decode = try bench.decode(batch: batch, context: 9, steps: 7, limits: &limits)
            #expect(decode.batch == batch && decode.rate.values.count == 5 && decode.rate.lowest > 0)
            #expect(decode.share.peak > 0)
            #expect(decode.bytesOfStep > Double(bench.work.weightBytes))
        }
        let error = #expect(throws: BenchmarkError.self) {
            _ = try bench.prefill(tokens: 600, repeats: 1, limits: &limits)
        }
        #expect(error == .contextTooSmall(needed: 601, context: 512))
        let profiler = try StepProfiler(
            checkpoint, work: bench.work, shape: bench.shape, kernels: KernelTable.available[0], threads: 1,
            cacheType: .f32)
        let profile = profiler.profile(rows: 4, sequences: 2, context: 30, step: 1)
        #expect(profile.parts.allSatisfy { $0.seconds > 0 && $0.count > 0 })
        #expect(profile.parts.filter { $0.name.hasPrefix("product") }.reduce(0) { $0 + $1.count } == 14)
        #expect(profile.parts.contains { $0.name.hasPrefix("head") } && profile.rest < 1)
    }
}
