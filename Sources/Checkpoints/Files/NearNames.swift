/// The end of a sentence about a missing name: the names that are there and look most like it, or nothing.
///
/// - Complexity: O(names · length²), over at most the first 20,000 names.
func suggestion(for name: String, among names: [String]) -> String {
    let wanted = Array(name.utf8.prefix(256))
    var near: [(distance: Int, name: String)] = []
    // A third of a name may differ before it no longer helps; in a short name, a letter or two.
    let limit = max(2, wanted.count / 3)
    for candidate in names.prefix(20_000) {
        let bytes = Array(candidate.utf8.prefix(256))
        guard abs(bytes.count - wanted.count) <= limit else { continue }
        let distance = editDistance(wanted, bytes, limit: limit)
        if distance <= limit { near.append((distance, candidate)) }
    }
    // `sort` is stable, so that equal distances keep the order of the file.
    near.sort { $0.distance < $1.distance }
    guard !near.isEmpty else { return "" }
    return "; did you mean \(near.prefix(3).map(\.name).joined(separator: " or "))?"
}

/// Levenshtein's distance between two byte strings, or a number above `limit` where it is larger than that.
func editDistance(_ a: [UInt8], _ b: [UInt8], limit: Int) -> Int {
    var previous = Array(0...b.count)
    var current = previous
    for (row, byte) in a.enumerated() {
        current[0] = row + 1
        var best = row + 1
        for column in b.indices {
            let replaced = previous[column] + (b[column] == byte ? 0 : 1)
            current[column + 1] = min(replaced, previous[column + 1] + 1, current[column] + 1)
            best = min(best, current[column + 1])
        }
        if best > limit { return limit + 1 }
        swap(&previous, &current)
    }
    return previous[b.count]
}
