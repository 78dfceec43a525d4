import Foundation
import Glibc
import Synchronization

/// A process whose end and whose errors are seen for certain. Foundation's own shares its pipes with whatever else is started at the
/// same moment, which then keeps them open: tests that run at once would wait for each other's processes.
final class ChildProcess: Sendable {
    private static let starting = Mutex(())
    private static let running = Mutex<[pid_t]>([])
    private let pid: pid_t
    private let ended = DispatchSemaphore(value: 0)
    /// As a shell tells it: 128 and the signal; nil while it runs.
    private let status = Mutex<Int32?>(nil)

    /// - Parameters:
    ///   - line: is told each line of standard error, on a thread of its own.
    ///   - end: is called after the last.
    init(
        _ executable: URL, _ arguments: [String], environment: [String: String],
        line: @escaping @Sendable (String) -> Void, end: @escaping @Sendable () -> Void
    ) throws {
        var ends: [Int32] = [0, 0]
        var words = ([executable.path] + arguments).map { strdup($0) } + [nil]
        var variables = environment.map { strdup("\($0)=\($1)") } + [nil]
        defer { for text in words + variables { free(text) } }
        var id: pid_t = 0
        // One at a time: between the pipe and its mark another child would inherit the ends.
        let status = try Self.starting.withLock { _ in
            guard pipe(&ends) == 0 else { throw ClientError("no pipe: \(String(cString: strerror(errno)))") }
            for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            var actions = posix_spawn_file_actions_t()
            posix_spawn_file_actions_init(&actions)
            defer { posix_spawn_file_actions_destroy(&actions) }
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
            posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
            posix_spawn_file_actions_adddup2(&actions, ends[1], 2)
            // What other tests have open at this moment they wait to see closed.
            for descriptor in 3..<Int32(1024) { posix_spawn_file_actions_addclose(&actions, descriptor) }
            return posix_spawn(&id, executable.path, &actions, nil, &words, &variables)
        }
        close(ends[1])
        guard status == 0 else {
            close(ends[0])
            throw ClientError("\(executable.path) was not started: \(String(cString: strerror(status)))")
        }
        pid = id
        Self.running.withLock { running in
            if running.isEmpty {
                // Servers that suites share end with the tests.
                atexit { ChildProcess.running.withLock { for id in $0 { _ = kill(id, SIGKILL) } } }
            }
            running.append(id)
        }
        let reading = ends[0]
        Thread.detachNewThread {
            var rest: [UInt8] = []
            var part = [UInt8](repeating: 0, count: 65_536)
            while case let count = read(reading, &part, part.count), count > 0 {
                rest += part[..<count]
                while let place = rest.firstIndex(of: 0x0A) {
                    line(String(decoding: rest[...place], as: UTF8.self))
                    rest.removeFirst(place + 1)
                }
            }
            close(reading)
            end()
        }
        Thread.detachNewThread { [self] in
            var code: Int32 = 0
            while waitpid(pid, &code, 0) == -1, errno == EINTR {}
            Self.running.withLock { $0.removeAll { $0 == pid } }
            self.status.withLock { $0 = code & 0x7F == 0 ? (code >> 8) & 0xFF : 128 + (code & 0x7F) }
            ended.signal()
        }
    }

    func terminate() {
        status.withLock { if $0 == nil { kill(pid, SIGTERM) } }
    }

    /// Waits for the end and returns the status.
    func wait() -> Int32 {
        ended.wait()
        ended.signal()
        return status.withLock { $0 ?? -1 }
    }
}
