public import Checkpoints
internal import Foundation

/// The models that come with Apus.
public enum BuiltInModels {
    /// What names of built-in models begin with.
    public static let scheme = "builtin:"

    /// The model that commands use where none is named.
    public static let standard = "builtin:stories"

    /// One model that comes with Apus.
    public struct Entry: Sendable {
        public let name: String
        public let summary: String
        fileprivate let resource: String
    }

    public static let all = [
        Entry(
            name: "stories",
            summary: "a small storyteller in English (Llama form, Q8_0), for trying things without a download",
            resource: "stories.gguf")
    ]

    /// Where a built-in model lies; nil where the name is no built-in one's.
    public static func path(of name: String) throws(CheckpointError) -> String? {
        guard name.hasPrefix(scheme) else { return nil }
        let short = name.dropFirst(scheme.count)
        guard let entry = all.first(where: { $0.name == short }) else {
            throw CheckpointError(
                file: name,
                reason:
                    "there is no built-in model of this name; there is \(all.map { scheme + $0.name }.joined(separator: ", "))"
            )
        }
        return Bundle.module.bundleURL.appendingPathComponent("Resources").appendingPathComponent(entry.resource).path
    }
}
