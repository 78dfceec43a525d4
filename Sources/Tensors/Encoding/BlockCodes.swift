internal import CKernels

/// A format's blocks taken apart: for methods that choose codes themselves, column by column, under scales that an encoder found.
///
/// A stored code is a number from 0; what it stands for is `scale × level + minimum`. The way of GPTQ in any format: encode the
/// block's columns with a ``WeightEncoder``, take the scales (``scales(ofRow:)``), round each column with
/// ``round(_:scales:minimums:codes:values:)``, and put the codes back (``replaceCodes(in:with:)``).
public struct BlockCodes: Sendable {
    public let type: ElementType
    /// Inputs of a block, and of a group that shares a scale.
    public let blockSize: Int
    public let group: Int

    /// - Returns: nil for float types and codebooks.
    public init?(_ type: ElementType) {
        guard type.blockSize > 1, type.groupFormat?.coding.isCodebook != true else { return nil }
        self.type = type
        blockSize = type.blockSize
        var codes = [UInt8](repeating: 0, count: 256)
        var scales = [Float](repeating: 0, count: 16)
        var minimums = scales
        let block = [UInt8](repeating: 0, count: type.blockBytes)
        group = Int(apus_read_block(Int32(type.rawValue), block, &codes, &scales, &minimums))
    }

    /// The stored codes of a row's blocks, and the scale and minimum of each group.
    public func read(_ row: UnsafeRawBufferPointer) -> (codes: [UInt8], scales: [Float], minimums: [Float]) {
        let blocks = row.count / type.blockBytes
        var codes = [UInt8](repeating: 0, count: blocks * blockSize)
        var scales = [Float](repeating: 0, count: blocks * blockSize / group)
        var minimums = scales
        codes.withUnsafeMutableBufferPointer { codes in
            scales.withUnsafeMutableBufferPointer { scales in
                minimums.withUnsafeMutableBufferPointer { minimums in
                    for block in 0..<blocks {
                        _ = apus_read_block(
                            Int32(type.rawValue),
                            (row.baseAddress! + block * type.blockBytes).assumingMemoryBound(to: UInt8.self),
                            codes.baseAddress! + block * blockSize, scales.baseAddress! + block * (blockSize / group),
                            minimums.baseAddress! + block * (blockSize / group))
                    }
                }
            }
        }
        return (codes, scales, minimums)
    }

    /// Puts codes into a row's blocks; the scales stay.
    public func replaceCodes(in row: UnsafeMutableRawBufferPointer, with codes: UnsafeBufferPointer<UInt8>) {
        let blocks = row.count / type.blockBytes
        precondition(codes.count == blocks * blockSize)
        for block in 0..<blocks {
            apus_write_codes(
                Int32(type.rawValue), codes.baseAddress! + block * blockSize,
                (row.baseAddress! + block * type.blockBytes).assumingMemoryBound(to: UInt8.self))
        }
    }

    /// The nearest stored codes of numbers, each under its own scale and minimum, and the values they stand for.
    ///
    /// - Parameters:
    ///   - values: n finite numbers: a column of a weight.
    ///   - scales, minimums: n each: of the group that the column lies in, row by row.
    ///   - codes, rounded: n each, written.
    public func round(
        _ values: UnsafeBufferPointer<Float>, scales: UnsafeBufferPointer<Float>, minimums: UnsafeBufferPointer<Float>,
        codes: UnsafeMutableBufferPointer<UInt8>, rounded: UnsafeMutableBufferPointer<Float>
    ) {
        let count = values.count
        precondition(
            scales.count == count && minimums.count == count && codes.count == count && rounded.count == count)
        apus_nearest(
            Int32(type.rawValue), values.baseAddress, scales.baseAddress, minimums.baseAddress, Int64(count),
            codes.baseAddress, rounded.baseAddress)
    }
}
