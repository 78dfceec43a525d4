/// The classes that patterns and normalizers ask of a scalar: its general category (Unicode Standard Annex #44),
/// whether it is white space, and whether it is alphabetic.
///
/// A class code is the general category in its low five bits, where control characters that are white space have a code
/// of their own, so that every set built of categories and white space is one 32-bit mask; bit 5 says alphabetic.
enum ScalarClass {
    static let alphabeticBit: UInt8 = 0x20
    static let codeMask: UInt8 = 0x1F

    // Codes, in the order in which masks name them.
    static let names: [String] = [
        "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po",
        "Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Cn",
    ]
    static let controlSpaceCode: UInt8 = 30

    static func mask(_ name: String) -> UInt32? {
        var mask: UInt32 = 0
        for (code, known) in names.enumerated()
        where name.utf8.elementsEqual(known.utf8) || (name.utf8.count == 1 && known.utf8.first == name.utf8.first) {
            mask |= 1 << UInt32(code)
        }
        if mask & (1 << 25) != 0 { mask |= 1 << UInt32(controlSpaceCode) }
        return mask == 0 ? nil : mask
    }

    static let letters: UInt32 = 0x1F
    static let marks: UInt32 = 0xE0
    static let numbers: UInt32 = 0x700
    static let punctuation: UInt32 = 0x3F800
    static let symbols: UInt32 = 0x3C_0000
    static let whiteSpace: UInt32 = 1 << 22 | 1 << 23 | 1 << 24 | 1 << 30
    static let decimalDigits: UInt32 = 1 << 8
    static let connectors: UInt32 = 1 << 11
    static let nonspacingMarks: UInt32 = 1 << 5

    static let tableCount = 0x20000

    /// Class codes of the first two planes; the rest is asked of the standard library each time.
    static let table: [UInt8] = (0..<UInt32(tableCount)).map { compute($0) }

    static func compute(_ value: UInt32) -> UInt8 {
        guard let scalar = Unicode.Scalar(value) else { return 27 }
        let properties = scalar.properties
        var code = code(of: properties.generalCategory)
        if code == 25, properties.isWhitespace { code = controlSpaceCode }
        return properties.isAlphabetic ? code | alphabeticBit : code
    }

    @inline(__always)
    static func of(_ scalar: UInt32) -> UInt8 {
        scalar < UInt32(tableCount) ? table[Int(scalar)] : compute(scalar)
    }

    /// Whether the scalar's code is one of the mask's.
    @inline(__always)
    static func matches(_ scalar: UInt32, _ mask: UInt32) -> Bool {
        mask >> UInt32(of(scalar) & codeMask) & 1 != 0
    }

    /// Whether the scalar was assigned by this major version of Unicode. Some normalizers keep the tables of one.
    static func isAssigned(_ scalar: UInt32, by version: Int) -> Bool {
        if scalar < 0x300 { return true }
        return Unicode.Scalar(scalar)?.properties.age.map { $0.major <= version } ?? false
    }

    private static func code(of category: Unicode.GeneralCategory) -> UInt8 {
        switch category {
        case .uppercaseLetter: 0
        case .lowercaseLetter: 1
        case .titlecaseLetter: 2
        case .modifierLetter: 3
        case .otherLetter: 4
        case .nonspacingMark: 5
        case .spacingMark: 6
        case .enclosingMark: 7
        case .decimalNumber: 8
        case .letterNumber: 9
        case .otherNumber: 10
        case .connectorPunctuation: 11
        case .dashPunctuation: 12
        case .openPunctuation: 13
        case .closePunctuation: 14
        case .initialPunctuation: 15
        case .finalPunctuation: 16
        case .otherPunctuation: 17
        case .mathSymbol: 18
        case .currencySymbol: 19
        case .modifierSymbol: 20
        case .otherSymbol: 21
        case .spaceSeparator: 22
        case .lineSeparator: 23
        case .paragraphSeparator: 24
        case .control: 25
        case .format: 26
        case .surrogate: 27
        case .privateUse: 28
        case .unassigned: 29
        @unknown default: 29
        }
    }
}
