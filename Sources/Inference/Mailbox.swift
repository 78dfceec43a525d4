internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#endif

/// A message to the engine's thread.
enum Message {
    case submit([TokenSequence])
    case cancel(Int)
    case change((EngineLoop) -> Void)
    case stop
}

/// Where other threads leave messages for the engine's.
final class Mailbox: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private let pending = Atomic<Int>(0)
    private var messages: [Message] = []

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

    func post(_ message: Message) {
        pthread_mutex_lock(mutex)
        messages.append(message)
        pending.store(messages.count, ordering: .releasing)
        pthread_cond_signal(condition)
        pthread_mutex_unlock(mutex)
    }

    /// All messages so far. With `wait`, sleeps until there is one; without, an empty box costs one atomic load.
    func drain(wait: Bool) -> [Message] {
        if !wait, pending.load(ordering: .acquiring) == 0 { return [] }
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while wait, messages.isEmpty { pthread_cond_wait(condition, mutex) }
        defer {
            messages.removeAll(keepingCapacity: true)
            pending.store(0, ordering: .releasing)
        }
        return messages
    }
}

/// The thread: drain the mailbox, step, again.
final class EngineThread {
    private let loop: EngineLoop
    private let mailbox: Mailbox
    private let board: StatisticsBoard

    private init(_ loop: EngineLoop, _ mailbox: Mailbox, _ board: StatisticsBoard) {
        self.loop = loop
        self.mailbox = mailbox
        self.board = board
    }

    static func start(_ loop: EngineLoop, _ mailbox: Mailbox, _ board: StatisticsBoard) {
        var handle = pthread_t()
        let context = Unmanaged.passRetained(EngineThread(loop, mailbox, board)).toOpaque()
        let status = pthread_create(
            &handle, nil,
            { context in
                Unmanaged<EngineThread>.fromOpaque(context!).takeRetainedValue().run()
                return nil
            }, context)
        precondition(status == 0, "no thread could be started")
        pthread_detach(handle)
    }

    private func run() {
        while true {
            if loop.isIdle { board.postLast(loop.statistics) }
            for message in mailbox.drain(wait: loop.isIdle) {
                switch message {
                case .submit(let samples): loop.add(samples[0], followers: Array(samples.dropFirst()))
                case .cancel(let id): loop.cancel(id: id)
                case .change(let change): change(loop)
                case .stop: return loop.endAll(.stopped)
                }
            }
            loop.step()
            board.post(loop.statistics)
        }
    }
}
