/// A set of byte strings with values, walked byte by byte to find the strings that a text begins with.
struct ByteTrie: Sendable {
    private var keys: [UInt64] = [UInt64](repeating: .max, count: 64)
    private var children: [Int32] = [Int32](repeating: 0, count: 64)
    private var used = 0
    private var root = [Int32](repeating: -1, count: 256)
    // By node: the value of the string that ends there, or -1.
    private(set) var values: [Int32] = [-1]

    var isEmpty: Bool { values.count == 1 }

    /// Adds a string; one that is there already takes the new value. Empty strings are left out.
    mutating func insert(_ string: some Collection<UInt8>, value: Int32) {
        guard !string.isEmpty else { return }
        var node: Int32 = 0
        for byte in string {
            let child = child(of: node, byte)
            if child >= 0 {
                node = child
            } else {
                let new = Int32(values.count)
                values.append(-1)
                if node == 0 { root[Int(byte)] = new } else { addEdge(node, byte, new) }
                node = new
            }
        }
        values[Int(node)] = value
    }

    @inline(__always)
    private static func key(_ node: Int32, _ byte: UInt8) -> UInt64 { UInt64(UInt32(node)) << 8 | UInt64(byte) }

    @inline(__always)
    private static func home(_ key: UInt64) -> Int { Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> 24) }

    private mutating func addEdge(_ node: Int32, _ byte: UInt8, _ child: Int32) {
        if used * 2 >= keys.count {
            let oldKeys = keys
            let oldChildren = children
            keys = [UInt64](repeating: .max, count: oldKeys.count * 2)
            children = [Int32](repeating: 0, count: keys.count)
            for (key, child) in zip(oldKeys, oldChildren) where key != .max { place(key, child) }
        }
        place(Self.key(node, byte), child)
        used += 1
    }

    private mutating func place(_ key: UInt64, _ child: Int32) {
        var slot = Self.home(key) & (keys.count - 1)
        while keys[slot] != .max { slot = (slot + 1) & (keys.count - 1) }
        keys[slot] = key
        children[slot] = child
    }

    /// The node one byte on from `node` (0 is the root), or -1.
    @inline(__always)
    func child(of node: Int32, _ byte: UInt8) -> Int32 {
        if node == 0 { return root[Int(byte)] }
        let key = Self.key(node, byte)
        var slot = Self.home(key) & (keys.count - 1)
        while true {
            let found = keys[slot]
            if found == key { return children[slot] }
            if found == .max { return -1 }
            slot = (slot + 1) & (keys.count - 1)
        }
    }

    @inline(__always)
    func canBegin(with byte: UInt8) -> Bool { root[Int(byte)] >= 0 }

    /// The longest string of the set at `position`: its value and where it ends, or nil.
    func longestMatch(_ bytes: UnsafePointer<UInt8>, _ position: Int, _ end: Int) -> (value: Int32, end: Int)? {
        var best: (Int32, Int)?
        var node: Int32 = 0
        var place = position
        while place < end {
            node = child(of: node, bytes[place])
            if node < 0 { break }
            place += 1
            if values[Int(node)] >= 0 { best = (values[Int(node)], place) }
        }
        return best
    }
}
