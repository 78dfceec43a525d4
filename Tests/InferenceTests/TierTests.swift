import Foundation
import Inference
import Models
import Tensors
import TestKit
import Testing

/// Pages beyond the cache: the swap memory and the folder that outlives the process. Whatever comes back has the bits of a
/// cold run, and what is damaged does not come back.
@Suite struct TierTests {
    let model: any Model
    let folder: String

    init() throws {
        model = try InvarianceTests.load("models/llama-plain")
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("apus-\(UUID().uuidString)").path
    }

    var page: Int { CacheStorage.pageBytes(layers: model.shape.cache, pageSize: 16, type: .f32) }

    func configuration(store: Int? = nil, swap: Int = 0, pages: Int = 100, model: String = "a") -> EngineConfiguration {
        var configuration = InvarianceTests.configuration()
        configuration.sharesPrefixes = true
        configuration.cacheBytes = pages * page
        configuration.swapBytes = swap * page
        if let store {
            configuration.prefixStore = PrefixStoreConfiguration(folder: folder, maximumBytes: store, model: model)
        }
        return configuration
    }

    func request(_ length: Int, _ salt: Int, generate: Int = 8) -> GenerationRequest {
        var sampling = SamplingParameters()
        sampling.logprobs = 0
        return GenerationRequest(
            prompt: InvarianceTests.prompt(length, salt, vocabulary: 64), sampling: sampling,
            maximumTokens: generate, seed: UInt64(salt))
    }

