internal import Foundation
internal import Logging
internal import Server

@main
enum Main {
    static func main() async {
        shareHeaps()
        do {
            let arguments = try Arguments(Array(CommandLine.arguments.dropFirst()))
            if arguments.wantsHelp { return print(Arguments.help, terminator: "") }
            if arguments.wantsVersion { return print("0.1.0") }
            try await serve(try await SettingsReader(arguments).draft())
        } catch {
            leave(error)
        }
    }

    /// glibc gives threads up to eight heaps a core, and large bodies leave each of them grown for good. Two are enough, and what the
    /// process holds stays flat; glibc reads how many only where a program begins, so this one begins again.
    private static func shareHeaps() {
        guard getenv("MALLOC_ARENA_MAX") == nil else { return }
        setenv("MALLOC_ARENA_MAX", "2", 1)
        // Where that cannot be done the server is the same, and larger.
        execv("/proc/self/exe", CommandLine.unsafeArgv)
    }

    /// Exit codes as those of `apus`: 1 failed, 2 called wrongly.
    private static func leave(_ error: any Error) -> Never {
        let sentence = String(describing: error).replacing("\n", with: " ")
        FileHandle.standardError.write(Data("apus serve: \(sentence)\n".utf8))
        exit(sentence.hasSuffix("See 'apus serve --help'.") ? 2 : 1)
    }

    private static func serve(_ given: Draft) async throws {
        var draft = given
        switch (draft.certificates, draft.key) {
        case (let certificates?, let key?): draft.settings.tls = (certificates, key)
        case (nil, nil): break
        default: throw ServerError("--tls-certificate and --tls-key belong together; give both. See 'apus serve --help'.")
        }
        if !draft.keepsState {
            draft.settings.stateFolder = nil
        } else if draft.settings.stateFolder == nil {
            draft.settings.stateFolder = defaultState(port: draft.settings.port)
        }
        let (level, isJSON) = (draft.logLevel, draft.logsJSON)
        let handler = LineLogHandler(json: isJSON)
        LoggingSystem.bootstrap { _ in handler }
        var log = Logger(label: "apus") { _ in handler }
        log.logLevel = level
        let server = try ApusServer(draft.settings, log: log)
        signal(SIGPIPE, SIG_IGN)
        signal(SIGHUP, SIG_IGN)
        let hangUps = DispatchSource.makeSignalSource(signal: SIGHUP, queue: .global())
        let reloadLog = log
        hangUps.setEventHandler {
            do { try server.reloadKeys() } catch { reloadLog.error("the keys stay as they are: \(error)") }
        }
        hangUps.resume()
        defer { hangUps.cancel() }
        try await server.run()
    }

    private static func defaultState(port: Int) -> String {
        let environment = ProcessInfo.processInfo.environment
        let base = environment["XDG_STATE_HOME"].flatMap { $0.isEmpty ? nil : $0 }
            ?? (environment["HOME"] ?? "/tmp") + "/.local/state"
        return "\(base)/apus/serve-\(port)"
    }
}
