/// Ids of pieces seen before in the same text, so that a word that comes back is looked up and not merged again. It
/// changes no result: what it holds is what the model gave. When full it starts anew.
struct PieceCache {
    static let longestKey = 64
    static let entryLimit = 1 << 16

    private struct Entry {
        var hash: UInt64
        var keyStart: UInt32
        var idStart: UInt32
        var keyCount: UInt16
        var idCount: UInt16
    }

    private var slots = [Int32](repeating: -1, count: 512)
    private var entries: [Entry] = []
    private var keys: [UInt8] = []
    private var ids: [Int32] = []

    /// Appends the piece's ids to `output` where they are known. Otherwise the caller finds them and calls ``store``.
    @inline(__always)
    func append(_ bytes: UnsafePointer<UInt8>, _ count: Int, _ hash: UInt64, to output: inout [Int32]) -> Bool {
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: hash) & mask
        while true {
            let index = slots[slot]
            if index < 0 { return false }
            let entry = entries[Int(index)]
            if entry.hash == hash, Int(entry.keyCount) == count {
                let same = keys.withUnsafeBufferPointer { keys in
                    let start = Int(entry.keyStart)
                    var position = 0
                    while position < count, keys[start + position] == bytes[position] { position += 1 }
                    return position == count
                }
                if same {
                    let start = Int(entry.idStart)
                    if entry.idCount == 1 {
                        output.append(ids[start])
                    } else {
                        output.append(contentsOf: ids[start..<start + Int(entry.idCount)])
                    }
                    return true
                }
            }
            slot = (slot + 1) & mask
        }
    }

    mutating func store(_ bytes: UnsafePointer<UInt8>, _ count: Int, _ hash: UInt64, _ found: ArraySlice<Int32>) {
        if entries.count == Self.entryLimit { self = PieceCache() }
        if entries.count * 2 >= slots.count { grow() }
        let entry = Entry(
            hash: hash, keyStart: UInt32(keys.count), idStart: UInt32(ids.count), keyCount: UInt16(count),
            idCount: UInt16(found.count))
        keys.append(contentsOf: UnsafeBufferPointer(start: bytes, count: count))
        ids.append(contentsOf: found)
        place(hash, Int32(entries.count))
        entries.append(entry)
    }

    private mutating func place(_ hash: UInt64, _ index: Int32) {
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: hash) & mask
        while slots[slot] >= 0 { slot = (slot + 1) & mask }
        slots[slot] = index
    }

    private mutating func grow() {
        slots = [Int32](repeating: -1, count: slots.count * 4)
        for (index, entry) in entries.enumerated() { place(entry.hash, Int32(index)) }
    }
}
