/// What is wrong with a command, a setting or a saved conversation: one sentence with the way out.
package struct ChatError: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// The names nearest to a mistyped one, nearest first: at most three. Where it is the beginning of names, those alone.
///
/// - Complexity: O(names · length²).
func nearestNames(to wanted: String, among names: [String]) -> [String] {
    let begun = wanted.isEmpty ? [] : names.filter { $0.hasPrefix(wanted) }
    if !begun.isEmpty { return Array(begun.prefix(3)) }
    let limit = max(2, wanted.count / 3)
    let scored = names.compactMap { name -> (distance: Int, name: String)? in
        let distance = editDistance(Array(wanted.prefix(64)), Array(name))
        return distance <= limit ? (distance, name) : nil
    }
    return scored.sorted { ($0.distance, $0.name) < ($1.distance, $1.name) }.prefix(3).map(\.name)
}

/// Levenshtein's distance.
private func editDistance(_ a: [Character], _ b: [Character]) -> Int {
    var previous = Array(0...b.count)
    for (row, letter) in a.enumerated() {
        var current = [row + 1]
        for column in b.indices {
            current.append(
                min(previous[column] + (b[column] == letter ? 0 : 1), previous[column + 1] + 1, current[column] + 1))
        }
        previous = current
    }
    return previous[b.count]
}
