import Checkpoints
import Foundation
import TestKit
import Tensors
import Testing

@testable import Models

/// A file of laid-out weights stands in for laying them out, and for nothing else.
@Suite struct PanelFileTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("apus-panels-\(UUID().uuidString)")

    private func scores(_ model: any Model) -> [UInt32] {
        let runner = ModelRunner(model)
        let sequence = runner.sequence([1, 5, 9, 2, 7], length: 5)
        return runner.step([(sequence, 5)])[0].flatMap { $0.map(\.bitPattern) }
    }

    private func source(_ name: String) -> String {
        Goldens.folder.appendingPathComponent("models").appendingPathComponent(name).path
    }

    @Test(arguments: ["llama-plain", "gpt2", "phi3-plain-window"]) func standsInForLayingOut(_ name: String) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let source = source(name)
        let path = folder.appendingPathComponent("panels").path
        let expected = try scores(Catalog.load(Checkpoint.open(source)))
        #expect(try scores(Catalog.load(Checkpoint.open(source), panelFile: path)) == expected)
        let written = try Data(contentsOf: URL(fileURLWithPath: path))
        #expect(try scores(Catalog.load(Checkpoint.open(source), panelFile: path)) == expected)

        // What it holds is what is multiplied with: changed weights change the scores.
        var changed = written
        for index in 4096..<written.count { changed[index] ^= 0x11 }
        try changed.write(to: URL(fileURLWithPath: path))
        #expect(try scores(Catalog.load(Checkpoint.open(source), panelFile: path)) != expected)

        // Cut short, of another layout or of another model: made again.
        for damaged in [written.prefix(written.count - 1), written.prefix(100), Data(), Data(written.map { ~$0 })] {
            try damaged.write(to: URL(fileURLWithPath: path))
            #expect(try scores(Catalog.load(Checkpoint.open(source), panelFile: path)) == expected)
            #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == written)
        }
        let other = self.source(name == "gpt2" ? "llama-plain" : "gpt2")
        let otherExpected = try scores(Catalog.load(Checkpoint.open(other)))
        #expect(try scores(Catalog.load(Checkpoint.open(other), panelFile: path)) == otherExpected)
        #expect(try scores(Catalog.load(Checkpoint.open(source), panelFile: path)) == expected)
    }

    @Test func aPlaceThatCannotBeWrittenIsNamed() throws {
        let source = source("llama-plain")
        #expect {
            _ = try Catalog.load(Checkpoint.open(source), panelFile: "/dev/null/panels")
        } throws: {
            "\($0)".contains("/dev/null/panels")
        }
    }

    @Test func sizesNeedNoWeights() throws {
        let source = source("llama-plain")
        #expect(
            try Catalog.shape(of: Checkpoint.open(source)).parameters
                == Catalog.load(Checkpoint.open(source)).shape.parameters)
    }
}
