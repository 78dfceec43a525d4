public import Tensors

/// Each row's own levels: the k-means of its numbers, weighted by how much an error in them costs (Kim et al. 2024, SqueezeLLM,
/// section 4.1). The clustering is the best there is, by dynamic programming, where the authors iterate from a start.
///
/// Sensitivity is the authors' diagonal of the Fisher information, which takes gradients; here it is the mean square of the input, the
/// diagonal of the outputs' Hessian, or 1 without a calibration text. Their sparse part (section 4.2) is not made: products have
/// no place for it.
public struct SqueezeLLM: Quantizer {
    public init() {}

    public var need: CalibrationNeed { .inputs }

    public func quantize(
        _ weight: Matrix, _ statistics: InputStatistics?, as type: ElementType, _ solver: Solver
    ) throws(CompressionError) -> QuantizedWeight {
        guard let format = type.groupFormat, format.coding.isCodebook, let rowBytes = type.byteCount(elements: weight.columns)
        else { throw CompressionError("method squeezellm makes codebooks; take --format LUT3 or LUT4, not \(type.name)") }
        let importance = (statistics?.meanSquares).map { importanceFloor($0) } ?? Array(repeating: 1, count: weight.columns)
        let bits = format.coding.bits
        var bytes = [UInt8](repeating: 0, count: weight.rows * rowBytes)
        bytes.withUnsafeMutableBytes { bytes in
            let target = RowTarget(base: bytes.baseAddress!, rowBytes: rowBytes)
            inParallel(weight.rows, grain: 4, threads: solver.threads) { rows in
                for row in rows {
                    Self.encode(weight.row(row), importance, bits: bits, into: target.row(row))
                }
            }
        }
        return QuantizedWeight(type: type, bytes: bytes, outputs: weight.rows, inputs: weight.columns)
    }

    /// One row: scale, levels as whole numbers, codes in planes.
    private static func encode(
        _ values: UnsafeMutableBufferPointer<Float>, _ importance: [Float], bits: Int, into row: UnsafeMutableRawBufferPointer
    ) {
        let count = 1 << bits
        let centers = LineClusters(Array(values), importance, count: count).centers
        let largest = centers.reduce(Float(0)) { max($0, abs($1)) }
        let scale = largest / 127
        var levels = centers.map { scale > 0 ? Int(($0 / scale).rounded()) : 0 }
        while levels.count < count { levels.append(levels.last ?? 0) }
        row.storeBytes(of: scale, toByteOffset: 0, as: Float.self)
        for (place, level) in levels.enumerated() { row[4 + place] = UInt8(bitPattern: Int8(level)) }
        let kept = levels.map { scale * Float($0) }
        var place = 4 + count
        var codes = [UInt8](repeating: 0, count: 32)
        for first in stride(from: 0, to: values.count, by: 32) {
            for index in 0..<32 {
                var best = 0
                for level in 1..<count where abs(values[first + index] - kept[level]) < abs(values[first + index] - kept[best]) {
                    best = level
                }
                codes[index] = UInt8(best)
            }
            if bits == 4 {
                for byte in 0..<16 { row[place + byte] = codes[byte] | codes[byte + 16] << 4 }
                place += 16
            } else {
                for byte in 0..<8 {
                    row[place + byte] = (0..<4).reduce(UInt8(0)) { $0 | (codes[byte + 8 * $1] & 3) << UInt8(2 * $1) }
                }
                for byte in 0..<4 {
                    row[place + 8 + byte] = (0..<8).reduce(UInt8(0)) { $0 | (codes[8 * byte + $1] >> 2) << UInt8($1) }
                }
                place += 12
            }
        }
    }
}

/// Where threads write rows of their own.
private struct RowTarget: @unchecked Sendable {
    let base: UnsafeMutableRawPointer
    let rowBytes: Int

    func row(_ index: Int) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: base + index * rowBytes, count: rowBytes)
    }
}

/// The clusters of numbers on a line with the least weighted sum of squared distances from their centres.
///
/// Dynamic programming over the sorted numbers; the last cluster's beginning grows with its end, so each layer is found by dividing
/// (Wu 1991; Grønlund et al. 2017, section 3).
///
/// - Complexity: O(count × n log n).
struct LineClusters {
    /// Ascending.
    private(set) var centers: [Float] = []
    private(set) var cost = 0.0

    init(_ values: [Float], _ weights: [Float], count: Int) {
        let order = values.indices.sorted { values[$0] != values[$1] ? values[$0] < values[$1] : $0 < $1 }
        let n = order.count
        var (mass, first, second) = ([0.0], [0.0], [0.0])
        for index in order {
            let (value, weight) = (Double(values[index]), Double(weights[index]))
            mass.append(mass.last! + weight)
            first.append(first.last! + weight * value)
            second.append(second.last! + weight * value * value)
        }
        func distance(_ i: Int, _ j: Int) -> Double {
            let (a, b, q) = (mass[j] - mass[i], first[j] - first[i], second[j] - second[i])
            return a > 0 ? max(q - b * b / a, 0) : 0
        }
        let count = min(count, n)
        var last = (0...n).map { distance(0, $0) }
        var begins: [[Int32]] = [[Int32](repeating: 0, count: n + 1)]
        for _ in 1..<max(count, 1) {
            var (next, begin) = ([Double](repeating: 0, count: n + 1), [Int32](repeating: 0, count: n + 1))
            func solve(_ low: Int, _ high: Int, _ from: Int, _ to: Int) {
                if low > high { return }
                let middle = (low + high) / 2
                var (best, place) = (Double.infinity, from)
                for i in from...max(from, min(to, middle)) {
                    let cost = last[i] + distance(i, middle)
                    if cost < best { (best, place) = (cost, i) }
                }
                next[middle] = best
                begin[middle] = Int32(place)
                solve(low, middle - 1, from, place)
                solve(middle + 1, high, place, to)
            }
            solve(0, n, 0, n)
            last = next
            begins.append(begin)
        }
        cost = last[n]
        var end = n
        for layer in stride(from: begins.count - 1, through: 0, by: -1) {
            let begin = Int(begins[layer][end])
            if end > begin, mass[end] > mass[begin] {
                centers.append(Float((first[end] - first[begin]) / (mass[end] - mass[begin])))
            }
            end = begin
        }
        centers.reverse()
    }
}
