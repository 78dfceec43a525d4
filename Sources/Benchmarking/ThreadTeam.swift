internal import CKernels
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#endif

/// Seconds since some fixed moment, by the clock that never steps.
@inline(never)
func monotonicSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

/// Runs `body` on `threads` threads that begin at the same moment, and returns the seconds until the last is done.
///
/// - Parameters:
///   - threads: at least 1; the caller is one of them.
///   - body: gets the thread's number.
func measureTogether(threads: Int, _ body: @Sendable @escaping (Int) -> Void) -> Double {
    precondition(threads >= 1)
    guard threads > 1 else {
        let start = monotonicSeconds()
        body(0)
        return monotonicSeconds() - start
    }
    let start = StartLine(body)
    var handles: [pthread_t] = []
    for number in 1..<threads {
        let runner = Unmanaged.passRetained(Runner(start, number)).toOpaque()
        var handle = pthread_t()
        let status = pthread_create(
            &handle, nil,
            { context in
                Unmanaged<Runner>.fromOpaque(context!).takeRetainedValue().run()
                return nil
            }, runner)
        precondition(status == 0, "no thread could be started")
        handles.append(handle)
    }
    while start.waiting.load(ordering: .acquiring) < threads - 1 { sched_yield() }
    let begin = monotonicSeconds()
    start.open.store(true, ordering: .releasing)
    body(0)
    for handle in handles { pthread_join(handle, nil) }
    return monotonicSeconds() - begin
}

private final class StartLine: Sendable {
    let waiting = Atomic<Int>(0)
    let open = Atomic<Bool>(false)
    let body: @Sendable (Int) -> Void

    init(_ body: @Sendable @escaping (Int) -> Void) { self.body = body }
}

private final class Runner: Sendable {
    let start: StartLine
    let number: Int

    init(_ start: StartLine, _ number: Int) {
        self.start = start
        self.number = number
    }

    func run() {
        start.waiting.wrappingAdd(1, ordering: .releasing)
        while !start.open.load(ordering: .acquiring) { apus_pause() }
        start.body(number)
    }
}
