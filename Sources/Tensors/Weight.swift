internal import CKernels

/// A model's weight as its file holds it: `outputs` rows of `inputs` elements. A view: the bytes belong to the mapped
/// file, which the model keeps open.
public struct Weight: @unchecked Sendable {
    public let type: ElementType
    public let outputs: Int
    public let inputs: Int
    let base: UnsafePointer<UInt8>
    let rowBytes: Int

    /// - Parameters:
    ///   - type: how the bytes hold numbers.
    ///   - bytes: the rows one after another; must stay valid and unchanged as long as the weight is used.
    ///   - outputs: rows, at least 1.
    ///   - inputs: elements of a row, a whole number of the type's blocks.
    public init(type: ElementType, outputs: Int, inputs: Int, bytes: UnsafeRawBufferPointer) {
        guard let rowBytes = type.byteCount(elements: inputs), outputs > 0, inputs > 0 else {
            preconditionFailure("a weight's rows are whole blocks")
        }
        precondition(bytes.count == outputs * rowBytes)
        self.type = type
        self.outputs = outputs
        self.inputs = inputs
        self.rowBytes = rowBytes
        base = bytes.baseAddress!.assumingMemoryBound(to: UInt8.self)
    }

    /// Rows that lie `rowBytes` apart.
    init(type: ElementType, outputs: Int, inputs: Int, base: UnsafeRawPointer, rowBytes: Int) {
        self.type = type
        self.outputs = outputs
        self.inputs = inputs
        self.rowBytes = rowBytes
        self.base = base.assumingMemoryBound(to: UInt8.self)
    }

    /// The rows `first ..< first + count` as a weight of their own: a part of a fused projection.
    public func outputs(_ first: Int, count: Int) -> Weight {
        precondition(first >= 0 && count > 0 && first + count <= outputs)
        return Weight(
            type: type, outputs: count, inputs: inputs, base: UnsafeRawPointer(base + first * rowBytes),
            rowBytes: rowBytes)
    }

    public var bytes: Int { outputs * rowBytes }

    /// One row as floats, exactly as the format defines them.
    public func floats(ofRow row: Int, kernels: KernelTable = KernelTable.available[0]) -> [Float] {
        precondition(row >= 0 && row < outputs)
        var weight = cWeight
        return [Float](unsafeUninitializedCapacity: inputs) { target, count in
            kernels.pointer.pointee.dequantize(&weight, Int64(row), target.baseAddress)
            count = inputs
        }
    }

    var cWeight: apus_weight {
        apus_weight(
            data: base, outputs: Int64(outputs), inputs: Int64(inputs), row_bytes: Int64(rowBytes),
            type: Int32(type.rawValue))
    }
}
