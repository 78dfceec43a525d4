/// What a page holds, in 256 bits: a hash of all that its keys and values follow from. Each page's key contains the one
/// before it, so equal keys mean equal tokens from the beginning on.
struct PageKey: Hashable {
    let bytes: [UInt8]

    /// The key before a sequence's first page.
    ///
    /// - Parameter space: everything besides tokens and salt that a page depends on: model, cache type, page size.
    init(space: [UInt8], salt: PrefixIndex.Salt) {
        let text = Array(salt.text.utf8)
        bytes = SHA256.hash(space + Self.word(salt.rotationVariant) + Self.word(text.count) + text)
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    /// The key of the page with these tokens after the one with this key.
    func next(_ tokens: ArraySlice<Int32>) -> PageKey {
        var message = bytes
        message.reserveCapacity(32 + 4 * tokens.count)
        for token in tokens {
            let bits = UInt32(bitPattern: token)
            for shift in stride(from: UInt32(0), to: 32, by: 8) {
                message.append(UInt8(truncatingIfNeeded: bits >> shift))
            }
        }
        return PageKey(bytes: SHA256.hash(message))
    }

    private static func word(_ value: Int) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }

    static let digits = Array("0123456789abcdef".utf8)

    /// In 64 hexadecimal digits.
    var name: String {
        String(decoding: bytes.flatMap { [Self.digits[Int($0 >> 4)], Self.digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    /// The key of a name; nil where it is none.
    init?(name: some StringProtocol) {
        let values = name.utf8.map { Self.digits.firstIndex(of: $0) }
        guard values.count == 64, !values.contains(where: { $0 == nil }) else { return nil }
        bytes = stride(from: 0, to: 64, by: 2).map { UInt8(values[$0]! * 16 + values[$0 + 1]!) }
    }
}
