#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Names and places of files.
enum Folder {
    /// The path of `name` in `folder`; an empty folder is the current one.
    static func join(_ folder: String, _ name: String) -> String {
        if folder.isEmpty { return name }
        return folder.utf8.last == UInt8(ascii: "/") ? folder + name : folder + "/" + name
    }

    /// A path as the folder before its last slash, which is empty where there is none, and the rest.
    static func split(_ path: String) -> (folder: String, name: String) {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return ("", path) }
        let folder = path[..<slash]
        return (folder.isEmpty ? "/" : String(folder), String(path[path.utf8.index(after: slash)...]))
    }

    /// The last name in a folder's path, also for `.` and paths that end in a slash.
    static func name(of path: String) -> String {
        guard let resolved = realpath(path, nil) else { return path }
        defer { free(resolved) }
        return split(String(cString: resolved)).name
    }

    /// The system's calls end a path at a NUL, and would open another file than the one that was named.
    static func checkPath(_ path: String) throws(CheckpointError) {
        guard !path.isEmpty else { throw CheckpointError(file: "(empty path)", reason: "name a file or a folder") }
        guard !path.utf8.contains(0) else {
            throw CheckpointError(file: path, reason: "a path must not contain NUL; name a file or a folder")
        }
    }

    static func isFolder(_ path: String) throws(CheckpointError) -> Bool {
        try checkPath(path)
        var status = stat()
        guard stat(path, &status) == 0 else { throw SystemError.current.error(file: path, doing: "open it") }
        return status.st_mode & S_IFMT == S_IFDIR
    }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// The names of everything in a folder, sorted.
    static func list(_ path: String) throws(CheckpointError) -> [String] {
        guard let stream = opendir(path) else { throw SystemError.current.error(file: path, doing: "list the folder") }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }
}