    var files: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter { $0.hasSuffix(".page") }.sorted()
    }

    func size() throws -> Int {
        try files.reduce(0) { sum, name in
            let attributes = try FileManager.default.attributesOfItem(atPath: folder + "/" + name)
            return sum + (attributes[.size] as! Int)
        }
    }

    func remove() { try? FileManager.default.removeItem(atPath: folder) }

    // MARK: The store

    @Test func aRestartedProcessFindsAKnownPrompt() throws {
        defer { remove() }
        let request = request(100, 1)
        let expected = try InvarianceTests.alone([request], model)
        do {
            let driver = try LoopDriver(model, configuration(store: 1 << 20))
            InvarianceTests.expectSame(try driver.run([request]), expected, "cold")
            #expect(driver.loop.statistics.storedPages == 6 && driver.loop.statistics.prefilledTokens == 100)
        }
        #expect(files.count == 6)
        for cacheType in CacheType.allCases {
            var configuration = configuration(store: 1 << 20)
            configuration.cacheType = cacheType
            let driver = try LoopDriver(model, configuration)
            let answers = try driver.run([request])
            if cacheType == .f32 { InvarianceTests.expectSame(answers, expected, "after a restart") }
            #expect(driver.loop.statistics.prefilledTokens == (cacheType == .f32 ? 4 : 100), "\(cacheType)")
            #expect(answers[0].statistics.cachedTokens == (cacheType == .f32 ? 96 : 0), "\(cacheType)")
        }
    }

    /// Another model, page size or salt finds nothing, even where the tokens are the same.
    @Test func keysHoldAllThatPagesFollowFrom() throws {
        defer { remove() }
        let request = request(100, 1)
        _ = try LoopDriver(model, configuration(store: 1 << 20)).run([request])
        func loaded(_ request: GenerationRequest, _ configuration: EngineConfiguration, _ model: any Model) throws
            -> Int
        {
            let driver = try LoopDriver(model, configuration)
            _ = try driver.run([request])
            return driver.loop.statistics.loadedPages
        }
        #expect(try loaded(request, configuration(store: 1 << 20), model) == 6)
        #expect(try loaded(request, configuration(store: 1 << 20, model: "b"), model) == 0)
        var larger = configuration(store: 1 << 20)
        larger.pageSize = 32
        #expect(try loaded(request, larger, model) == 0)
        var salted = request
        salted.cacheSalt = "somebody else"
        #expect(try loaded(salted, configuration(store: 1 << 20), model) == 0)
        var other = request
        other.prompt[0] += 1
        #expect(try loaded(other, configuration(store: 1 << 20), model) == 0)
        // The arithmetic is part of the key: the same name for a model that computes otherwise.
        let window = try InvarianceTests.load("models/mistral-window")
        #expect(try loaded(request, configuration(store: 1 << 20), window) == 0)
    }

    /// Cut off anywhere, a byte changed anywhere, exchanged for another page: absent, and computed again.
    @Test func whatIsDamagedDoesNotComeBack() throws {
        defer { remove() }
        let request = request(100, 1)
        let expected = try InvarianceTests.alone([request], model)
        var dice = Dice(state: 2)
        for attempt in 0..<24 {
            remove()
            _ = try LoopDriver(model, configuration(store: 1 << 20)).run([request])
            let victim = folder + "/" + files.randomElement(using: &dice)!
            var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: victim)))
            switch attempt % 4 {
            case 0: bytes.removeLast(Int.random(in: 1...bytes.count, using: &dice))
            case 1: bytes[Int.random(in: 0..<bytes.count, using: &dice)] ^= 1 << UInt8.random(in: 0..<8, using: &dice)
            case 2: bytes.append(0)
            default:
                let other = files.first { folder + "/" + $0 != victim }!
                bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder + "/" + other)))
            }
            try Data(bytes).write(to: URL(fileURLWithPath: victim))
            let driver = try LoopDriver(model, configuration(store: 1 << 20))
            InvarianceTests.expectSame(try driver.run([request]), expected, "attempt \(attempt)")
            #expect(driver.loop.statistics.damagedPages == 1 && driver.loop.statistics.loadedPages < 6)
            #expect(files.count == 6, "it is written again")
            let again = try LoopDriver(model, configuration(store: 1 << 20))
            _ = try again.run([request])
            #expect(again.loop.statistics.loadedPages == 6, "attempt \(attempt)")
        }
    }

    /// What a killed process left half written is cleared away; strangers' files are left alone.
    @Test func leftoversAreRemoved() throws {
        defer { remove() }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let part = folder + "/" + String(repeating: "0", count: 64) + ".page.part"
        for name in [part, folder + "/notes.txt", folder + "/short.page"] {
            try Data([1, 2, 3]).write(to: URL(fileURLWithPath: name))
        }
        _ = try LoopDriver(model, configuration(store: 1 << 20)).run([request(40, 1)])
        #expect(!FileManager.default.fileExists(atPath: part))
        #expect(FileManager.default.fileExists(atPath: folder + "/notes.txt"))
        #expect(FileManager.default.fileExists(atPath: folder + "/short.page"))
    }

    @Test func theBoundHoldsAndTheLongestUnusedLeave() throws {
        defer { remove() }
        let bound = 20 * (page + 200)
        let kept = request(70, 0)
        for round in 0..<3 {
            let driver = try LoopDriver(model, configuration(store: bound))
            for salt in 1..<12 {
                _ = try driver.run([request(50, 100 * round + salt)])
                #expect(try size() <= bound)
                _ = try driver.run([kept])
            }
            #expect(files.count > 10)
        }
        let driver = try LoopDriver(model, configuration(store: bound))
        _ = try driver.run([kept])
        #expect(driver.loop.statistics.loadedPages == 4, "what was always used is still there")
        // A smaller bound holds as soon as the folder is opened.
        _ = try LoopDriver(model, configuration(store: bound / 4))
        #expect(try size() <= bound)
    }

    @Test func oneProcessWritesOthersRead() throws {
        defer { remove() }
        let first = try LoopDriver(model, configuration(store: 1 << 20))
        _ = try first.run([request(100, 1)])
        let second = try LoopDriver(model, configuration(store: 1 << 20))
        #expect(!first.loop.statistics.isStoreReadOnly && second.loop.statistics.isStoreReadOnly)
        _ = try second.run([request(100, 1), request(100, 2)])
        #expect(second.loop.statistics.loadedPages == 6 && second.loop.statistics.storedPages == 0)
        #expect(files.count == 6)
    }

    @Test func aFolderThatCannotBeUsedIsRefused() throws {
        var configuration = configuration(store: 1 << 20)
        configuration.prefixStore!.folder = "/proc/none/of/this"
        #expect {
            try LoopDriver(model, configuration)
        } throws: { error in
            guard case EngineError.prefixStore? = error as? EngineError else { return false }
            return "\(error)".contains("/proc/none/of/this")
        }
        var unshared = self.configuration(store: 1 << 20)
        unshared.sharesPrefixes = false
        #expect(throws: EngineError.self) { try LoopDriver(model, unshared) }
    }

    // MARK: Swapping

    /// Preempted requests get their pages back instead of computing them again, and only what is new moves.
    @Test func whatWasPreemptedComesBackFromMemory() throws {
        let requests = (0..<4).map { request(60, $0, generate: 100) }
        let expected = try InvarianceTests.alone(requests, model)
        // Time passes in the network alone, so moving always pays.
        let timed = TimedModel(model) { 0.001 * Double($0) }
        let plain = try LoopDriver(timed, configuration(pages: 22))
        InvarianceTests.expectSame(try plain.run(requests), expected, "computed again")
        let swapping = try LoopDriver(timed, configuration(swap: 200, pages: 22))
        swapping.loop.now = { timed.clock }
        InvarianceTests.expectSame(try swapping.run(requests), expected, "swapped")
        let (a, b) = (plain.loop.statistics, swapping.loop.statistics)
        #expect(a.preemptions > 0 && b.preemptions > 0)
        #expect(b.swappedOutPages > 0 && b.swappedInPages > 0 && b.rows < a.rows, "\(a.rows) and \(b.rows) rows")
        #expect(b.swappedOutPages <= 4 * 10, "each page moves out once")
    }

    /// Where moving a page takes an hour and computing it a moment, one is moved and no more.
    @Test func whatIsCheaperToComputeIsNotMoved() throws {
        let requests = (0..<4).map { request(60, $0, generate: 100) }
        let expected = try InvarianceTests.alone(requests, model)
        let timed = TimedModel(model) { 0.001 * Double($0) }
        let driver = try LoopDriver(timed, configuration(swap: 200, pages: 22))
        // The clock is looked at twice in a step, with a pass between, and twice in a move, without one.
        var last = timed.clock
        var hours = 0
        driver.loop.now = {
            if timed.clock == last { hours += 1 }
            last = timed.clock
            return timed.clock + .seconds(3600 * hours)
        }
        for request in requests { try driver.submit(request) }
        #expect(driver.run().isEmpty)
        InvarianceTests.expectSame((0..<4).map { driver.answers[$0]! }, expected, "computed again")
        let now = driver.loop.statistics
        #expect(now.preemptions > 1 && now.swappedOutPages <= 1)
    }

    /// A swap memory smaller than what is swapped loses pages, never bits.
    @Test(arguments: [1, 3, 8]) func aSmallSwapMemoryLosesPagesOnly(_ swap: Int) throws {
        let requests = (0..<5).map { request(50 + $0, $0, generate: 80) }
        let expected = try InvarianceTests.alone(requests, model)
        let driver = try LoopDriver(model, configuration(swap: swap, pages: 14))
        for request in requests { try driver.submit(request) }
        #expect(driver.run().isEmpty)
        InvarianceTests.expectSame((0..<5).map { driver.answers[$0]! }, expected, "\(swap) pages of swap")
    }

    /// With both, and a store so slow to be worth it that nothing else is sure: the answers stay.
    @Test func everyTierAtOnce() throws {
        defer { remove() }
        let requests = (0..<10).map { request(30 + 7 * ($0 % 4), $0 % 6, generate: 40) }
        let expected = try InvarianceTests.alone(requests, model)
        let driver = try LoopDriver(model, configuration(store: 1 << 20, swap: 4, pages: 10))
        for round in 0..<3 {
            InvarianceTests.expectSame(try driver.run(requests), expected, "round \(round)")
        }
        #expect(driver.loop.statistics.loadedPages > 0)
    }

    // MARK: Keys

    /// FIPS 180-4's examples.
    @Test func publishedHashes() {
        func hex(_ text: String) -> String {
            SHA256.hash(Array(text.utf8)).map { String(format: "%02x", $0) }.joined()
        }
        #expect(hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(
            hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")
                == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
        #expect(
            hex(String(repeating: "a", count: 1_000_000))
                == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    }

    @Test func everyBitOfAContentCounts() {
        var dice = Dice(state: 4)
        for length in [0, 1, 31, 32, 33, 64, 1000] {
            let bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &dice) }
            func hash(_ bytes: [UInt8]) -> SIMD4<UInt64> {
                var hash = ContentHash()
                bytes.withUnsafeBytes { hash.add($0) }
                return hash.value
            }
            let value = hash(bytes)
            #expect(hash(bytes) == value && hash(bytes + [0]) != value)
            for bit in 0..<8 * length {
                var changed = bytes
                changed[bit / 8] ^= 1 << UInt8(bit % 8)
                if hash(changed) == value { Issue.record("bit \(bit) of \(length) bytes") }
            }
        }
        var (one, two) = (ContentHash(), ContentHash())
        one.add("ab")
        one.add("c")
        two.add("a")
        two.add("bc")
        #expect(one.value != two.value)
    }
}
