/// The scalars that equal a scalar when case is ignored, by simple case mappings, with the three letters whose only
/// link to ASCII or Latin-1 is their folding (ſ, the Kelvin sign, the Ångström sign).
enum CaseFolding {
    static func variants(of scalar: UInt32) -> [UInt32] {
        var found: [UInt32] = [scalar]
        var index = 0
        while index < found.count {
            let value = found[index]
            index += 1
            var related: [UInt32] = []
            if let valid = Unicode.Scalar(value) {
                let properties = valid.properties
                for mapping in [properties.lowercaseMapping, properties.uppercaseMapping, properties.titlecaseMapping] {
                    let mapped = mapping.unicodeScalars
                    if mapped.count == 1, let only = mapped.first { related.append(only.value) }
                }
            }
            switch value {
            case 0x73: related.append(0x17F)
            case 0x6B: related.append(0x212A)
            case 0xE5: related.append(0x212B)
            default: break
            }
            for candidate in related where !found.contains(candidate) { found.append(candidate) }
        }
        return found
    }
}

/// The ranges of the script Han (Unicode Character Database, `Scripts.txt`).
enum HanScript {
    static let ranges: [(UInt32, UInt32)] = [
        (0x2E80, 0x2E99), (0x2E9B, 0x2EF3), (0x2F00, 0x2FD5), (0x3005, 0x3005), (0x3007, 0x3007), (0x3021, 0x3029),
        (0x3038, 0x303B), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFA6D), (0xFA70, 0xFAD9), (0x16FE2, 0x16FE3),
        (0x16FF0, 0x16FF1), (0x20000, 0x2A6DF), (0x2A700, 0x2B739), (0x2B740, 0x2B81D), (0x2B820, 0x2CEA1),
        (0x2CEB0, 0x2EBE0), (0x2EBF0, 0x2EE5D), (0x2F800, 0x2FA1D), (0x30000, 0x3134A), (0x31350, 0x323AF),
    ]
}
