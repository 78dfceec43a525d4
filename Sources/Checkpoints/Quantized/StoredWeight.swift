public import Tensors

/// A projection's weight as a folder keeps it, in a form that products can take: rows of a format's blocks.
///
/// Published layouts (GPTQ, AWQ, compressed-tensors) put codes, scales and zero points into tensors of their own; the rows are put
/// together from them when they are asked for. Nothing is rounded: the format is one that holds just these codes and scales.
public struct StoredWeight: Sendable {
    public let type: ElementType
    public let outputs: Int
    public let inputs: Int
    /// Which input each column multiplies, where the file keeps its columns in another order (activation order).
    public let order: [Int32]?
    let rows: @Sendable () throws(CheckpointError) -> Rows

    /// Bytes, and what keeps them valid.
    enum Rows: @unchecked Sendable {
        case mapped(UnsafeRawBufferPointer, MappedFile)
        case made([UInt8])
    }

    /// The rows as a weight, valid within `body`.
    ///
    /// - Complexity: O(bytes), shared by all processors, where they are to be put together; else O(1).
    public func withWeight<Result>(_ body: (Weight) -> Result) throws(CheckpointError) -> Result {
        switch try rows() {
        case .mapped(let bytes, let file):
            return withExtendedLifetime(file) {
                body(Weight(type: type, outputs: outputs, inputs: inputs, bytes: bytes))
            }
        case .made(let bytes):
            return bytes.withUnsafeBytes { body(Weight(type: type, outputs: outputs, inputs: inputs, bytes: $0)) }
        }
    }

    /// The rows as they lie in the file, valid as long as the checkpoint; nil where they are to be put together.
    public func mapped() throws(CheckpointError) -> Weight? {
        guard case .mapped(let bytes, _) = try rows() else { return nil }
        return Weight(type: type, outputs: outputs, inputs: inputs, bytes: bytes)
    }
}

/// Codes of integers or small floats with scales by group, as the layouts have them, before they become rows.
struct GroupParts {
    var coding: GroupFormat.Coding
    var outputs: Int
    var inputs: Int
    /// The group of each input in the file's order.
    var groupOfInput: [Int32]
    /// Scales [output][group], and how the file kept them.
    var scales: [Float]
    var scaleType: GroupFormat.Scale
    /// Zero points [output][group] of unsigned codes; nil where all are in the middle.
    var zeroPoints: [UInt8]?
    /// Stored codes [input] of an output, in the file's order.
    var codes: @Sendable (_ output: Int, _ into: UnsafeMutableBufferPointer<UInt8>) -> Void

    var groups: Int { scales.count / outputs }

    /// - Parameter failure: makes an error of a reason.
    func weight(
        smallest: Int = 32, _ failure: (String) -> CheckpointError
    ) throws(CheckpointError) -> StoredWeight {
        // Columns of one group side by side.
        let sorted = (1..<inputs).allSatisfy { groupOfInput[$0 - 1] <= groupOfInput[$0] }
        let order: [Int32]? =
            sorted
            ? nil
            : (0..<Int32(inputs)).sorted {
                (groupOfInput[Int($0)], $0) < (groupOfInput[Int($1)], $1)
            }
        func group(_ column: Int) -> Int { Int(groupOfInput[order.map { Int($0[column]) } ?? column]) }
        guard groupOfInput.allSatisfy({ $0 >= 0 && Int($0) < groups }) else {
            throw failure("an input belongs to a group that has no scale")
        }
        let sizes = [128, 64, 32, 16].filter { $0 >= smallest && inputs % $0 == 0 }
        let whole = sizes.first { size in (0..<inputs).allSatisfy { $0 % size == 0 || group($0) == group($0 - 1) } }
        guard let size = whole,
            let format = GroupFormat(coding, group: size, scale: scaleType, zeroPoints: zeroPoints != nil)
        else {
            throw failure(
                "its groups are not whole runs of \(smallest) inputs in \(inputs); groups of 32, 64, 128 and their multiples are read")
        }
        let parts = self
        let groupOfRun = (0..<inputs / size).map { group($0 * size) }
        return StoredWeight(type: .group(format), outputs: outputs, inputs: inputs, order: order) {
            .made(parts.rows(format, order, groupOfRun))
        }
    }

    private func rows(_ format: GroupFormat, _ order: [Int32]?, _ groupOfRun: [Int]) -> [UInt8] {
        let rowBytes = inputs / format.blockSize * format.blockBytes
        return [UInt8](unsafeUninitializedCapacity: outputs * rowBytes) { target, count in
            let target = Target(base: target.baseAddress!)
            inParallel(outputs, grain: 16, threads: availableProcessors()) { range in
                withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 2 * inputs) { room in
                    let stored = UnsafeMutableBufferPointer(rebasing: room[..<inputs])
                    let ordered = UnsafeMutableBufferPointer(rebasing: room[inputs...])
                    for output in range {
                        codes(output, stored)
                        if let order { for column in 0..<inputs { ordered[column] = stored[Int(order[column])] } }
                        let scales = groupOfRun.map { self.scales[output * groups + $0] }
                        let zeros = zeroPoints.map { zeros in groupOfRun.map { zeros[output * groups + $0] } }
                        let out = UnsafeMutableRawBufferPointer(start: target.base + output * rowBytes, count: rowBytes)
                        scales.withUnsafeBufferPointer { scales in
                            let codes = UnsafeBufferPointer(order == nil ? stored : ordered)
                            if let zeros {
                                zeros.withUnsafeBufferPointer {
                                    format.assemble(codes: codes, scales: scales, zeroPoints: $0, into: out)
                                }
                            } else {
                                format.assemble(codes: codes, scales: scales, zeroPoints: nil, into: out)
                            }
                        }
                    }
                }
            }
            count = outputs * rowBytes
        }
    }

    private struct Target: @unchecked Sendable { let base: UnsafeMutablePointer<UInt8> }
}
