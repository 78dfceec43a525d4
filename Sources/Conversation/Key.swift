/// What a key, or a paste, means to the line editor.
package enum Key: Sendable, Equatable {
    /// A character, or part of one: a combining mark joins what stands before it.
    case text(String)
    case paste(String)
    case enter, newline, tab
    case left, right, up, down, home, end, wordLeft, wordRight
    case backspace, delete, deleteWordLeft, deleteWordRight, deleteToStart, deleteToEnd, yank
    case clearScreen, interrupt, endOfInput, suspend
}

/// Turns the bytes that a terminal sends into keys. Bytes may come in any pieces.
package struct KeyDecoder: Sendable {
    private var pending: [UInt8] = []
    /// What was pasted so far; nil outside a paste.
    private var pasted: [UInt8]?
    private static let escape: UInt8 = 0x1B
    private static let pasteEnd: [UInt8] = Array("\u{1B}[201~".utf8)

    package init() {}

    /// Whether bytes wait that could be the beginning of a key. A lone escape key looks so as well: after a moment of
    /// silence, ``flush()``.
    package var isPending: Bool { !pending.isEmpty && pasted == nil }

    /// Gives up on an incomplete sequence.
    package mutating func flush() { pending = [] }

    /// Keys that are complete with these bytes.
    package mutating func push(_ bytes: some Sequence<UInt8>) -> [Key] {
        var keys: [Key] = []
        for byte in bytes {
            if pasted != nil {
                pasted!.append(byte)
                if byte == UInt8(ascii: "~"), pasted!.suffix(6).elementsEqual(Self.pasteEnd) {
                    keys.append(.paste(Self.plain(pasted!.dropLast(6))))
                    pasted = nil
                }
                continue
            }
            pending.append(byte)
            switch next() {
            case .incomplete: break
            case .ignored: pending = []
            case .key(let key):
                keys.append(key)
                pending = []
            case .pasteBegins:
                pending = []
                pasted = []
            }
        }
        return keys
    }

    private enum Step {
        case incomplete, ignored, pasteBegins
        case key(Key)
    }

    private func next() -> Step {
        let first = pending[0]
        if first == Self.escape { return escapeSequence() }
        if first >= 0x80 { return character(first) }
        if first >= 0x20 && first != 0x7F { return .key(.text(String(UnicodeScalar(first)))) }
        let controls: [UInt8: Key] = [
            0x01: .home, 0x02: .left, 0x03: .interrupt, 0x04: .endOfInput, 0x05: .end, 0x06: .right, 0x08: .backspace,
            0x09: .tab, 0x0A: .enter, 0x0B: .deleteToEnd, 0x0C: .clearScreen, 0x0D: .enter, 0x0E: .down, 0x10: .up,
            0x15: .deleteToStart, 0x17: .deleteWordLeft, 0x19: .yank, 0x1A: .suspend, 0x7F: .backspace,
        ]
        return controls[first].map(Step.key) ?? .ignored
    }

    /// A character of several bytes; bytes that are no UTF-8 are dropped.
    private func character(_ first: UInt8) -> Step {
        let length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 ? 2 : 1
        if pending.count < length { return pending.last! & 0xC0 == 0x80 || pending.count == 1 ? .incomplete : .ignored }
        return String(validating: pending, as: UTF8.self).map { .key(.text($0)) } ?? .ignored
    }

    private func escapeSequence() -> Step {
        // Some terminals send Alt as a second escape before the sequence.
        let start = pending.count > 1 && pending[1] == Self.escape ? 2 : 1
        let alt = start == 2
        guard pending.count > start else { return .incomplete }
        let last = pending.last!
        switch pending[start] {
        case UInt8(ascii: "["):
            guard pending.count > start + 1 else { return .incomplete }
            // Parameters and intermediates until a final byte; nothing real is longer than this.
            guard (0x40...0x7E).contains(last) else { return pending.count < 32 ? .incomplete : .ignored }
            let text = String(decoding: pending[(start + 1)..<(pending.count - 1)], as: UTF8.self)
            let numbers = text.split(separator: ";", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
            let modified = alt || (numbers.count > 1 && numbers[1] > 2)
            return last == UInt8(ascii: "~")
                ? numbered(numbers[0], modified) : arrow(last, modified)
        case UInt8(ascii: "O"): return pending.count > start + 1 ? arrow(last, alt) : .incomplete
        case UInt8(ascii: "b"), UInt8(ascii: "B"): return .key(.wordLeft)
        case UInt8(ascii: "f"), UInt8(ascii: "F"): return .key(.wordRight)
        case UInt8(ascii: "d"), UInt8(ascii: "D"): return .key(.deleteWordRight)
        case 0x7F, 0x08: return .key(.deleteWordLeft)
        case 0x0D, 0x0A: return .key(.newline)
        default: return .ignored
        }
    }

    private func numbered(_ number: Int, _ modified: Bool) -> Step {
        switch number {
        case 1, 7: .key(.home)
        case 4, 8: .key(.end)
        case 3: .key(modified ? .deleteWordRight : .delete)
        case 200: .pasteBegins
        default: .ignored
        }
    }

    private func arrow(_ letter: UInt8, _ modified: Bool) -> Step {
        switch letter {
        case UInt8(ascii: "A"): .key(.up)
        case UInt8(ascii: "B"): .key(.down)
        case UInt8(ascii: "C"): .key(modified ? .wordRight : .right)
        case UInt8(ascii: "D"): .key(modified ? .wordLeft : .left)
        case UInt8(ascii: "H"): .key(.home)
        case UInt8(ascii: "F"): .key(.end)
        default: .ignored
        }
    }

    /// Pasted text with newlines of one kind and without other control characters.
    private static func plain(_ bytes: some Sequence<UInt8>) -> String {
        var scalars = String.UnicodeScalarView()
        var previous: Unicode.Scalar = " "
        for scalar in String(decoding: Array(bytes), as: UTF8.self).unicodeScalars {
            defer { previous = scalar }
            switch scalar {
            case "\r": scalars.append("\n")
            case "\n" where previous == "\r": break
            case "\n", "\t": scalars.append(scalar)
            default: if scalar.properties.generalCategory != .control { scalars.append(scalar) }
            }
        }
        return String(scalars)
    }
}
