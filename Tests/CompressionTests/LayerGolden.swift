import Foundation
import Tensors

@testable import Compression

/// A small layer and what an implementation of the papers' algorithms in another language has made of it.
struct LayerGolden: Decodable {
    struct Coded: Decodable {
        var codes: Data
        var error: Double
    }
    struct Error: Decodable { var error: Double }
    struct Descended: Decodable {
        var sweeps: Int
        var error: Double
    }
    struct Scaled: Decodable {
        var step: Int
        var scale: Data
        var error: Double
        var plain: Double
    }
    struct Clusters: Decodable {
        var clusters: Int
        var costs: [Double]
    }
    struct LowRank: Decodable {
        var rank: Int
        var left: Double
    }

    var outputs: Int
    var inputs: Int
    var rows: Int
    var group: Int
    var w: Data
    var x: Data
    var scales: Data
    var natural: Coded
    var activation: Coded
    var nearest: Error
    var descended: Descended
    var awq: Scaled
    var kmeans: Clusters
    var lorc: LowRank

    static let shared: LayerGolden = {
        let file = Bundle.module.resourceURL!.appendingPathComponent("Goldens/layer.json")
        return try! JSONDecoder().decode(LayerGolden.self, from: Data(contentsOf: file))
    }()

    static func floats(_ data: Data) -> [Float] {
        data.withUnsafeBytes { bytes in
            (0..<data.count / 4).map {
                Float(bitPattern: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)))
            }
        }
    }

    var weight: Matrix { Matrix(rows: outputs, columns: inputs, Self.floats(w)) }

    /// The inputs' statistics, moments among them.
    func statistics(_ solver: Solver) -> InputStatistics {
        let buffer = Buffer(capacity: rows, width: inputs)
        let values = Self.floats(x)
        let all = buffer.rows(rows)
        for row in 0..<rows {
            _ = all.elements(of: row).update(fromContentsOf: values[row * inputs..<(row + 1) * inputs])
        }
        let collector = InputCollector(inputs: inputs, need: .moments, total: rows, solver)
        collector.add(all)
        return collector.finish()
    }

    /// Σ (d x)² / Σ (w x)² in double precision.
    func error(of values: Matrix) -> Double {
        let (x, w) = (Self.floats(x), Self.floats(w))
        var (lost, whole) = (0.0, 0.0)
        for row in 0..<rows {
            for output in 0..<outputs {
                var (a, b) = (0.0, 0.0)
                for input in 0..<inputs {
                    let value = Double(x[row * inputs + input])
                    a += value * Double(values[output, input] - w[output * inputs + input])
                    b += value * Double(w[output * inputs + input])
                }
                lost += a * a
                whole += b * b
            }
        }
        return lost / whole
    }
}
