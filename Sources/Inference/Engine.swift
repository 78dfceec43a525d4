public import Models
internal import Synchronization
internal import Tensors

#if canImport(Glibc)
    internal import Glibc
#endif

/// The engine: one thread that owns a model's cache and runs all requests in shared steps.
///
/// Any thread may submit. A request's answer depends on the model, the request and the cache type alone, never on what
/// else runs.
public final class Engine: Sendable {
    public let model: any Model
    public let configuration: EngineConfiguration
    private let mailbox = Mailbox()
    private let nextID = Atomic<Int>(0)

    /// Allocates the engine's memory and starts its thread.
    ///
    /// - Throws: ``EngineError`` where the cache cannot be had.
    public init(model: any Model, configuration: EngineConfiguration = EngineConfiguration()) throws(EngineError) {
        self.model = model
        self.configuration = configuration
        let loop = try EngineLoop(model: model, configuration: configuration)
        EngineThread.start(loop, mailbox)
    }

    deinit { mailbox.post(.stop) }

    /// Enters a request. Refusals are thrown here, before anything runs; what happens later ends the stream.
    ///
    /// Letting go of the stream cancels the request.
    public func submit(
        _ request: GenerationRequest, endOfGeneration: [Int32] = []
    ) throws(EngineError) -> AsyncThrowingStream<GenerationEvent, any Error> {
        let id = nextID.wrappingAdd(1, ordering: .relaxed).oldValue
        let (stream, continuation) = AsyncThrowingStream<GenerationEvent, any Error>.makeStream()
        let sequence = try model.admit(request, id: id, endOfGeneration, configuration) { outcome in
            switch outcome {
            case .success(let event):
                continuation.yield(event)
                if case .finished = event { continuation.finish() }
            case .failure(let error): continuation.finish(throwing: error)
            }
        }
        let mailbox = mailbox
        continuation.onTermination = { reason in
            if case .cancelled = reason { mailbox.post(.cancel(id)) }
        }
        mailbox.post(.submit(sequence))
        return stream
    }
}

extension EngineLoop {
    /// Enters a request by hand, for owners that step the loop themselves.
    ///
    /// - Returns: the request's id, for ``cancel(id:)``.
    @discardableResult
    public func submit(
        _ request: GenerationRequest, id: Int, endOfGeneration: [Int32] = [],
        send: @escaping (Result<GenerationEvent, EngineError>) -> Void
    ) throws(EngineError) -> Int {
        add(try model.admit(request, id: id, endOfGeneration, configuration, send: send))
        return id
    }
}

extension Model {
    /// Checks a request and makes it a sequence.
    fileprivate func admit(
        _ request: GenerationRequest, id: Int, _ endOfGeneration: [Int32], _ configuration: EngineConfiguration,
        send: @escaping (Result<GenerationEvent, EngineError>) -> Void
    ) throws(EngineError) -> TokenSequence {
        let vocabulary = shape.vocabulary
        guard !request.prompt.isEmpty else { throw .emptyPrompt }
        for (position, token) in request.prompt.enumerated() where token < 0 || Int(token) >= vocabulary {
            throw .tokenOutOfRange(token: token, position: position, vocabulary: vocabulary)
        }
        let context = configuration.contextLimit(shape)
        if let limit = request.maximumTokens, limit < 0 { throw .negativeLimit(limit) }
        let room = context - request.prompt.count
        guard room > 0 || (room == 0 && request.maximumTokens == 0) else {
            throw .contextOverflow(prompt: request.prompt.count, context: context)
        }
        let limit = request.prompt.count + min(request.maximumTokens ?? room, room)
        let pages = (limit + configuration.pageSize - 1) / configuration.pageSize
        let available = try configuration.pageCount(shape)
        guard pages <= available else {
            throw .cacheTooSmall(neededPages: pages, pages: available, pageSize: configuration.pageSize)
        }
        let sampler: Sampler
        do throws(SamplingError) {
            sampler = try Sampler(
                request.sampling,
                vocabulary: SamplingVocabulary(
                    size: vocabulary, endOfGeneration: endOfGeneration.filter { $0 >= 0 && Int($0) < vocabulary }),
                seed: request.seed, sampleIndex: request.sampleIndex)
        } catch {
            throw .sampling(error)
        }
        return TokenSequence(
            id: id, request: request, sampler: sampler, limit: limit, pageSize: configuration.pageSize,
            rotationVariant: rotationVariant(length: limit), send: send)
    }
}

/// A message to the engine's thread.
private enum Message {
    case submit(TokenSequence)
    case cancel(Int)
    case stop
}

/// Where other threads leave messages for the engine's.
private final class Mailbox: @unchecked Sendable {
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
private final class EngineThread {
    private let loop: EngineLoop
    private let mailbox: Mailbox

    private init(_ loop: EngineLoop, _ mailbox: Mailbox) {
        self.loop = loop
        self.mailbox = mailbox
    }

    static func start(_ loop: EngineLoop, _ mailbox: Mailbox) {
        var handle = pthread_t()
        let context = Unmanaged.passRetained(EngineThread(loop, mailbox)).toOpaque()
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
            for message in mailbox.drain(wait: loop.isIdle) {
                switch message {
                case .submit(let sequence): loop.add(sequence)
                case .cancel(let id): loop.cancel(id: id)
                case .stop: return loop.stop()
                }
            }
            loop.step()
        }
    }
}

extension EngineLoop {
    /// Ends every request with ``EngineError/stopped``.
    fileprivate func stop() { endAll(.stopped) }
}
