extension Character {
    /// Columns that a terminal gives this character: 0, 1 or 2, by East Asian Width and emoji presentation. Terminals
    /// differ on sequences that they cannot draw as one; then this is an approximation. A tab counts as four.
    package var terminalWidth: Int {
        guard let first = unicodeScalars.first else { return 0 }
        if self == "\t" { return 4 }
        if first.isASCII { return unicodeScalars.contains { $0.value == 0xFE0F } && unicodeScalars.count > 1 ? 2 : 1 }
        switch first.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format, .control: return 0
        default: break
        }
        if first.properties.isEmojiPresentation || unicodeScalars.contains(where: { $0.value == 0xFE0F }) { return 2 }
        return Self.wide.contains { $0.contains(first.value) } ? 2 : 1
    }

    /// Blocks whose characters are wide (Unicode Standard Annex 11, classes W and F).
    private static let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF,
        0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6,
        0x17000...0x18CFF, 0x1B000...0x1B2FF, 0x1F1E6...0x1F1FF, 0x20000...0x3FFFD,
    ]
}

extension String {
    /// The text with control characters in caret notation, so that what a model or a file says cannot steer the terminal.
    /// Newlines and tabs stay.
    package var withVisibleControls: String {
        var result = ""
        result.unicodeScalars.reserveCapacity(unicodeScalars.count)
        for scalar in unicodeScalars {
            switch scalar.value {
            case 0x0A, 0x09: result.unicodeScalars.append(scalar)
            case 0..<0x20: result += "^" + String(UnicodeScalar(UInt8(scalar.value + 0x40)))
            case 0x7F: result += "^?"
            case 0x80..<0xA0: result += "\\u{" + String(scalar.value, radix: 16) + "}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
