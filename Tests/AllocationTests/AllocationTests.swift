import AllocationCounter
import Checkpoints
import Inference
import Models
import Tensors
import TestKit
import Testing

/// A pass through the network and a whole decode step allocate nothing on the heap.
@Suite struct AllocationTests {
    func model(_ name: String) throws -> any Model {
        try Catalog.load(Checkpoint.open(Goldens.folder.appendingPathComponent(name).path))
    }

    @Test func theCounterCounts() {
        allocation_counter_start()
        let array = [Int](repeating: 1, count: 1000)
        let count = allocation_counter_stop()
        #expect(count >= 1)
        #expect(array.count == 1000)
    }

    @Test(arguments: ["models/llama-plain", "models/gemma3", "gguf/llama-rows32-Q8_0.gguf", "models/gpt2"])
    func forwardAllocatesNothing(_ name: String) throws {
        let model = try model(name)
        let cache = try #require(
            CacheStorage(layers: model.shape.cache, pageSize: 16, pageCount: 8, type: .f16))
        let scratch = Scratch(
            model: model, kernels: KernelTable.available[0], threads: 1, maximumRows: 8, maximumOutputs: 8)
        let batch = Batch(capacity: 8)
        let pages = PageList(capacity: 8)
        for page in 0..<8 { pages.append(Int32(page)) }
        func step(_ position: Int) -> Int {
            batch.removeAll()
            batch.rows.append(
                token: Int32(position), position: position, slot: position, visible: position + 1, variant: 0,
                pages: pages)
            batch.wantScores()
            allocation_counter_start()
            _ = model.forward(batch, cache, scratch)
            return allocation_counter_stop()
        }
        _ = step(0)
        // Unoptimised Swift allocates by itself.
        #if !DEBUG
            for position in 1..<40 { #expect(step(position) == 0, "position \(position)") }
        #endif
    }

    @Test func decodeStepAllocatesNothing() throws {
        let model = try model("models/llama-plain")
        var configuration = EngineConfiguration()
        configuration.threads = 1
        configuration.pageSize = 64
        configuration.sharesPrefixes = false
        let loop = try EngineLoop(model: model, configuration: configuration)
        var sampling = SamplingParameters()
        sampling.topK = 20
        var generated = 0
        for id in 0..<3 {
            try loop.submit(
                GenerationRequest(prompt: [1, 2, 3], sampling: sampling, maximumTokens: 50, seed: UInt64(id)), id: id
            ) { outcome in
                if case .success(.token) = outcome { generated += 1 }
            }
        }
        for _ in 0..<5 { loop.step() }
        let before = generated
        // The debug build checks the laws of the cache after each step, which allocates.
        #if !DEBUG
            for _ in 0..<30 {
                allocation_counter_start()
                loop.step()
                let count = allocation_counter_stop()
                #expect(count == 0)
            }
            #expect(generated == before + 90)
        #else
            #expect(before > 0)
        #endif
    }
}
