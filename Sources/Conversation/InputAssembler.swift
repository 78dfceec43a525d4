/// Puts lines together to messages and commands: a backslash at the end continues, `"""` begins and ends a block.
package struct InputAssembler: Sendable {
    /// What a line made of the input so far.
    package enum Entry: Sendable, Equatable {
        /// More lines belong to it.
        case more
        case empty
        case message(String)
        /// A line that begins with one slash.
        case command(String)
    }

    private enum Mode { case line, continuation, block }
    private var mode = Mode.line
    private var lines: [String] = []
    private static let fence = "\"\"\""

    package init() {}

    /// Whether a message has begun and is not complete.
    package var isPending: Bool { mode != .line }
    /// Whether a block is open.
    package var isInBlock: Bool { mode == .block }

    /// Takes what was entered: one line, or several that were pasted together.
    package mutating func push(_ entry: String) -> Entry {
        switch mode {
        case .block: return pushToBlock(entry[...])
        case .line:
            let start = entry.drop { $0.isWhitespace }
            if start.hasPrefix(Self.fence) { return pushToBlock(start.dropFirst(3)) }
        case .continuation: break
        }
        // An even number of backslashes is the user's own text.
        if entry.reversed().prefix(while: { $0 == "\\" }).count % 2 == 1 {
            mode = .continuation
            lines.append(String(entry.dropLast()))
            return .more
        }
        lines.append(entry)
        return complete()
    }

    /// What is left when the input ends.
    ///
    /// - Throws: ``ChatError`` where a block is still open.
    package mutating func finish() throws(ChatError) -> Entry {
        switch mode {
        case .line: return .empty
        case .continuation: return complete()
        case .block:
            reset()
            throw ChatError("The input ended inside a block; close it with \"\"\".")
        }
    }

    /// Forgets an incomplete message.
    package mutating func reset() {
        mode = .line
        lines = []
    }

    private mutating func pushToBlock(_ entry: Substring) -> Entry {
        mode = .block
        var end = entry
        while let last = end.last, last.isWhitespace { end = end.dropLast() }
        guard end.hasSuffix(Self.fence) else {
            lines.append(String(entry))
            return .more
        }
        lines += end.dropLast(3).split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        // The fences' own lines are no part of the text where nothing else stands on them.
        if lines.count > 1, lines.first!.allSatisfy(\.isWhitespace) { lines.removeFirst() }
        if lines.count > 1, lines.last!.allSatisfy(\.isWhitespace) { lines.removeLast() }
        defer { reset() }
        let text = lines.joined(separator: "\n")
        return text.allSatisfy(\.isWhitespace) ? .empty : .message(text)
    }

    private mutating func complete() -> Entry {
        let text = trimmed(lines.joined(separator: "\n"))
        let isOneEntry = lines.count == 1
        reset()
        if text.isEmpty { return .empty }
        if text.hasPrefix("//") { return .message(String(text.dropFirst())) }
        return isOneEntry && text.hasPrefix("/") ? .command(text) : .message(text)
    }
}
