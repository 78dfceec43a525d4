/// What was entered before: bounded, oldest first. A line of its file is an entry, with newlines and backslashes escaped.
package struct EntryHistory: Sendable, Equatable {
    /// The most entries kept.
    package static let limit = 1000
    /// The most bytes of an entry that is kept; a longer one is a pasted document, not something to recall.
    package static let entryBytes = 16384

    package private(set) var entries: [String] = []

    package init() {}

    /// Reads a file; lines that are no UTF-8 are left out.
    package init(parsing bytes: [UInt8]) {
        for line in bytes.split(separator: UInt8(ascii: "\n")).suffix(Self.limit) {
            if let text = String(validating: line, as: UTF8.self) { _ = add(Self.unescape(text)) }
        }
    }

    /// Adds an entry unless it is blank, too long, or the last one again.
    ///
    /// - Returns: whether it was added.
    package mutating func add(_ entry: String) -> Bool {
        guard entry.contains(where: { !$0.isWhitespace }), entry.utf8.count <= Self.entryBytes, entry != entries.last
        else {
            return false
        }
        entries.append(entry)
        if entries.count > Self.limit { entries.removeFirst(entries.count - Self.limit) }
        return true
    }

    /// The file of all entries.
    package var bytes: [UInt8] { entries.flatMap(Self.line) }

    /// An entry as a line of the file.
    package static func line(_ entry: String) -> [UInt8] {
        var line: [UInt8] = []
        for byte in entry.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): line += [byte, byte]
            case UInt8(ascii: "\n"): line += [UInt8(ascii: "\\"), UInt8(ascii: "n")]
            default: line.append(byte)
            }
        }
        return line + [UInt8(ascii: "\n")]
    }

    private static func unescape(_ line: String) -> String {
        var result = ""
        var isEscaped = false
        for scalar in line.unicodeScalars {
            if isEscaped {
                result.unicodeScalars.append(scalar == "n" ? "\n" : scalar)
                isEscaped = false
            } else if scalar == "\\" {
                isEscaped = true
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
