internal import ArgumentParser
internal import Conversation
internal import Foundation

/// A conversation from a pipe or a file: one message a line, answers alone on standard output.
struct PipedChat {
    private let session: ChatSession

    init(_ session: ChatSession) { self.session = session }

    func run() async throws {
        guard let input = fdopen(STDIN_FILENO, "r") else { throw ChatError("Standard input cannot be read.") }
        var assembler = InputAssembler()
        while let bytes = Self.readLine(input) {
            guard var line = String(validating: bytes, as: UTF8.self) else {
                throw ChatError("A line of standard input is not valid UTF-8; convert the input first.")
            }
            if line.last == "\r" { line.removeLast() }
            guard try await take(assembler.push(line)) else { return }
        }
        _ = try await take(try assembler.finish())
    }

    /// - Returns: whether the conversation goes on.
    private func take(_ entry: InputAssembler.Entry) async throws -> Bool {
        switch entry {
        case .more, .empty: return true
        case .command(let line):
            switch try session.perform(try ChatCommand(parsing: line)) {
            case .leave: return false
            case .say(let text): Console.error(text)
            case .answer(let question): try await answer(question)
            }
        case .message(let text): try await answer(session.question(text))
        }
        return true
    }

    private func answer(_ question: ChatSession.Question) async throws {
        let outcome = try await session.answer(question) { Console.write($0) }
        Console.write("\n")
        if let note = session.note(outcome) { Console.error(note) }
    }

    /// One line without its end; nil after the last.
    private static func readLine(_ input: UnsafeMutablePointer<FILE>) -> [UInt8]? {
        var line: UnsafeMutablePointer<CChar>?
        var capacity = 0
        let count = getline(&line, &capacity, input)
        defer { free(line) }
        guard count > 0, let line else { return nil }
        let bytes = UnsafeRawBufferPointer(start: line, count: count)
        return Array(bytes.last == UInt8(ascii: "\n") ? bytes.dropLast() : bytes[...])
    }
}
