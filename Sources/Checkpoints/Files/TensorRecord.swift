package import Tensors

/// Where a file keeps one tensor.
package struct TensorRecord: Sendable, Equatable {
    package let name: String
    /// Outermost dimension first; the last one is contiguous.
    package let shape: [Int]
    /// The type as the file's format calls it.
    package let typeName: String
    /// The same as a weight's type, or nil where Apus does not read it as a weight.
    package let type: ElementType?
    /// Byte positions within the file.
    package let range: Range<Int>

    /// The number of elements; the readers have checked that the product fits.
    package var count: Int { shape.reduce(1, *) }
}

extension [TensorRecord] {
    /// The tensors in the order of their bytes; `throw`s where two share a byte.
    ///
    /// - Complexity: O(n log n).
    func sortedChecking(file: String) throws(CheckpointError) -> [TensorRecord] {
        // An empty tensor starts where its successor does: the end decides between them.
        let sorted = sorted { ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound) }
        for (first, second) in zip(sorted, sorted.dropFirst()) where second.range.lowerBound < first.range.upperBound {
            throw CheckpointError(
                file: file, tensor: second.name, field: "offset",
                reason: "its bytes \(second.range.lowerBound)..<\(second.range.upperBound) overlap bytes "
                    + "\(first.range.lowerBound)..<\(first.range.upperBound) of tensor \(first.name); the file is damaged"
            )
        }
        return sorted
    }
}

/// The product of a shape's dimensions, none of which is negative, or nil where the dimensions other than 0 multiply to
/// more than an `Int` holds: so that whoever multiplies the dimensions of an accepted shape, in any order, is safe.
func elementCount(_ shape: [Int]) -> Int? {
    var product = 1
    for dimension in shape where dimension != 0 {
        let (next, overflow) = product.multipliedReportingOverflow(by: dimension)
        if overflow { return nil }
        product = next
    }
    return shape.contains(0) ? 0 : product
}
