public import Tensors

/// Rounding to nearest in groups whose size each weight chooses for itself (Kim et al. 2023, FineQuant, section 3.2): from the widest
/// on, groups are halved as long as that narrows their ranges enough. Needs no data.
public struct FineQuant: Quantizer {
    /// Groups are halved while the mean range falls below this share of what it was.
    public var threshold: Float = 0.9

    public init() {}

    public var need: CalibrationNeed { .nothing }

    public func quantize(
        _ weight: Matrix, _ statistics: InputStatistics?, as type: ElementType, _ solver: Solver
    ) throws(CompressionError) -> QuantizedWeight {
        guard let format = type.groupFormat, format.coding.isInteger else {
            throw CompressionError(
                "method finequant chooses the groups of integers; take --bits and a folder as output, not \(type.name)")
        }
        let sizes = [128, 64, 32].filter { $0 <= max(format.group, 32) && weight.columns % $0 == 0 }
        guard var group = sizes.first else {
            throw CompressionError("rows of \(weight.columns) are no whole number of groups of 32")
        }
        for next in sizes.dropFirst() {
            guard meanRange(weight, next) < threshold * meanRange(weight, group) else { break }
            group = next
        }
        let chosen = GroupFormat(format.coding, group: group, scale: format.scale, zeroPoints: format.hasZeroPoints)!
        var made = try RoundToNearest().quantize(weight, nil, as: .group(chosen), solver)
        made.choices["group"] = "\(group)"
        return made
    }

    /// The mean over all groups of the largest magnitude.
    private func meanRange(_ weight: Matrix, _ group: Int) -> Float {
        var sum = 0.0
        for row in 0..<weight.rows {
            let values = weight.row(row)
            for first in stride(from: 0, to: values.count, by: group) {
                var largest: Float = 0
                for column in first..<first + group { largest = max(largest, abs(values[column])) }
                sum += Double(largest)
            }
        }
        return Float(sum / Double(weight.rows * weight.columns / group))
    }
}
