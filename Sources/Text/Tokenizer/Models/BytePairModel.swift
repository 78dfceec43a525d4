/// Byte-pair encoding of one piece: its first symbols, then its merges.
struct BytePairModel: Sendable {
    /// What a piece is made of before anything merges.
    enum Symbols: Sendable {
        /// The piece's bytes; the vocabulary is written in ``ByteAlphabet``. By byte: its id, or -1.
        case bytes([Int32])
        /// The piece's scalars, perhaps with a prefix on all but the first and a suffix on the last.
        case scalars(continuingPrefix: [UInt8], wordSuffix: [UInt8])
    }

    var tokens: TokenTable
    var merges: MergeTable
    var symbols: Symbols
    var unknownID: Int32?
    var fusesUnknown = false
    /// By byte: the id of its token `<0xXX>`, or -1; nil where scalars out of the vocabulary are unknown instead.
    var byteIDs: [Int32]?
    /// The tokens by which whole pieces are looked up before any merging, in the bytes of the pieces.
    var wholePieces: TokenTable?
    /// Ids from `tokens.count` up stand for scalars that are no tokens and yet begin merges; here they count from 0.
    var helperScalars: TokenTable?
    /// Where nil, pieces are merged whole. Else a piece may be cut before each ▁ that follows a byte for which this
    /// is false: no merge crosses there.
    var canCrossIntoSpace: [Bool]?

    /// Pieces that nothing else may overlap: the longest at each place is taken before anything merges.
    var frozen = ByteTrie()
    /// Tokens that may stand between merges and not in the result, and the two symbols each falls back into.
    var unusedParts: [Int32: (Int32, Int32)] = [:]

    static let space: [UInt8] = [0xE2, 0x96, 0x81]

    /// Works out where pieces may be cut, so that long texts without pre-tokenization are merged word by word.
    /// `pairs` are the two sides of every merge.
    mutating func findSafeCuts(_ pairs: some Sequence<(left: ArraySlice<UInt8>, right: ArraySlice<UInt8>)>) {
        guard case .scalars(let prefix, let suffix) = symbols, prefix.isEmpty, suffix.isEmpty,
            tokens.id(of: Self.space) != nil || helperScalars != nil
        else { return }
        var crossing = [Bool](repeating: false, count: 256)
        for pair in pairs where pair.right.starts(with: Self.space) {
            if let last = pair.left.last { crossing[Int(last)] = true }
        }
        canCrossIntoSpace = crossing
    }

    /// Appends the ids of a piece.
    func encode(_ piece: UnsafeBufferPointer<UInt8>, into output: inout [Int32], _ scratch: inout ModelScratch) {
        guard let base = piece.baseAddress, piece.count > 0 else { return }
        guard !frozen.isEmpty else {
            encodeBetweenFrozen(piece, into: &output, &scratch)
            return
        }
        var start = 0
        var position = 0
        while position < piece.count {
            if frozen.canBegin(with: base[position]),
                let match = frozen.longestMatch(base, position, piece.count)
            {
                encodeBetweenFrozen(UnsafeBufferPointer(rebasing: piece[start..<position]), into: &output, &scratch)
                output.append(match.value)
                position = match.end
                start = match.end
            } else {
                position += 1
            }
        }
        encodeBetweenFrozen(UnsafeBufferPointer(rebasing: piece[start...]), into: &output, &scratch)
    }

    private func encodeBetweenFrozen(
        _ piece: UnsafeBufferPointer<UInt8>, into output: inout [Int32], _ scratch: inout ModelScratch
    ) {
        guard let base = piece.baseAddress, piece.count > 0 else { return }
        guard let crossing = canCrossIntoSpace else {
            encodeCached(base, piece.count, into: &output, &scratch)
            return
        }
        if let wholePieces, let id = wholePieces.id(base, piece.count) {
            output.append(id)
            return
        }
        var start = 0
        var position = 1
        while position + 2 < piece.count {
            if base[position] == 0xE2, base[position + 1] == 0x96, base[position + 2] == 0x81,
                !crossing[Int(base[position - 1])]
            {
                encodeCached(base + start, position - start, into: &output, &scratch)
                start = position
                position += 3
            } else {
                position += 1
            }
        }
        encodeCached(base + start, piece.count - start, into: &output, &scratch)
    }

