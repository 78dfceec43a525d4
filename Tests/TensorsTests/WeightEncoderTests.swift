import Foundation
import Tensors
import Testing

/// Rows of floats → bytes, against the quantizers of `gguf` and of llama.cpp (Goldens/encoders).
@Suite struct WeightEncoderTests {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Goldens/encoders")
    static let inputs = 512
    static let values = floats("values.bin")
    static let importance = floats("importance.bin")
    static let quantized = ElementType.allCases.filter(\.isQuantized)
    static let groups: [ElementType] = GroupFormat.Coding.allCases.filter { !$0.isCodebook }.flatMap { coding in
        GroupFormat.groups.flatMap { group in
            GroupFormat.Scale.allCases.flatMap { scale in
                [false, true].compactMap { GroupFormat(coding, group: group, scale: scale, zeroPoints: $0) }
            }
        }
    }.map(ElementType.group)

    static func floats(_ name: String) -> [Float] {
        let data = try! Data(contentsOf: folder.appending(path: name))
        return data.withUnsafeBytes { bytes in
            (0..<bytes.count / 4).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
        }
    }

    /// Σ weight · (x − decoded)².
    static func error(_ rows: [Float], emphasis: Bool, importance: [Float] = importance) -> Double {
        var sum = 0.0
        for row in 0..<rows.count / inputs {
            let x = values[row * inputs..<(row + 1) * inputs].map(Double.init)
            let square = x.reduce(0) { $0 + $1 * $1 } / Double(inputs)
            for input in 0..<inputs {
                let difference = x[input] - Double(rows[row * inputs + input])
                let weight = Double(importance[input]) * (emphasis ? (square + x[input] * x[input]).squareRoot() : 1)
                sum += weight * difference * difference
            }
        }
        return sum
    }

    @Test(arguments: ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"])
    func plainCodesAreTheReferences(_ name: String) throws {
        let encoder = try #require(WeightEncoder(ElementType(name: name)!, effort: .plain))
        let golden = [UInt8](try Data(contentsOf: Self.folder.appending(path: "\(name).plain.bin")))
        #expect(encoder.encode(Self.values, inputs: Self.inputs).bytes == golden)
    }

    /// At most llama.cpp's weighted error, on what it minimises and on the importance alone.
    @Test(arguments: quantized, [false, true])
    func searchedErrorIsAtMostLlamas(_ type: ElementType, emphasis: Bool) throws {
        let data = try Data(contentsOf: Self.folder.appending(path: "errors.json"))
        let errors = try JSONDecoder().decode([String: [String: Double]].self, from: data)
        let theirs = try #require(errors[type.name]?[emphasis ? "emphasis" : "importance"])
        let encoder = try #require(WeightEncoder(type, emphasizesLarge: emphasis))
        let ours = Self.error(
            encoder.encode(Self.values, inputs: Self.inputs, importance: Self.importance).decoded(), emphasis: emphasis)
        #expect(ours <= theirs * 1.001, "\(ours / theirs) of theirs")
    }

    @Test(arguments: quantized + groups)
    func theErrorToldIsTheErrorMade(_ type: ElementType) throws {
        for effort in [WeightEncoder.Effort.plain, .search] {
            for emphasis in [false, true] {
                let encoder = try #require(WeightEncoder(type, effort: effort, emphasizesLarge: emphasis))
                let rows = encoder.encode(Self.values, inputs: Self.inputs, importance: Self.importance)
                let told = rows.rowErrors.reduce(0, +)
                let made = Self.error(rows.decoded(), emphasis: emphasis)
                #expect(abs(told - made) <= 1e-4 * made + 1e-12, "\(effort)")
            }
        }
    }

    @Test(arguments: quantized + groups)
    func searchIsNoWorseThanThePlainScale(_ type: ElementType) throws {
        func sum(_ effort: WeightEncoder.Effort) throws -> Double {
            try #require(WeightEncoder(type, effort: effort)).encode(
                Self.values, inputs: Self.inputs, importance: Self.importance
            ).rowErrors.reduce(0, +)
        }
        #expect(try sum(.search) <= sum(.plain) * 1.0001)
    }

