internal import Inference
internal import Synchronization
internal import Text

/// Finds the earliest of several texts in a stream of text, and holds back what could be the beginning of one.
struct StopMatcher {
    private let stops: [[UInt8]]
    private var held: [UInt8] = []
    private(set) var isComplete = false

    init(_ stops: [String]) { self.stops = stops.map { Array($0.utf8) } }

    /// Takes more text; returns what is certain to come before any stop text.
    mutating func push(_ text: String) -> String {
        guard !isComplete else { return "" }
        if stops.isEmpty { return text }
        held += Array(text.utf8)
        for start in held.indices {
            for stop in stops where held[start...].starts(with: stop) {
                isComplete = true
                let before = String(decoding: held[..<start], as: UTF8.self)
                held = []
                return before
            }
            // A stop text may have begun here: what follows waits for more.
            let rest = held[start...]
            if stops.contains(where: { $0.starts(with: rest) }) {
                let before = String(decoding: held[..<start], as: UTF8.self)
                held.removeFirst(start)
                return before
            }
        }
        defer { held = [] }
        return String(decoding: held, as: UTF8.self)
    }

    /// What was held back, now that nothing follows.
    mutating func finish() -> String {
        defer { held = [] }
        return String(decoding: held, as: UTF8.self)
    }
}

/// Tokens to text, without what a stop text ends.
struct TextAssembler {
    private var detokenizer: StreamingDetokenizer
    private var matcher: StopMatcher

    /// - Parameter known: tokens before the answer whose text the answer continues; stop texts in it do not count.
    init(_ tokenizer: Tokenizer, stop: [String], after known: [Int32] = []) {
        detokenizer = StreamingDetokenizer(tokenizer)
        detokenizer.skip(known)
        matcher = StopMatcher(stop)
    }

    var isComplete: Bool { matcher.isComplete }

    mutating func push(_ id: Int32) -> String { matcher.push(detokenizer.push(id)) }

    mutating func finish() -> String {
        let last = matcher.push(detokenizer.finish())
        return last + matcher.finish()
    }
}

/// Ends an answer where its text contains one of several texts. Used by the engine's thread alone.
final class StopStrings: StopCondition, Sendable {
    private let assembler: Mutex<TextAssembler>

    init(_ assembler: TextAssembler) { self.assembler = Mutex(assembler) }

    func shouldStop(after token: Int32) -> Bool {
        assembler.withLock { assembler in
            _ = assembler.push(token)
            return assembler.isComplete
        }
    }
}
