import Checkpoints
import Foundation
import Testing

/// The path of a golden file, made by the formats' reference packages (Workshop/Fuzz/make_goldens.py).
func golden(_ name: String) -> String {
    Bundle.module.resourceURL!.appendingPathComponent("Goldens").appendingPathComponent(name).path
}

/// The bytes of the golden tensor with this number, by the generator's rule.
func goldenBytes(_ number: Int, count: Int) -> [UInt8] {
    (0..<count).map { UInt8(($0 * 7 + 31 * number + 5) % 256) }
}

func contents(_ path: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: path))) }

/// Runs `body` with a new empty folder, which goes afterwards.
func withTemporaryFolder<T>(_ body: (String) throws -> T) throws -> T {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("checkpoints-" + UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder.path)
}

func write(_ bytes: some Sequence<UInt8>, to path: String) throws {
    try Data(Array(bytes)).write(to: URL(fileURLWithPath: path))
}

/// Expects `body` to throw a ``CheckpointError`` with this tensor and field, whose reason contains `words`.
func expectError(
    tensor: String? = nil, field: String? = nil, _ words: String..., sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () throws -> Void
) {
    do {
        try body()
        Issue.record("nothing was thrown", sourceLocation: sourceLocation)
    } catch let error as CheckpointError {
        #expect(error.tensor == tensor, "\(error)", sourceLocation: sourceLocation)
        #expect(error.field == field, "\(error)", sourceLocation: sourceLocation)
        #expect(!error.file.isEmpty, sourceLocation: sourceLocation)
        for words in words {
            #expect(error.reason.contains(words), "\(error)", sourceLocation: sourceLocation)
        }
    } catch {
        Issue.record("an error of another type: \(error)", sourceLocation: sourceLocation)
    }
}
