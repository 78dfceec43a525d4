/// The most probable segmentation under a unigram model of pieces, by Viterbi search over the bytes (Kudo, "Subword
/// Regularization", 2018, section 3.2).
struct UnigramModel: Sendable {
    /// How far below the least score an unknown scalar lies.
    static let unknownPenalty: Double = 10

    var trie: ByteTrie
    /// By id. Scores of user-defined pieces depend on their length and are in `userDefined`.
    var scores: [Double]
    var userDefined: Set<Int32> = []
    var unknownID: Int32?
    var byteIDs: [Int32]?
    var unknownScore: Double
    var maximumScore: Double

    /// Appends the ids of a piece. Unknown stretches become one unknown id, or the ids of their bytes.
    func encode(_ piece: UnsafeBufferPointer<UInt8>, into output: inout [Int32]) {
        guard let base = piece.baseAddress, piece.count > 0 else { return }
        search(base, piece.count, into: &output)
    }

    private func search(_ bytes: UnsafePointer<UInt8>, _ count: Int, into output: inout [Int32]) {
        // By end position: the best path's score, its last piece and where that begins. Scores add up in double
        // precision, as in the references: near-ties fall by the last bits.
        var best = [Double](repeating: 0, count: count + 1)
        var pieces = [Int32](repeating: -1, count: count + 1)
        var starts = [Int](repeating: -1, count: count + 1)
        var start = 0
        while start < count {
            let here = best[start]
            let length = UTF8Scalars.decode(bytes, start, count).length
            var hasScalar = false
            var node: Int32 = 0
            var end = start
            while end < count {
                node = trie.child(of: node, bytes[end])
                if node < 0 { break }
                end += 1
                let id = trie.values[Int(node)]
                guard id >= 0 else { continue }
                let score =
                    userDefined.isEmpty || !userDefined.contains(id)
                    ? scores[Int(id)] : Double(end - start) * maximumScore - 0.1
                let candidate = score + here
                if starts[end] < 0 || candidate > best[end] {
                    best[end] = candidate
                    pieces[end] = id
                    starts[end] = start
                }
                if end - start == length { hasScalar = true }
            }
            if !hasScalar {
                let end = start + length
                let candidate = unknownScore + here
                if starts[end] < 0 || candidate > best[end] {
                    best[end] = candidate
                    pieces[end] = -1
                    starts[end] = start
                }
            }
            start += length
        }
        var path: [(id: Int32, start: Int, end: Int)] = []
        var end = count
        while end > 0 {
            path.append((pieces[end], starts[end], end))
            end = starts[end]
        }
        var afterUnknown = false
        for step in path.reversed() {
            if step.id >= 0, step.id != unknownID {
                output.append(step.id)
                afterUnknown = false
            } else if let byteIDs, (step.start..<step.end).allSatisfy({ byteIDs[Int(bytes[$0])] >= 0 }) {
                for index in step.start..<step.end { output.append(byteIDs[Int(bytes[index])]) }
            } else if let unknownID {
                if !afterUnknown { output.append(unknownID) }
                afterUnknown = true
            }
        }
    }
}
