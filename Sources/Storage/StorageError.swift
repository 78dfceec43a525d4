/// Why a database could not be used, in one sentence: which file, what went wrong, what to do.
public struct StorageError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Kind: Sendable, Equatable {
        /// Another process holds the database.
        case busy
        /// The file system has no room left.
        case full
        /// The file cannot be opened or made.
        case unopenable
        /// The file is no database, or damaged.
        case damaged
        /// Reading or writing failed, or a statement is wrong.
        case failed
    }

    public let path: String
    public let kind: Kind
    /// SQLite's own words.
    public let reason: String

    public var description: String {
        switch kind {
        case .busy: "\(path): another process is using it; wait for that one, or end it"
        case .full: "\(path): no space is left on its file system; make room and go on"
        case .unopenable: "\(path): it cannot be opened: \(reason)"
        case .damaged: "\(path): it is damaged or no database (\(reason)); move it away and begin anew"
        case .failed: "\(path): \(reason)"
        }
    }
}
