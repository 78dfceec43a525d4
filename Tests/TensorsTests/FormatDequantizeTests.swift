import Foundation
import Testing

/// Weights as floats. The goldens' values come from an implementation of the formats that is not ours.
@Suite struct FormatDequantizeTests {
    static let goldens = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Goldens/formats")

    static func golden(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: goldens.appending(path: name)))
    }
    static func floats(_ bytes: [UInt8]) -> [Float] {
        bytes.withUnsafeBytes { bytes in
            (0..<bytes.count / 4).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
        }
    }

    @Test(arguments: FormatReference.gguf)
    func goldenBlocksGiveTheExactValues(_ format: FormatReference) throws {
        let bytes = try Self.golden("\(format.name).blocks.bin")
        let values = Self.floats(try Self.golden("\(format.name).values.bin"))
        let inputs = 512
        let outputs = values.count / inputs
        let weight = GuardedWeight(format, outputs: outputs, inputs: inputs, bytes: bytes)
        try #require(outputs > 0 && outputs * weight.rowBytes == bytes.count)
        for row in 0..<outputs {
            let expected = Array(values[row * inputs..<(row + 1) * inputs])
            // == and not the bits: references differ in the sign of a zero.
            #expect(format.values(weight.row(row)) == expected, "the element-wise reference, row \(row)")
            for table in KernelTable.all {
                #expect(table.dequantize(weight, row: row) == expected, "\(table.name), row \(row)")
            }
        }
    }

    @Test(arguments: FormatReference.all)
    func anyBytesGiveTheReferencesBits(_ format: FormatReference) {
        // Whole random blocks: scales may be subnormal, infinite or NaN. Part-filled steps of 256 too.
        var random = SeededGenerator(state: 11)
        for inputs in format.inputCounts {
            let outputs = 7
            let count = outputs * inputs / format.inputs * format.bytes
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
            let weight = GuardedWeight(format, outputs: outputs, inputs: inputs, bytes: bytes)
            for row in 0..<outputs {
                let expected = format.values(weight.row(row))
                for table in KernelTable.all {
                    #expect(sameBits(table.dequantize(weight, row: row), expected), "\(table.name), \(inputs) inputs")
                }
            }
        }
    }

    @Test func exponentsOfMXFP4AtTheirEnds() throws {
        let format = try #require(FormatReference.all.first { $0.name == "MXFP4" })
        // Code 1 is one half of the scale 2^(e − 127).
        for (exponent, half) in [
            (0, 0x1p-128), (1, 0x1p-127), (2, 0x1p-126), (127, 0.5), (254, 0x1p126), (255, 0x1p127),
        ] {
            let bytes = [UInt8(exponent)] + [UInt8](repeating: 0x91, count: 16)
            let weight = GuardedWeight(format, outputs: 1, inputs: 32, bytes: bytes)
            let expected = [Float](repeating: Float(half), count: 16) + [Float](repeating: -Float(half), count: 16)
            for table in KernelTable.all { #expect(table.dequantize(weight, row: 0) == expected) }
        }
    }
}
