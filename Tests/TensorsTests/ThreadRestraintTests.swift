import Testing

@testable import Tensors

@Suite struct ThreadRestraintTests {
    private static let millisecond: UInt64 = 1_000_000

    /// Time in milliseconds, one region each, beside a program that puts a helper aside whenever `busy` threads or more work.
    private func regions(_ restraint: inout ThreadRestraint, from start: UInt64, count: UInt64, busy: Int) -> [Int] {
        (start..<start + count).map { time in
            let now = time * Self.millisecond
            let admitted = restraint.admitted(at: now)
            if admitted >= busy { restraint.waited(3 * Self.millisecond, afterWork: 0, at: now + Self.millisecond / 2) }
            return admitted
        }
    }

    @Test func aFreeMachineUsesAllThreads() {
        var restraint = ThreadRestraint(threads: 4)
        #expect(regions(&restraint, from: 1, count: 2000, busy: 5).allSatisfy { $0 == 4 })
    }

    @Test func shortWaitsAreNoReason() {
        var restraint = ThreadRestraint(threads: 2)
        for time in UInt64(1)...1000 {
            restraint.waited(ThreadRestraint.longWait - 1, afterWork: 0, at: time * Self.millisecond)
            #expect(restraint.admitted(at: time * Self.millisecond) == 2)
        }
    }

    @Test func theLastPartOfALongRegionIsNoReason() {
        var restraint = ThreadRestraint(threads: 2)
        for time in UInt64(1)...1000 {
            restraint.waited(2 * Self.millisecond, afterWork: 8 * Self.millisecond, at: 10 * time * Self.millisecond)
            #expect(restraint.admitted(at: 10 * time * Self.millisecond) == 2)
        }
        restraint.waited(4 * Self.millisecond, afterWork: 8 * Self.millisecond, at: 20_000 * Self.millisecond)
        #expect(restraint.limit == 1)
    }

    @Test(arguments: [(2, 2), (8, 8), (8, 5), (8, 2)]) func aBusyMachineIsTriedSeldom(threads: Int, busy: Int) {
        var restraint = ThreadRestraint(threads: threads)
        let admitted = regions(&restraint, from: 1, count: 10_000, busy: busy)
        // Never fewer than are worth it, once the others rest; and trials become rare.
        #expect(admitted.dropFirst(threads).allSatisfy { $0 >= busy - 1 })
        #expect(admitted.suffix(5000).filter { $0 >= busy }.count <= 5000 / 128)
        #expect(admitted.suffix(5000).contains { $0 >= busy })
    }

    @Test(arguments: [2, 16]) func aMachineThatBecomesFreeIsUsedWhole(threads: Int) {
        var restraint = ThreadRestraint(threads: threads)
        _ = regions(&restraint, from: 1, count: 5000, busy: 2)
        #expect(restraint.limit <= 2)
        let after = regions(&restraint, from: 5001, count: 5000, busy: threads + 1)
        let rests = ThreadRestraint.longestRest + UInt64(threads) * ThreadRestraint.shortestRest
        #expect(after.dropFirst(Int(rests / Self.millisecond)).allSatisfy { $0 == threads })
    }

    @Test func oneThreadAlwaysWorks() {
        var restraint = ThreadRestraint(threads: 2)
        for time in UInt64(1)...20 { restraint.waited(5 * Self.millisecond, afterWork: 0, at: time * Self.millisecond) }
        #expect(restraint.limit == 1)
    }
}
