internal import Inference
internal import Synchronization
package import Text

/// Ends a stream of text where one of several texts is first complete, and holds back what could be the beginning of one.
/// Of stop texts that are complete with the same byte the longest counts. How the stream is cut plays no part.
struct StopMatcher {
    private let stops: [[UInt8]]
    /// The longest end of the text that some stop text begins with.
    private var held: [UInt8] = []
    /// The stop text that was complete first.
    private(set) var matched: String?
    var isComplete: Bool { matched != nil }

    /// Longest first.
    init(_ stops: [String]) { self.stops = stops.map { Array($0.utf8) }.sorted { $0.count > $1.count } }

    /// Takes more text, whole characters; returns what is certain to come before any stop text.
    ///
    /// - Complexity: bytes × stop texts × the square of their length at worst; one comparison a byte on most text.
    mutating func push(_ text: String) -> String {
        guard !isComplete else { return "" }
        if stops.isEmpty { return text }
        var before: [UInt8] = []
        for byte in text.utf8 {
            held.append(byte)
            if let stop = stops.first(where: { held.count >= $0.count && held.suffix($0.count).elementsEqual($0) }) {
                matched = String(decoding: stop, as: UTF8.self)
                before += held.dropLast(stop.count)
                held = []
                break
            }
            // Stop texts begin with a character, so what is held does too.
            while !held.isEmpty, !stops.contains(where: { $0.starts(with: held) }) { before.append(held.removeFirst()) }
        }
        return String(decoding: before, as: UTF8.self)
    }

    /// What was held back, now that nothing follows.
    mutating func finish() -> String {
        defer { held = [] }
        return String(decoding: held, as: UTF8.self)
    }
}

/// Tokens to text, without what a stop text ends.
package struct TextAssembler: Sendable {
    private var detokenizer: StreamingDetokenizer
    private var matcher: StopMatcher

    /// - Parameter known: tokens before the answer whose text the answer continues; stop texts in it do not count.
    package init(_ tokenizer: Tokenizer, stop: [String], after known: [Int32] = []) {
        detokenizer = StreamingDetokenizer(tokenizer)
        detokenizer.skip(known)
        matcher = StopMatcher(stop)
    }

    var isComplete: Bool { matcher.isComplete }
    package var matched: String? { matcher.matched }

    package mutating func push(_ id: Int32) -> String { matcher.push(detokenizer.push(id)) }

    package mutating func finish() -> String {
        let last = matcher.push(detokenizer.finish())
        return last + matcher.finish()
    }
}

/// Ends an answer where its text contains one of several texts. Used by the engine's thread alone.
package final class StopStrings: StopCondition, Sendable {
    private let assembler: Mutex<TextAssembler>

    package init(_ assembler: TextAssembler) { self.assembler = Mutex(assembler) }

    package func shouldStop(after token: Int32) -> Bool {
        assembler.withLock { assembler in
            _ = assembler.push(token)
            return assembler.isComplete
        }
    }
}
