internal import CKernels
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#endif

/// Processors that this process may run on, by its affinity.
public func availableProcessors() -> Int { max(1, Int(apus_processors())) }

/// Runs an operation's items on several threads.
///
/// Each thread has its own run of the items and takes the others' when it is done with it: operations that go over the same rows in
/// the same order find in a core's cache what the same core wrote there. The calling thread works too and never waits for a helper
/// that has not begun: a helper joins an open region or misses it. One that the system has put aside in the middle of its part has to
/// be waited for; `ThreadRestraint` then lets helpers rest, so that a machine busy with other work costs helpers, not time. Helpers
/// spin for a moment after a region, since the next is microseconds away during a step, then sleep.
final class WorkerPool {
    /// Threads that work on a region, the caller among them.
    let threads: Int
    private let shared: Shared
    private let scratch: UnsafeMutableRawPointer
    private var restraint: ThreadRestraint

    init(threads: Int) {
        precondition(threads >= 1)
        self.threads = threads
        shared = Shared(threads: threads)
        restraint = ThreadRestraint(threads: threads)
        scratch = allocateAligned(bytes: Int(APUS_SCRATCH_BYTES))
        for index in 1..<threads { shared.startWorker(index) }
    }

    deinit {
        shared.stop()
        free(scratch)
    }

    /// Runs items 0 ..< `items`, handed out `grain` at a time. Returns when all are done.
    ///
    /// - Parameters:
    ///   - tapers: hands out a quarter of what is left of a thread's run, at least `grain`: few parts that become smaller
    ///     towards the end, so that threads end together.
    ///   - isLong: whether parts may take so long that a wait for one of them is no sign of a busy machine.
    func run(
        _ operation: apus_operation, _ arguments: UnsafeRawPointer, items: Int, grain: Int, tapers: Bool = false, isLong: Bool = true
    ) {
        if threads > 1, items > grain, admitted() > 1 {
            let begin = isLong ? nanoseconds() : 0
            shared.open(Job(operation: operation, arguments: arguments, items: items, grain: grain, tapers: tapers))
            shared.work(0, scratch)
            let end = isLong ? nanoseconds() : 0
            let wait = shared.close()
            if wait >= ThreadRestraint.longWait {
                restraint.waited(wait, afterWork: end - begin, at: nanoseconds())
                shared.admit(restraint.limit)
            }
        } else if items > 0 {
            operation(arguments, 0, Int64(items), scratch)
        }
    }

    /// Threads for the next region. The clock is read only while some rest.
    private func admitted() -> Int {
        guard restraint.limit < threads else { return threads }
        let before = restraint.limit
        let now = restraint.admitted(at: nanoseconds())
        if now != before { shared.admit(now) }
        return now
    }
}

private struct Job {
    var operation: apus_operation
    var arguments: UnsafeRawPointer
    var items: Int
    var grain: Int
    var tapers: Bool
}

private final class Shared: @unchecked Sendable {
    // The state word: helpers at work (16 bits), whether the region is open (1 bit), its number (the rest).
    private static let openBit: UInt64 = 1 << 16
    private static let numberUnit: UInt64 = 1 << 17
    private let state = Atomic<UInt64>(0)
    private let threads: Int
    // How many items of each thread's run were taken, each in a cache line of its own.
    private let taken: UnsafeMutablePointer<Line>
    private let sleepers = Atomic<Int>(0)
    // Helpers from this index on rest until it rises.
    private let admitted: Atomic<Int>
    private let stopping = Atomic<Bool>(false)
    private var job: Job?
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private let admission = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var handles: [pthread_t] = []

    private struct Line: ~Copyable {
        let count = Atomic<Int>(0)
        // 128 bytes: lines are fetched in pairs.
        let rest: InlineArray<15, UInt64> = InlineArray(repeating: 0)
    }

