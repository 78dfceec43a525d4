public import Foundation

/// The goldens at the root of the repository: tiny checkpoints with what an independent implementation made of them.
public enum Goldens {
    /// The folder `Goldens` of the repository that this file was built from.
    public static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Goldens")

    /// Names of the tiny checkpoints, sorted: the folders of `Goldens/<kind>` that have a `golden.json`.
    public static func names(_ kind: String) -> [String] {
        let root = folder.appendingPathComponent(kind)
        let names = (try? FileManager.default.contentsOfDirectory(atPath: root.path)) ?? []
        return names.filter {
            FileManager.default.fileExists(
                atPath: root.appendingPathComponent($0).appendingPathComponent("golden.json").path)
        }.sorted()
    }
}

/// What an independent implementation made of one checkpoint.
public struct ModelGolden: Decodable, Sendable {
    public struct Case: Decodable, Sendable {
        public var name: String
        public var prompt: [Int32]
        /// The positions whose logits are stored.
        public var positions: [Int]
        /// Where they begin in the file, in numbers.
        public var offset: Int
        /// The greedy continuation.
        public var greedy: [Int32]
    }

    public var architecture: String
    public var vocab_size: Int
    public var logits_file: String
    public var cases: [Case]

    /// - Parameters:
    ///   - folder: the golden's folder.
    ///   - file: its description, which names the file of logits beside it.
    public static func load(_ folder: URL, file: String = "golden.json") throws -> (
        golden: ModelGolden, logits: [Float]
    ) {
        let data = try Data(contentsOf: folder.appendingPathComponent(file))
        let golden = try JSONDecoder().decode(ModelGolden.self, from: data)
        let bytes = try Data(contentsOf: folder.appendingPathComponent(golden.logits_file))
        let logits = bytes.withUnsafeBytes { raw in
            (0..<raw.count / 4).map {
                Float(bitPattern: UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)))
            }
        }
        return (golden, logits)
    }
}
