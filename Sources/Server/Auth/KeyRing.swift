internal import Foundation
internal import OpenAI
internal import Synchronization

/// Who sent a request.
struct Caller: Sendable, Equatable {
    /// The key's name; nil where the server asks for none.
    var name: String?
    /// Requests a minute; nil for the server's own rule.
    var ratePerMinute: Double?

    static let anonymous = Caller()

    /// Who owns what the caller keeps on the server.
    var owner: String { name ?? "" }
}

/// The API keys of a file, read again when it changes.
///
/// Each line is a key, then optionally `name=…` and `rate=…` (requests a minute); `#` begins a comment. A key without a name is known by its place in the
/// file.
final class KeyRing: Sendable {
    private struct Entry {
        var key: [UInt8]
        var caller: Caller
    }

    private struct State {
        var entries: [Entry] = []
        var stamp = ""
        var checked = ContinuousClock.now
    }

    private let path: String
    private let state: Mutex<State>

    /// - Throws: ``ServerError`` where the file cannot be read or holds no key.
    init(path: String) throws(ServerError) {
        self.path = path
        state = Mutex(State(entries: try Self.read(path), stamp: Self.stamp(path)))
    }

    var count: Int { state.withLock { $0.entries.count } }

    /// Reads the file again. What cannot be read leaves the keys as they are.
    func reload() throws(ServerError) {
        let entries = try Self.read(path)
        let stamp = Self.stamp(path)
        state.withLock { state in
            state.entries = entries
            state.stamp = stamp
        }
    }

    /// Reads the file again where it has changed; looks at most once a second.
    ///
    /// - Returns: nil where there was nothing to do, else what went wrong, or "" for nothing.
    func reloadIfChanged() -> String? {
        let isDue = state.withLock { state in
            guard ContinuousClock.now - state.checked > .seconds(1) else { return false }
            state.checked = .now
            return state.stamp != Self.stamp(path)
        }
        guard isDue else { return nil }
        do throws(ServerError) {
            try reload()
            return ""
        } catch {
            return error.description
        }
    }

    /// Whose key this is; nil where it is nobody's. The time taken does not depend on how much of a key is right.
    func caller(of key: String) -> Caller? {
        let given = Array(key.utf8)
        return state.withLock { state in
            var found: Caller?
            for entry in state.entries where Self.isEqual(entry.key, given) { found = entry.caller }
            return found
        }
    }

    private static func isEqual(_ key: [UInt8], _ given: [UInt8]) -> Bool {
        var difference = UInt8(key.count == given.count ? 0 : 1)
        for place in given.indices { difference |= given[place] ^ key[place % key.count] }
        return difference == 0
    }

    // MARK: The file

    private static func stamp(_ path: String) -> String {
        var status = stat()
        guard stat(path, &status) == 0 else { return "" }
        return "\(status.st_ino) \(status.st_size) \(status.st_mtim.tv_sec) \(status.st_mtim.tv_nsec)"
    }

    private static func read(_ path: String) throws(ServerError) -> [Entry] {
        guard let data = FileManager.default.contents(atPath: path), let text = String(data: data, encoding: .utf8) else {
            throw ServerError("\(path): the key file cannot be read; give a text file with one key on each line")
        }
        var entries: [Entry] = []
        for (place, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let words = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace).map(String.init)
            guard let key = words.first else { continue }
            guard key.utf8.count >= 8 else {
                throw ServerError("\(path): the key on line \(place + 1) has fewer than 8 characters; use a longer one")
            }
            var caller = Caller(name: "key-\(entries.count + 1)")
            for word in words.dropFirst() {
                let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
                switch (parts[0], parts.count > 1 ? parts[1] : "") {
                case ("name", let name) where !name.isEmpty: caller.name = name
                case ("rate", let text):
                    guard let rate = Double(text), rate > 0 else { fallthrough }
                    caller.ratePerMinute = rate
                default:
                    throw ServerError("\(path): '\(word)' on line \(place + 1) is not known; write name=NAME or rate=N")
                }
            }
            entries.append(Entry(key: Array(key.utf8), caller: caller))
        }
        guard !entries.isEmpty else { throw ServerError("\(path): there is no key in it; write one on each line") }
        return entries
    }
}
