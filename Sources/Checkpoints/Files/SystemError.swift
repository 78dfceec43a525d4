#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The number with which a system call says why it failed, turned into a sentence.
struct SystemError: Equatable {
    let code: Int32

    /// The reason the last system call of this thread failed.
    static var current: SystemError { SystemError(code: errno) }

    func error(file: String, doing action: String) -> CheckpointError {
        CheckpointError(file: file, reason: "cannot \(action): \(explanation)")
    }

    private var explanation: String {
        switch code {
        case ENOENT: "there is no file or folder of this name; check the path"
        case ENOTDIR: "a part of the path before the last is a file, not a folder; check the path"
        case EACCES, EPERM: "permission denied; allow this user to access it"
        case ENAMETOOLONG: "the path is longer than the system allows"
        case ELOOP: "too many symbolic links; check where they lead"
        case EMFILE, ENFILE: "too many files are open; raise the limit (ulimit -n)"
        case ENOSPC: "the disk is full; free some space or choose another folder"
        case EDQUOT: "the disk quota is used up; free some space or choose another folder"
        case EFBIG: "the file would be larger than the file system or the process may write"
        case EROFS: "the file system is read-only; choose another folder"
        case ENOMEM: "not enough address space or memory"
        case EIO: "the disk reported an input/output error; check the disk"
        default: String(cString: strerror(code))
        }
    }
}
