internal import Foundation

/// What a terminal needs and a pipe does not.
enum Console {
    static var outputIsTerminal: Bool { isatty(STDOUT_FILENO) == 1 }
    static var inputIsTerminal: Bool { isatty(STDIN_FILENO) == 1 }
    static var errorIsTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    /// Takes the places of standard files that the caller has closed, so that no file opened later gets their numbers:
    /// reading or writing them fails instead of meeting another file.
    static func guardStandardFiles() {
        for (descriptor, mode) in [(STDIN_FILENO, O_WRONLY), (STDOUT_FILENO, O_RDONLY), (STDERR_FILENO, O_RDONLY)] {
            if fcntl(descriptor, F_GETFD) < 0, errno == EBADF { _ = open("/dev/null", mode) }
        }
    }

    /// Writes text as it is, at once.
    static func write(_ text: String) { write(Array(text.utf8)) }

    /// Writes bytes, at once. A closed pipe ends the process quietly, as it does for other tools.
    static func write(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { buffer in
            var sent = 0
            while sent < buffer.count {
                let count = Foundation.write(STDOUT_FILENO, buffer.baseAddress! + sent, buffer.count - sent)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else {
                    if errno == EPIPE { exit(0) }
                    Console.error("apus: standard output could not be written: \(String(cString: strerror(errno)))")
                    exit(1)
                }
                sent += count
            }
        }
    }

    /// Writes a line to standard error; where that is closed there is nowhere left to tell of it.
    static func error(_ line: String) { writeToError(line + "\n") }

    private static func writeToError(_ text: String) {
        let bytes = Array(text.utf8)
        var sent = 0
        bytes.withUnsafeBytes { buffer in
            while sent < buffer.count {
                let count = Foundation.write(STDERR_FILENO, buffer.baseAddress! + sent, buffer.count - sent)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { return }
                sent += count
            }
        }
    }

    /// A line that replaces itself, on a terminal only.
    static func progress(_ line: String) {
        guard errorIsTerminal else { return }
        writeToError("\r\u{1B}[K\(line)")
    }

    static func endProgress() {
        guard errorIsTerminal else { return }
        writeToError("\r\u{1B}[K")
    }

    /// An error as one sentence.
    static func sentence(_ error: any Error) -> String {
        String(describing: error).replacingOccurrences(of: "\n", with: " ")
    }

    /// Something that the user should know and that stops nothing.
    static func note(_ sentence: String) { error("apus: note: \(sentence)") }

    /// All of standard input.
    static func readInput() throws -> [UInt8] { try read(STDIN_FILENO, name: "standard input") }

    /// All of a file, which may be a pipe; `-` is standard input.
    static func read(_ file: String) throws -> [UInt8] {
        if file == "-" { return try readInput() }
        let descriptor = open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw unreadable(file) }
        defer { close(descriptor) }
        return try read(descriptor, name: file)
    }

    private static func read(_ descriptor: Int32, name: String) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Foundation.read(descriptor, &part, part.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw unreadable(name) }
            if count == 0 { return bytes }
            bytes += part[..<count]
        }
    }

    private static func unreadable(_ name: String) -> InputError {
        let reason =
            switch errno {
            case ENOENT: "there is no file of this name; check the path"
            case EISDIR: "this is a folder; name a file inside it"
            case EACCES: "permission denied; allow this user to read it"
            case EBADF: "it is closed; pipe something in"
            default: "it cannot be read: \(String(cString: strerror(errno)))"
            }
        return InputError(file: name, reason: reason)
    }

    /// Bytes as text.
    static func text(_ bytes: [UInt8], of name: String) throws -> String {
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        // Where the text that the well-formed part makes differs from the bytes, it went wrong.
        let repaired = Array(String(decoding: bytes, as: UTF8.self).utf8)
        let place = zip(bytes, repaired).prefix { $0 == $1 }.count
        throw InputError(
            file: name, reason: "the text is not valid UTF-8 at byte \(place); convert it first (iconv -t UTF-8)")
    }

    /// Any value as one line or an indented object of JSON, keys sorted.
    static func json(_ value: some Encodable, pretty: Bool = false) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting =
            pretty ? [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted] : [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// Bytes in the unit that fits.
    static func bytes(_ count: Int) -> String {
        let units = ["B", "KB", "MB", "GB", "TB"]
        var value = Double(count)
        var unit = 0
        while value >= 1000, unit < units.count - 1 {
            value /= 1000
            unit += 1
        }
        return unit == 0 ? "\(count) B" : String(format: value < 10 ? "%.2f %@" : "%.1f %@", value, units[unit])
    }
}

/// Runs a closure once on the first interrupt (Ctrl-C); a second one ends the process as usual.
final class InterruptHandler {
    private let source: any DispatchSourceSignal

    init(_ action: @escaping @Sendable () -> Void) {
        signal(SIGINT, SIG_IGN)
        source = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
        source.setEventHandler {
            signal(SIGINT, SIG_DFL)
            action()
        }
        source.resume()
    }

    deinit {
        source.cancel()
        signal(SIGINT, SIG_DFL)
    }
}

/// A file, or standard input, that a command cannot use.
struct InputError: Error, CustomStringConvertible {
    let file: String
    let reason: String
    var description: String { "\(file): \(reason)" }
}
