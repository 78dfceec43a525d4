/// Letter case by Unicode's full mappings, as for texts without a locale.
extension TemplateString {
    private func mapped(_ change: (Unicode.Scalar.Properties) -> String) -> TemplateString {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        for scalar in string.unicodeScalars { result.append(contentsOf: change(scalar.properties).utf8) }
        return with(result)
    }

    var uppercased: TemplateString {
        if isASCII { return with(bytes.map { (97...122).contains($0) ? $0 - 32 : $0 }) }
        return mapped(\.uppercaseMapping)
    }

    var lowercased: TemplateString {
        if isASCII { return with(bytes.map { (65...90).contains($0) ? $0 + 32 : $0 }) }
        let scalars = scalars
        var result: [UInt8] = []
        for index in scalars.indices { result += Self.lower(scalars, index) }
        return with(result)
    }

    /// The lowercase of one scalar; a sigma that ends a word has a form of its own.
    private static func lower(_ scalars: [Unicode.Scalar], _ index: Int) -> [UInt8] {
        guard scalars[index] == "\u{3A3}" else { return Array(scalars[index].properties.lowercaseMapping.utf8) }
        let before = scalars[..<index].last { !$0.properties.isCaseIgnorable }
        let after = scalars[(index + 1)...].first { !$0.properties.isCaseIgnorable }
        let isFinal = before?.properties.isCased == true && after?.properties.isCased != true
        return Array((isFinal ? "\u{3C2}" : "\u{3C3}").utf8)
    }

    /// The first scalar in title case, the others in lower case.
    var capitalized: TemplateString {
        let scalars = scalars
        guard let first = scalars.first else { return self }
        var result = Array(first.properties.titlecaseMapping.utf8)
        for index in scalars.indices.dropFirst() { result += Self.lower(scalars, index) }
        return with(result)
    }

    var titlecased: TemplateString {
        let scalars = scalars
        var result: [UInt8] = []
        var isInWord = false
        for (index, scalar) in scalars.enumerated() {
            result += isInWord ? Self.lower(scalars, index) : Array(scalar.properties.titlecaseMapping.utf8)
            isInWord = scalar.properties.isCased
        }
        return with(result)
    }

    var caseSwapped: TemplateString {
        let scalars = scalars
        var result: [UInt8] = []
        for (index, scalar) in scalars.enumerated() {
            if scalar.properties.isUppercase {
                result += Self.lower(scalars, index)
            } else {
                let swapped = scalar.properties.isLowercase ? scalar.properties.uppercaseMapping : String(scalar)
                result += Array(swapped.utf8)
            }
        }
        return with(result)
    }

    /// For comparing without regard to case. Swift has no full folding; lowercase of the uppercase agrees with it but
    /// for a few letters that have several lowercase forms.
    var caseFolded: TemplateString { isASCII ? lowercased : uppercased.lowercased }

    private func isAll(_ wanted: (Unicode.Scalar.Properties) -> Bool) -> Bool {
        var isAnyCased = false
        for scalar in string.unicodeScalars where scalar.properties.isCased {
            guard wanted(scalar.properties) else { return false }
            isAnyCased = true
        }
        return isAnyCased
    }

    var isLowercase: Bool { isAll(\.isLowercase) }
    var isUppercase: Bool { isAll(\.isUppercase) }

    /// Whether each word begins in upper or title case and goes on in lower case, and there is a word.
    var isTitlecase: Bool {
        var isInWord = false
        var isAnyCased = false
        for scalar in string.unicodeScalars {
            let properties = scalar.properties
            if properties.isUppercase || properties.generalCategory == .titlecaseLetter {
                if isInWord { return false }
                (isInWord, isAnyCased) = (true, true)
            } else if properties.isLowercase {
                if !isInWord { return false }
            } else {
                isInWord = false
            }
        }
        return isAnyCased
    }

    var isIdentifier: Bool {
        let scalars = string.unicodeScalars
        guard let first = scalars.first, first == "_" || first.properties.isXIDStart else { return false }
        return scalars.dropFirst().allSatisfy(\.properties.isXIDContinue)
    }
}

extension Unicode.Scalar {
    var isAlphabetic: Bool {
        switch properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
        default: false
        }
    }

    var isAlphanumeric: Bool { isAlphabetic || properties.numericType != nil }
}
