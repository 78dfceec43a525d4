import Foundation
import Inference
import Models
import Tensors
import TestKit
import Testing

/// The cache's budget, planned from made-up machines.
@Suite struct MemoryPlanTests {
    let model: any Model
    let root: URL

    init() throws {
        model = try InvarianceTests.load("models/llama-plain")
        root = FileManager.default.temporaryDirectory.appendingPathComponent("apus-\(UUID().uuidString)")
    }

    /// A machine with these files.
    func machine(_ files: [String: String]) throws -> Machine {
        try? FileManager.default.removeItem(at: root)
        for (path, text) in files {
            let file = root.appendingPathComponent(path)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: file)
        }
        return Machine(root: root.path)
    }

    let meminfo = "MemTotal:       16000000 kB\nMemFree:         1000000 kB\nMemAvailable:    8000000 kB\n"

    @Test func whatIsAvailable() throws {
        defer { try? FileManager.default.removeItem(at: root) }
        #expect(try machine([:]).availableMemory == nil)
        #expect(try machine(["proc/meminfo": meminfo]).availableMemory == 8_000_000 * 1024)
        // Version 2: the tightest of the group and those around it; cached files can be dropped.
        #expect(
            try machine([
                "proc/meminfo": meminfo, "proc/self/cgroup": "0::/outer/inner\n",
                "sys/fs/cgroup/outer/memory.max": "3000000000\n",
                "sys/fs/cgroup/outer/memory.current": "1000000000\n",
                "sys/fs/cgroup/outer/memory.stat": "anon 5\ninactive_file 250000000\n",
                "sys/fs/cgroup/outer/inner/memory.max": "max\n",
                "sys/fs/cgroup/outer/inner/memory.current": "1000\n",
            ]).availableMemory == 2_250_000_000)
        // Version 1, and a limit that means none.
        #expect(
            try machine([
                "proc/meminfo": meminfo, "proc/self/cgroup": "5:cpu,memory:/job\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": "1\n",
                "sys/fs/cgroup/memory/job/memory.limit_in_bytes": "2000000\n",
                "sys/fs/cgroup/memory/job/memory.usage_in_bytes": "500000\n",
            ]).availableMemory == 1_500_000)
        // More used than allowed, and nonsense.
        #expect(
            try machine([
                "proc/meminfo": "MemAvailable: many\n", "sys/fs/cgroup/memory.max": "5\n",
                "sys/fs/cgroup/memory.current": "6\n",
            ]).availableMemory == 0)
        #expect(
            try machine(["proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"]).cores == 1)
    }

    @Test func budgets() throws {
        defer { try? FileManager.default.removeItem(at: root) }
        let shape = model.shape
        let page = CacheStorage.pageBytes(layers: shape.cache, pageSize: 16, type: .f32)
        var configuration = InvarianceTests.configuration()
        configuration.cacheBytes = nil
        // Plenty: all that runs, at full context.
        let all = configuration.maximumRunning * (shape.context / 16) * page
        var plan = try configuration.memoryPlan(shape, machine: machine(["proc/meminfo": meminfo]))
        #expect(plan.cache == all && !plan.isCacheGiven && plan.cacheTokens == all / page * 16)
        // Little: half of what is left beside the rest.
        let needed = plan.weights + plan.working
        plan = try configuration.memoryPlan(
            shape, machine: machine(["proc/meminfo": "MemAvailable: \((needed + 10 * page) / 1024 + 1) kB\n"]))
        #expect(plan.cache == 5 * page && plan.description.contains("does not fit"))
        #expect(throws: EngineError.self) {
            try configuration.memoryPlan(
                shape, machine: machine(["proc/meminfo": "MemAvailable: \(needed / 1024) kB\n"]))
        }
        configuration.cacheBytes = 7 * page + 5
        plan = try configuration.memoryPlan(shape, machine: machine(["proc/meminfo": meminfo]))
        #expect(plan.cache == 7 * page && plan.isCacheGiven)
    }

    /// A request that names no limit ends where the cache does; the answer until then is the same.
    @Test func withoutALimitAnAnswerGetsWhatTheCacheHolds() throws {
        var configuration = InvarianceTests.configuration()
        let whole = try LoopDriver(model, configuration).run([GenerationRequest(prompt: [1, 2, 3])])[0]
        #expect(whole.ids.count == model.shape.context - 3)
        configuration.cacheBytes = 5 * CacheStorage.pageBytes(layers: model.shape.cache, pageSize: 16, type: .f32)
        let short = try LoopDriver(model, configuration).run([GenerationRequest(prompt: [1, 2, 3])])[0]
        #expect(short.ids == Array(whole.ids.prefix(77)) && short.finish == .length)
        let driver = try LoopDriver(model, configuration)
        #expect(throws: EngineError.cacheTooSmall(neededPages: 6, pages: 5, pageSize: 16)) {
            try driver.submit(GenerationRequest(prompt: [Int32](repeating: 1, count: 80)))
        }
        #expect(throws: EngineError.cacheTooSmall(neededPages: 6, pages: 5, pageSize: 16)) {
            try driver.submit(GenerationRequest(prompt: [1], maximumTokens: 80))
        }
    }
}
