internal import ArgumentParser
internal import Foundation

/// Hands over to the server's own executable: nobody who does not serve compiles an HTTP stack.
struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serves models over HTTP: the OpenAI and Anthropic APIs, and a page to look at.",
        discussion: """
            apus serve --model model.gguf --port 9000
            apus serve --help                         lists all options

            The server is an executable of its own, apus-serve, which lies beside apus. It is built by
            swift build -c release --product apus-serve
            """)

    @Argument(parsing: .captureForPassthrough, help: "Options of apus-serve.") var arguments: [String] = []

    func run() throws {
        let path = Self.path
        guard access(path, X_OK) == 0 else {
            throw InputError(
                file: path,
                reason: "the server's executable is not there; build it: swift build -c release --product apus-serve")
        }
        var words: [UnsafeMutablePointer<CChar>?] = (["apus-serve"] + arguments).map { strdup($0) }
        words.append(nil)
        execv(path, words)
        throw InputError(file: path, reason: "it cannot be started: \(String(cString: strerror(errno)))")
    }

    /// Beside this executable, or where `APUS_SERVE` says.
    private static var path: String {
        if let named = ProcessInfo.processInfo.environment["APUS_SERVE"], !named.isEmpty { return named }
        let executable = (Bundle.main.executableURL ?? Bundle.main.bundleURL).resolvingSymlinksInPath()
        return executable.deletingLastPathComponent().appendingPathComponent("apus-serve").path
    }
}
