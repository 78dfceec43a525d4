internal import CKernels
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#endif

/// Processors that this process may run on, by its affinity.
public func availableProcessors() -> Int { max(1, Int(apus_processors())) }

/// Runs an operation's items on several threads.
///
/// The calling thread works too and never waits for a helper that has not begun: a helper joins an
/// open region or misses it, so a machine busy with other work costs helpers, not time. Helpers spin for
/// a moment after a region, since the next is microseconds away during a step, then sleep.
final class WorkerPool {
    /// Threads that work on a region, the caller among them.
    let threads: Int
    private let shared: Shared
    private let scratch: UnsafeMutableRawPointer

    init(threads: Int) {
        precondition(threads >= 1)
        self.threads = threads
        shared = Shared()
        scratch = allocateAligned(bytes: Int(APUS_SCRATCH_BYTES))
        for _ in 1..<threads { shared.startWorker() }
    }

    deinit {
        shared.stop()
        free(scratch)
    }

    /// Runs items 0 ..< `items`, handed out `grain` at a time. Returns when all are done.
    func run(_ operation: apus_operation, _ arguments: UnsafeRawPointer, items: Int, grain: Int) {
        if threads == 1 || items <= grain {
            if items > 0 { operation(arguments, 0, Int64(items), scratch) }
            return
        }
        shared.open(Job(operation: operation, arguments: arguments, items: items, grain: grain))
        shared.work(scratch)
        shared.close()
    }
}

private struct Job {
    var operation: apus_operation
    var arguments: UnsafeRawPointer
    var items: Int
    var grain: Int
}

private final class Shared: @unchecked Sendable {
    // The state word: helpers at work (16 bits), whether the region is open (1 bit), its number (the rest).
    private static let openBit: UInt64 = 1 << 16
    private static let numberUnit: UInt64 = 1 << 17
    private let state = Atomic<UInt64>(0)
    private let next = Atomic<Int>(0)
    private let sleepers = Atomic<Int>(0)
    private let stopping = Atomic<Bool>(false)
    private var job: Job?
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var handles: [pthread_t] = []

    init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        pthread_cond_destroy(condition)
        mutex.deallocate()
        condition.deallocate()
    }

    func startWorker() {
        var handle = pthread_t()
        let context = Unmanaged.passRetained(self).toOpaque()
        let status = pthread_create(
            &handle, nil,
            { context in
                let shared = Unmanaged<Shared>.fromOpaque(context!).takeRetainedValue()
                shared.serve()
                return nil
            }, context)
        precondition(status == 0, "no thread could be started")
        handles.append(handle)
    }

    func stop() {
        stopping.store(true, ordering: .sequentiallyConsistent)
        wakeSleepers()
        for handle in handles { pthread_join(handle, nil) }
    }

    func open(_ job: Job) {
        self.job = job
        next.store(0, ordering: .relaxed)
        let number = state.load(ordering: .relaxed) / Self.numberUnit + 1
        state.store(number * Self.numberUnit | Self.openBit, ordering: .sequentiallyConsistent)
        if sleepers.load(ordering: .sequentiallyConsistent) > 0 { wakeSleepers() }
    }

    func work(_ scratch: UnsafeMutableRawPointer) {
        let job = self.job!
        while true {
            let begin = next.wrappingAdd(job.grain, ordering: .relaxed).oldValue
            guard begin < job.items else { return }
            job.operation(job.arguments, Int64(begin), Int64(min(begin + job.grain, job.items)), scratch)
        }
    }

    func close() {
        state.bitwiseAnd(~Self.openBit, ordering: .acquiringAndReleasing)
        var spins = 0
        while state.load(ordering: .acquiring) & 0xFFFF != 0 {
            spins += 1
            if spins > 4096 { sched_yield() } else { pause() }
        }
    }

    private func serve() {
        let scratch = allocateAligned(bytes: Int(APUS_SCRATCH_BYTES))
        defer { free(scratch) }
        var lastNumber: UInt64 = 0
        var spins = 0
        while !stopping.load(ordering: .relaxed) {
            let seen = state.load(ordering: .acquiring)
            if seen & Self.openBit != 0, seen / Self.numberUnit != lastNumber {
                let joined = state.compareExchange(expected: seen, desired: seen + 1, ordering: .acquiringAndReleasing)
                if joined.exchanged {
                    lastNumber = seen / Self.numberUnit
                    work(scratch)
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

    private func wakeSleepers() {
        pthread_mutex_lock(mutex)
        pthread_cond_broadcast(condition)
        pthread_mutex_unlock(mutex)
    }

    private func pause() { apus_pause() }
}
