internal import Apus
internal import Conversation
internal import Foundation

/// A conversation at a terminal.
struct TerminalChat {
    private let session: ChatSession
    private let interrupts = AnswerInterrupts()

    init(_ session: ChatSession) { self.session = session }

    func run() async {
        defer { Terminal.restore() }
        show("\(session.model.name), context \(session.context). /help lists the commands; Ctrl-D leaves.")
        let reader = LineReader(completions: ChatCommand.catalog.map { "/\($0.name)" })
        var assembler = InputAssembler()
        while true {
            let prompt = !assembler.isPending ? "> " : assembler.isInBlock ? "\" " : "\\ "
            switch reader.read(prompt: prompt, continuation: "  ") {
            case .ended: return
            case .interrupted(let wasEmpty):
                if wasEmpty && !assembler.isPending { return }
                assembler.reset()
            case .entry(let text):
                guard await take(assembler.push(text)) else { return }
            }
        }
    }

    /// - Returns: whether the conversation goes on.
    private func take(_ entry: InputAssembler.Entry) async -> Bool {
        do {
            switch entry {
            case .more, .empty: break
            case .command(let line):
                switch try session.perform(try ChatCommand(parsing: line)) {
                case .leave: return false
                case .say(let text): show(text)
                case .answer(let question): try await answer(question)
                }
            case .message(let text): try await answer(session.question(text))
            }
        } catch {
            show(Console.sentence(error))
        }
        return true
    }

    private func answer(_ question: ChatSession.Question) async throws {
        let session = Unshared(session)
        let task = Task { () throws -> ChatSession.Outcome in
            try await session.value.answer(question) { Console.write($0.withVisibleControls) }
        }
        interrupts.cancels(task)
        defer { interrupts.cancels(nil) }
        let outcome: ChatSession.Outcome
        do { outcome = try await task.value } catch {
            // Where an answer breaks off, the error gets its own line.
            if !(error is ChatError) { Console.write("\n") }
            throw error
        }
        Console.write("\n")
        if let note = session.value.note(outcome) { Console.write(note + "\n") }
        Console.write("\n")
    }

    private func show(_ text: String) { Console.write(text.withVisibleControls + "\n\n") }
}

/// A value handed to a task while its owner waits for that task's end, so that never two use it at once.
private struct Unshared<Value>: @unchecked Sendable {
    let value: Value

    init(_ value: Value) { self.value = value }
}

/// What the interrupt signal does: it stops the answer that is being given, and ends the process at any other time.
private final class AnswerInterrupts: @unchecked Sendable {
    private let lock = NSLock()
    private var task: Task<ChatSession.Outcome, any Error>?
    private let source = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())

    init() {
        signal(SIGINT, SIG_IGN)
        source.setEventHandler { [weak self] in self?.interrupt() }
        source.resume()
    }

    func cancels(_ task: Task<ChatSession.Outcome, any Error>?) { lock.withLock { self.task = task } }

    private func interrupt() {
        if let task = lock.withLock({ task }) { return task.cancel() }
        Terminal.restore()
        signal(SIGINT, SIG_DFL)
        kill(getpid(), SIGINT)
    }
}