    init(threads: Int) {
        self.threads = threads
        admitted = Atomic(threads)
        taken = UnsafeMutableRawPointer.allocate(byteCount: 128 * threads, alignment: 128).bindMemory(to: Line.self, capacity: threads)
        for index in 0..<threads { (taken + index).initialize(to: Line()) }
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
        pthread_cond_init(admission, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        pthread_cond_destroy(condition)
        pthread_cond_destroy(admission)
        taken.deinitialize(count: threads)
        taken.deallocate()
        mutex.deallocate()
        condition.deallocate()
        admission.deallocate()
    }

    private final class Helper {
        let shared: Shared
        let index: Int
        init(_ shared: Shared, _ index: Int) { (self.shared, self.index) = (shared, index) }
    }

    /// - Parameter index: of the thread, whose run of the items it begins with.
    func startWorker(_ index: Int) {
        var handle = pthread_t()
        let context = Unmanaged.passRetained(Helper(self, index)).toOpaque()
        let status = pthread_create(
            &handle, nil,
            { context in
                let helper = Unmanaged<Helper>.fromOpaque(context!).takeRetainedValue()
                helper.shared.serve(helper.index)
                return nil
            }, context)
        precondition(status == 0, "no thread could be started")
        handles.append(handle)
    }

    func stop() {
        stopping.store(true, ordering: .sequentiallyConsistent)
        wake(condition)
        wake(admission)
        for handle in handles { pthread_join(handle, nil) }
    }

    func open(_ job: Job) {
        self.job = job
        for index in 0..<threads { taken[index].count.store(0, ordering: .relaxed) }
        let number = state.load(ordering: .relaxed) / Self.numberUnit + 1
        state.store(number * Self.numberUnit | Self.openBit, ordering: .sequentiallyConsistent)
        if sleepers.load(ordering: .sequentiallyConsistent) > 0 { wake(condition) }
    }

    func work(_ index: Int, _ scratch: UnsafeMutableRawPointer) {
        let job = self.job!
        for turn in 0..<threads {
            let run = index + turn < threads ? index + turn : index + turn - threads
            let first = job.items * run / threads, end = job.items * (run + 1) / threads
            while let part = take(of: end - first, run: run, job) {
                job.operation(job.arguments, Int64(first + part.lowerBound), Int64(first + part.upperBound), scratch)
            }
        }
    }

    /// The next items of a run, counted from its first.
    private func take(of size: Int, run: Int, _ job: Job) -> Range<Int>? {
        var begin = taken[run].count.load(ordering: .relaxed)
        while begin < size {
            let end = min(size, begin + (job.tapers ? max(job.grain, (size - begin) / 4) : job.grain))
            let outcome = taken[run].count.weakCompareExchange(expected: begin, desired: end, ordering: .relaxed)
            if outcome.exchanged { return begin..<end }
            begin = outcome.original
        }
        return nil
    }

    /// Waits for the helpers at work, and tells for how many nanoseconds; short waits are not timed.
    func close() -> UInt64 {
        state.bitwiseAnd(~Self.openBit, ordering: .acquiringAndReleasing)
        var spins = 0
        var begin: UInt64 = 0
        while state.load(ordering: .acquiring) & 0xFFFF != 0 {
            spins += 1
            if spins == 512 { begin = nanoseconds() }
            if spins > 4096 { sched_yield() } else { pause() }
        }
        return begin == 0 ? 0 : nanoseconds() - begin
    }

    /// Lets `count` threads work, the caller among them.
    func admit(_ count: Int) {
        let before = admitted.exchange(count, ordering: .sequentiallyConsistent)
        if count > before { wake(admission) }
    }

    private func serve(_ index: Int) {
        let scratch = allocateAligned(bytes: Int(APUS_SCRATCH_BYTES))
        defer { free(scratch) }
        var lastNumber: UInt64 = 0
        var spins = 0
        while !stopping.load(ordering: .relaxed) {
            if index >= admitted.load(ordering: .relaxed) {
                rest(index)
                spins = 0
            }
            let seen = state.load(ordering: .acquiring)
            if seen & Self.openBit != 0, seen / Self.numberUnit != lastNumber {
                let joined = state.compareExchange(expected: seen, desired: seen + 1, ordering: .acquiringAndReleasing)
                if joined.exchanged {
                    lastNumber = seen / Self.numberUnit
                    work(index, scratch)
                    state.wrappingSubtract(1, ordering: .releasing)
                    spins = 0
                }
                continue
            }
            spins += 1
            if spins < 3000 {
                pause()
            } else {
                sleep(unlessPast: seen)
                spins = 0
            }
        }
    }

    private func sleep(unlessPast seen: UInt64) {
        pthread_mutex_lock(mutex)
        sleepers.wrappingAdd(1, ordering: .sequentiallyConsistent)
        while state.load(ordering: .sequentiallyConsistent) == seen, !stopping.load(ordering: .sequentiallyConsistent) {
            pthread_cond_wait(condition, mutex)
        }
        sleepers.wrappingSubtract(1, ordering: .sequentiallyConsistent)
        pthread_mutex_unlock(mutex)
    }

    private func rest(_ index: Int) {
        pthread_mutex_lock(mutex)
        while index >= admitted.load(ordering: .sequentiallyConsistent), !stopping.load(ordering: .sequentiallyConsistent) {
            pthread_cond_wait(admission, mutex)
        }
        pthread_mutex_unlock(mutex)
    }

    private func wake(_ condition: UnsafeMutablePointer<pthread_cond_t>) {
        pthread_mutex_lock(mutex)
        pthread_cond_broadcast(condition)
        pthread_mutex_unlock(mutex)
    }

    private func pause() { apus_pause() }
}

private func nanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