    @inline(__always)
    private func encodeCached(
        _ bytes: UnsafePointer<UInt8>, _ count: Int, into output: inout [Int32], _ scratch: inout ModelScratch
    ) {
        if count > PieceCache.longestKey {
            encodeAlone(bytes, count, into: &output, &scratch)
            return
        }
        let hash = TokenTable.hash(bytes, count)
        if scratch.cache.append(bytes, count, hash, to: &output) { return }
        let first = output.count
        encodeAlone(bytes, count, into: &output, &scratch)
        scratch.cache.store(bytes, count, hash, output[first...])
    }

    private func encodeAlone(
        _ bytes: UnsafePointer<UInt8>, _ count: Int, into output: inout [Int32], _ scratch: inout ModelScratch
    ) {
        if canCrossIntoSpace == nil, let wholePieces, let id = wholePieces.id(bytes, count) {
            output.append(id)
            return
        }
        scratch.symbols.removeAll(keepingCapacity: true)
        switch symbols {
        case .bytes(let ids):
            for index in 0..<count {
                let id = ids[Int(bytes[index])]
                if id >= 0 { scratch.symbols.append(id) } else if let unknownID { scratch.symbols.append(unknownID) }
            }
        case .scalars(let prefix, let suffix):
            appendScalars(bytes, count, prefix, suffix, &scratch.symbols)
        }
        scratch.merger.merge(&scratch.symbols, merges)
        if helperScalars == nil, unusedParts.isEmpty {
            output.append(contentsOf: scratch.symbols)
        } else {
            let first = output.count
            for symbol in scratch.symbols { resolve(symbol, into: &output, from: first) }
        }
    }

    /// Appends what a symbol comes to when merging is over.
    private func resolve(_ symbol: Int32, into output: inout [Int32], from first: Int) {
        if let (left, right) = unusedParts[symbol] {
            resolve(left, into: &output, from: first)
            resolve(right, into: &output, from: first)
        } else if Int(symbol) < tokens.count {
            if symbol != unknownID || !fusesUnknown || output.count == first || output.last != unknownID {
                output.append(symbol)
            }
        } else if let scalar = helperScalars?.token(symbol - Int32(tokens.count)) {
            if let byteIDs, scalar.allSatisfy({ byteIDs[Int($0)] >= 0 }) {
                for byte in scalar { output.append(byteIDs[Int(byte)]) }
            } else if let unknownID {
                if !fusesUnknown || output.count == first || output.last != unknownID { output.append(unknownID) }
            }
        }
    }

    private func appendScalars(
        _ bytes: UnsafePointer<UInt8>, _ count: Int, _ prefix: [UInt8], _ suffix: [UInt8], _ symbols: inout [Int32]
    ) {
        var position = 0
        var pendingUnknown = false
        while position < count {
            let length = UTF8Scalars.decode(bytes, position, count).length
            let end = position + length
            let found: Int32?
            var spelled: [UInt8]?
            if (position > 0 && !prefix.isEmpty) || (end == count && !suffix.isEmpty) {
                var text = position > 0 ? prefix : []
                text.append(contentsOf: UnsafeBufferPointer(start: bytes + position, count: length))
                if end == count { text += suffix }
                found = tokens.id(of: text)
                spelled = text
            } else {
                found = tokens.id(bytes + position, length)
            }
            if let found {
                if pendingUnknown, let unknownID { symbols.append(unknownID) }
                pendingUnknown = false
                symbols.append(found)
            } else if let helper = helperScalars?.id(bytes + position, length) {
                symbols.append(Int32(tokens.count) + helper)
            } else if appendBytes(spelled, bytes + position, length, &symbols) {
            } else if let unknownID {
                if pendingUnknown, !fusesUnknown { symbols.append(unknownID) }
                pendingUnknown = true
            }
            position = end
        }
        if pendingUnknown, let unknownID { symbols.append(unknownID) }
    }

    /// Appends the ids of a scalar's bytes where all have one.
    private func appendBytes(
        _ spelled: [UInt8]?, _ bytes: UnsafePointer<UInt8>, _ count: Int, _ symbols: inout [Int32]
    ) -> Bool {
        guard let byteIDs else { return false }
        let text = spelled ?? Array(UnsafeBufferPointer(start: bytes, count: count))
        guard text.allSatisfy({ byteIDs[Int($0)] >= 0 }) else { return false }
        for byte in text { symbols.append(byteIDs[Int(byte)]) }
        return true
    }
}

/// What one call of encode keeps between pieces.
struct ModelScratch {
    var symbols: [Int32] = []
    var merger = BytePairMerger()
    var cache = PieceCache()
}
