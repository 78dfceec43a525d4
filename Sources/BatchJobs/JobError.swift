internal import Foundation

/// Why a batch job cannot begin or go on, in one sentence. What its lines do wrong is no error of the job.
public struct JobError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The file it is about.
    public let file: String
    public let reason: String

    public init(file: String, reason: String) {
        self.file = file
        self.reason = reason
    }

    public var description: String { "\(file): \(reason)" }

    /// A failed call of the system, by the present `errno`.
    static func system(_ file: String, _ what: String) -> JobError {
        let code = errno
        let advice =
            switch code {
            case ENOSPC, EDQUOT, EFBIG: "no space is left; make room and continue with --resume"
            case ENOENT: "there is no such file or folder; check the path"
            case EACCES, EPERM: "permission denied"
            case EISDIR: "this is a folder; name a file inside it"
            default: String(cString: strerror(code))
            }
        return JobError(file: file, reason: "it cannot be \(what): \(advice)")
    }
}
