/// The merges of a byte-pair encoding: for a pair of neighbouring ids its rank (lower merges first) and the id it
/// becomes, in an open-addressing table keyed by the pair.
struct MergeTable: Sendable {
    static let none = UInt64.max
    private var keys: [UInt64]
    private var values: [UInt64]
    private var mask: Int
    private(set) var count = 0

    init(capacity: Int) {
        var size = 16
        while size < capacity * 2 { size *= 2 }
        keys = [UInt64](repeating: Self.none, count: size)
        values = [UInt64](repeating: 0, count: size)
        mask = size - 1
    }

    @inline(__always)
    private func home(_ key: UInt64) -> Int {
        let product = key &* 0x9E37_79B9_7F4A_7C15
        return Int(truncatingIfNeeded: product >> 20 ^ product >> 44) & mask
    }

    /// A pair given again takes the later rank, as the tokenizers' own tables do, unless `keepingFirst`.
    mutating func insert(_ left: Int32, _ right: Int32, rank: UInt32, id: Int32, keepingFirst: Bool = false) {
        precondition(count * 2 <= keys.count, "the table was made too small")
        let key = UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
        var slot = home(key)
        while keys[slot] != Self.none, keys[slot] != key { slot = (slot + 1) & mask }
        if keys[slot] == key, keepingFirst { return }
        if keys[slot] == Self.none { count += 1 }
        keys[slot] = key
        values[slot] = UInt64(rank) << 32 | UInt64(UInt32(bitPattern: id))
    }

    /// `rank << 32 | id` of a pair, or ``none``.
    @inline(__always)
    func value(_ left: Int32, _ right: Int32) -> UInt64 {
        let key = UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
        var slot = home(key)
        return keys.withUnsafeBufferPointer { keys in
            while true {
                let found = keys[slot]
                if found == key { return values[slot] }
                if found == Self.none { return Self.none }
                slot = (slot + 1) & mask
            }
        }
    }
}
