/// Byte strings and their ids, both ways, in flat storage: one arena, offsets by id, and an open-addressing hash table.
struct TokenTable: Sendable {
    private var arena: [UInt8] = []
    // By id: the token's start and length in the arena; length -1 where no token has this id.
    private var starts: [Int] = []
    private var lengths: [Int32] = []
    private var slots: [Int32]
    private var mask: Int
    private var used = 0

    // Where a token of no bytes is read from.
    nonisolated(unsafe) private static let nothing =
        UnsafePointer<UInt8>(UnsafeMutablePointer<UInt8>.allocate(capacity: 1))

    /// One more than the greatest id.
    var count: Int { lengths.count }

    init(capacity: Int) {
        var size = 16
        while size < capacity * 2 { size *= 2 }
        slots = [Int32](repeating: -1, count: size)
        mask = size - 1
    }

    @inline(__always)
    static func hash(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> UInt64 {
        var hash: UInt64 = 0x9E37_79B9_7F4A_7C15 ^ UInt64(truncatingIfNeeded: count)
        var index = 0
        while index + 8 <= count {
            let word = UnsafeRawPointer(bytes + index).loadUnaligned(as: UInt64.self)
            hash = mix(hash, word)
            index += 8
        }
        if index < count {
            var word: UInt64 = 0
            var shift: UInt64 = 0
            while index < count {
                word |= UInt64(bytes[index]) << shift
                shift += 8
                index += 1
            }
            hash = mix(hash, word)
        }
        return hash ^ hash >> 29
    }

    @inline(__always)
    private static func mix(_ hash: UInt64, _ word: UInt64) -> UInt64 {
        let (high, low) = (hash ^ word).multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
        return high ^ low &+ word
    }

    /// Gives `token` the id. A token that is there already keeps its first id for look-ups by bytes unless
    /// `replacing`; an id that is taken is taken over.
    mutating func insert(_ token: some Collection<UInt8>, id: Int32, replacing: Bool = false) {
        let start = arena.count
        arena.append(contentsOf: token)
        let count = arena.count - start
        if Int(id) >= lengths.count {
            starts.append(contentsOf: repeatElement(0, count: Int(id) + 1 - starts.count))
            lengths.append(contentsOf: repeatElement(-1, count: Int(id) + 1 - lengths.count))
        }
        starts[Int(id)] = start
        lengths[Int(id)] = Int32(count)
        if used * 2 >= slots.count { grow() }
        let slot = arena.withUnsafeBufferPointer { findSlot($0.baseAddress.map { $0 + start } ?? Self.nothing, count) }
        if slots[slot] < 0 {
            slots[slot] = id
            used += 1
        } else if replacing {
            slots[slot] = id
        }
    }

    private mutating func grow() {
        let old = slots
        slots = [Int32](repeating: -1, count: old.count * 2)
        mask = slots.count - 1
        arena.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            for id in old where id >= 0 {
                slots[findSlot(base + starts[Int(id)], Int(lengths[Int(id)]))] = id
            }
        }
    }

    private func findSlot(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int {
        arena.withUnsafeBufferPointer { arena in
            slots.withUnsafeBufferPointer { slots in
                var slot = Int(truncatingIfNeeded: Self.hash(bytes, count)) & mask
                while true {
                    let id = slots[slot]
                    if id < 0 { return slot }
                    if Int(lengths[Int(id)]) == count {
                        let start = starts[Int(id)]
                        var index = 0
                        while index < count, arena[start + index] == bytes[index] { index += 1 }
                        if index == count { return slot }
                    }
                    slot = (slot + 1) & mask
                }
            }
        }
    }

    @inline(__always)
    func id(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int32? {
        let id = slots[findSlot(bytes, count)]
        return id < 0 ? nil : id
    }

    func id(of token: ArraySlice<UInt8>) -> Int32? {
        token.withUnsafeBufferPointer { $0.baseAddress.flatMap { base in id(base, token.count) } }
    }

    func id(of token: [UInt8]) -> Int32? { id(of: token[...]) }

    func id(of token: String) -> Int32? { id(of: Array(token.utf8)) }

    func contains(id: Int32) -> Bool { id >= 0 && Int(id) < lengths.count && lengths[Int(id)] >= 0 }

    /// The token of an id, or nil where no token has it.
    func token(_ id: Int32) -> ArraySlice<UInt8>? {
        guard contains(id: id) else { return nil }
        return arena[starts[Int(id)]..<starts[Int(id)] + Int(lengths[Int(id)])]
    }
}