    @Test(arguments: quantized + groups)
    func threadsChangeNoByte(_ type: ElementType) throws {
        let encoder = try #require(WeightEncoder(type))
        let wide = Array(repeating: Self.values, count: 30).flatMap { $0 }
        let alone = encoder.encode(wide, inputs: Self.inputs, importance: Self.importance, threads: 1)
        let together = encoder.encode(wide, inputs: Self.inputs, importance: Self.importance, threads: 3)
        #expect(alone.bytes == together.bytes)
        // A row's bytes are its own: any row among 360 as the same row among 12.
        #expect(
            Array(alone.bytes.suffix(alone.bytes.count / 30))
                == encoder.encode(Self.values, inputs: Self.inputs, importance: Self.importance).bytes)
    }

    /// Codes taken out and put back make the same bytes; the values they stand for are the decoded ones; and a value is
    /// its own nearest.
    @Test(arguments: quantized + groups)
    func blocksComeApartAndTogether(_ type: ElementType) throws {
        let rows = try #require(WeightEncoder(type)).encode(Self.values, inputs: Self.inputs)
        let blocks = try #require(BlockCodes(type))
        let decoded = rows.decoded()
        let rowBytes = rows.bytes.count / rows.outputs
        for row in 0..<rows.outputs {
            var bytes = Array(rows.bytes[row * rowBytes..<(row + 1) * rowBytes])
            let (codes, scales, minimums) = bytes.withUnsafeBytes { blocks.read($0) }
            let before = bytes
            bytes.withUnsafeMutableBytes { bytes in
                codes.withUnsafeBufferPointer { blocks.replaceCodes(in: bytes, with: $0) }
            }
            #expect(bytes == before)
            let values = Array(decoded[row * Self.inputs..<(row + 1) * Self.inputs])
            var nearest = [UInt8](repeating: 0, count: Self.inputs)
            var rounded = [Float](repeating: 0, count: Self.inputs)
            let spreadScales = (0..<Self.inputs).map { scales[$0 / blocks.group] }
            let spreadMinimums = (0..<Self.inputs).map { minimums[$0 / blocks.group] }
            values.withUnsafeBufferPointer { values in
                spreadScales.withUnsafeBufferPointer { scales in
                    spreadMinimums.withUnsafeBufferPointer { minimums in
                        nearest.withUnsafeMutableBufferPointer { nearest in
                            rounded.withUnsafeMutableBufferPointer {
                                blocks.round(values, scales: scales, minimums: minimums, codes: nearest, rounded: $0)
                            }
                        }
                    }
                }
            }
            for input in 0..<Self.inputs {
                // A full float times a code of 8 bits is rounded: by the zero point's way round once more.
                let slack = 1e-6 * abs(values[input]) + 4e-5 * abs(spreadScales[input])
                #expect(abs(rounded[input] - values[input]) <= slack, "row \(row), input \(input)")
            }
        }
    }

    @Test func floatTypesRoundToNearest() throws {
        for (type, nearest) in [
            (ElementType.f32, { $0 }), (.f16, { Float(Float16($0)) }),
            (.bf16, { (x: Float) in
                let down = Float(bitPattern: x.bitPattern & 0xFFFF_0000)
                let up = Float(bitPattern: (x.bitPattern & 0xFFFF_0000) &+ 0x1_0000)
                let (low, high) = (abs(Double(x) - Double(down)), abs(Double(up) - Double(x)))
                return low < high || low == high && down.bitPattern & 0x1_0000 == 0 ? down : up
            }),
        ] as [(ElementType, (Float) -> Float)] {
            let decoded = try #require(WeightEncoder(type)).encode(Self.values, inputs: Self.inputs).decoded()
            #expect(decoded == Self.values.map(nearest))
        }
    }
}
