internal import Tensors

#if canImport(Glibc)
    internal import Glibc
#endif

/// What this process may use of the machine: its own limits and those of every control group that it is in.
public struct Machine: Sendable {
    /// Where `/proc` and `/sys` are: the root of the file system, or a test's folder.
    private let root: String

    public init(root: String = "") { self.root = root }

    /// Cores: the process's affinity, and its control groups' quotas rounded up.
    public var cores: Int {
        var cores = availableProcessors()
        for folder in groupFolders("cpu") {
            guard let text = read(folder + "/cpu.max") else { continue }
            let parts = words(text)
            guard parts.count == 2, let quota = Int(parts[0]), let period = Int(parts[1]), quota > 0, period > 0
            else { continue }
            cores = min(cores, (quota + period - 1) / period)
        }
        return max(cores, 1)
    }

    /// Bytes that the process can still take without anything being moved out of memory; nil where the system does not say.
    public var availableMemory: Int? {
        var available = value("MemAvailable:", in: read(root + "/proc/meminfo")).map { $0 * 1024 }
        func limit(_ bytes: Int) { available = min(available ?? bytes, bytes) }
        for folder in groupFolders("memory") {
            // Version 2, then version 1. Files that were read and can be dropped count as usage there, but not as needed.
            if let maximum = number(folder + "/memory.max"), let used = number(folder + "/memory.current") {
                let droppable = value("inactive_file", in: read(folder + "/memory.stat")) ?? 0
                limit(max(0, maximum - used + droppable))
            }
            if let maximum = number(folder + "/memory.limit_in_bytes"),
                let used = number(folder + "/memory.usage_in_bytes"), maximum < Int.max / 2
            {
                let droppable = value("total_inactive_file", in: read(folder + "/memory.stat")) ?? 0
                limit(max(0, maximum - used + droppable))
            }
        }
        return available
    }

    /// The folders of the process's control group and of those around it.
    private func groupFolders(_ controller: String) -> [String] {
        var folders = [root + "/sys/fs/cgroup", root + "/sys/fs/cgroup/\(controller)"]
        for line in (read(root + "/proc/self/cgroup") ?? "").split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            let isSecond = parts[0] == "0"
            guard isSecond || parts[1].split(separator: ",").contains(Substring(controller)) else { continue }
            var folder = root + "/sys/fs/cgroup" + (isSecond ? "" : "/\(controller)")
            for name in parts[2].split(separator: "/") {
                folder += "/\(name)"
                folders.append(folder)
            }
        }
        return folders
    }

    private func number(_ file: String) -> Int? { read(file).flatMap { words($0).first }.flatMap { Int($0) } }

    private func value(_ key: String, in text: String?) -> Int? {
        for line in (text ?? "").split(separator: "\n") {
            let parts = words(line)
            if parts.count >= 2, parts[0] == key { return Int(parts[1]) }
        }
        return nil
    }

    private func words(_ text: some StringProtocol) -> [String] {
        text.split(whereSeparator: { $0 == " " || $0 == "\n" || $0 == "\t" }).map { String($0) }
    }

    private func read(_ path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }
}
