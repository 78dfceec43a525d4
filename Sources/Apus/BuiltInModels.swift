public import Checkpoints
internal import Foundation

/// The models that come with Apus, found by name.
///
/// `stories` is inside the package. The others are folders of the repository's `Models`, which is looked for
/// 1. where the environment variable `APUS_MODELS` says, and then nowhere else;
/// 2. beside the executable, in `Models` and in `../share/apus/Models`;
/// 3. where the executable lies in a package's `.build`: in that package's `Models`;
/// 4. in `Models` of the current folder.
///
/// The first folder that holds the model counts. Nothing depends on where the package was built.
public enum BuiltInModels {
    /// What names of built-in models begin with.
    public static let scheme = "builtin:"

    /// The model that commands use where none is named.
    public static let standard = "builtin:stories"

    /// The environment variable that names the folder of models.
    public static let variable = "APUS_MODELS"

    /// One model that comes with Apus.
    public struct Entry: Sendable {
        /// Without the scheme.
        public let name: String
        public let summary: String
        fileprivate let place: Place

        /// The file or folder; nil where it is in none of ``BuiltInModels/folders``.
        public var path: String? {
            switch place {
            case .resource(let file): BuiltInModels.resource(file)
            case .folder(let folder):
                BuiltInModels.folders.lazy.map { $0 + "/" + folder }
                    .first { FileManager.default.fileExists(atPath: $0 + "/config.json") }
            }
        }
    }

    fileprivate enum Place: Sendable {
        /// A file of the package's resources.
        case resource(String)
        /// A folder of `Models`.
        case folder(String)
    }

    public static let all = [
        Entry(
            name: "stories", summary: "a small storyteller in English, quantized; inside the package",
            place: .resource("stories.gguf")),
        Entry(name: "stories-bf16", summary: "the storyteller as it was trained", place: .folder("stories")),
        Entry(
            name: "stories-draft", summary: "a smaller storyteller with the same tokenizer, to run ahead of it",
            place: .folder("stories-draft")),
        Entry(name: "sums", summary: "whole-number arithmetic in numbered steps", place: .folder("sums")),
        Entry(
            name: "sums-prm", summary: "tells whether the steps of such a solution are right so far",
            place: .folder("sums-prm")),
        Entry(name: "chat", summary: "a small talker for trying conversations", place: .folder("chat")),
    ]

    /// Where folders of models are looked for, in order.
    public static var folders: [String] {
        folders(
            environment: ProcessInfo.processInfo.environment, executable: executable,
            current: FileManager.default.currentDirectoryPath)
    }

    package static func folders(environment: [String: String], executable: String, current: String) -> [String] {
        if let named = environment[variable], !named.isEmpty { return [named] }
        let beside = (executable as NSString).deletingLastPathComponent
        var folders = [beside + "/Models", shared(beside) + "/Models"]
        if let build = beside.range(of: "/.build/", options: .backwards) {
            folders.append(beside[..<build.lowerBound] + "/Models")
        }
        folders.append((current as NSString).appendingPathComponent("Models"))
        var known: Set<String> = []
        return folders.filter { known.insert($0).inserted }
    }

    /// Where a built-in model lies; nil where the name is no built-in one's.
    ///
    /// - Throws: `CheckpointError` where there is no model of this name, or it is in none of the places, which it names.
    public static func path(of name: String) throws(CheckpointError) -> String? {
        guard name.hasPrefix(scheme) else { return nil }
        let short = name.dropFirst(scheme.count)
        guard let entry = all.first(where: { $0.name == short }) else {
            throw CheckpointError(
                file: name,
                reason: "there is no built-in model of this name; there are "
                    + all.map { scheme + $0.name }.joined(separator: ", "))
        }
        if let path = entry.path { return path }
        switch entry.place {
        case .folder(let folder):
            throw CheckpointError(
                file: name,
                reason: "there is no folder \(folder) with a config.json in \(folders.joined(separator: ", ")); set "
                    + "\(variable) to the folder that holds it")
        case .resource(let file):
            throw CheckpointError(
                file: name,
                reason:
                    "\(file) is in none of \(bundles.joined(separator: ", ")); keep the executable beside the bundle it "
                    + "was built with")
        }
    }

    // MARK: The package's resources

    /// The executable, links followed.
    private static var executable: String {
        (Bundle.main.executableURL ?? Bundle.main.bundleURL).resolvingSymlinksInPath().path
    }

    private static func shared(_ folder: String) -> String {
        (folder as NSString).deletingLastPathComponent + "/share/apus"
    }

    /// Where the bundle may lie. Not `Bundle.module`: it ends the process where the bundle is missing, and looks at the path
    /// on the machine that built it.
    private static var bundles: [String] {
        let beside = (executable as NSString).deletingLastPathComponent
        return [beside, shared(beside)].map { $0 + "/Apus_Apus.resources/Resources" }
    }

    private static func resource(_ file: String) -> String? {
        bundles.lazy.map { $0 + "/" + file }.first { FileManager.default.fileExists(atPath: $0) }
    }
}
