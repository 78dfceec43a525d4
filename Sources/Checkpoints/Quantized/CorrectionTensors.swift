public import Tensors

/// Names of the tensors that stand beside a quantized weight in a folder of layout apus, after the weight's stem.
public enum CorrectionNames {
    /// F16 [rank, inputs] and F16 [outputs, rank].
    public static let lowRankDown = "low_rank_down"
    public static let lowRankUp = "low_rank_up"
    /// I32 [outputs + 1]: where each output's numbers begin; I32 [n]: the input of each; F16 [n]: the numbers.
    public static let sparseStarts = "sparse_starts"
    public static let sparseColumns = "sparse_columns"
    public static let sparseValues = "sparse_values"
}

extension Checkpoint {
    /// What corrects a quantized weight: views into the file, and its sparse part.
    public struct StoredCorrection {
        public var lowRank: (down: Weight, up: Weight, rank: Int)?
        public var sparse: Correction.Sparse?
    }

    /// What stands beside the weight of a projection; nil where there is nothing.
    ///
    /// - Throws: ``CheckpointError`` where it does not fit the weight.
    public func correction(_ stem: String, outputs: Int, inputs: Int) throws(CheckpointError) -> StoredCorrection? {
        var result = StoredCorrection()
        func failure(_ suffix: String, _ reason: String) -> CheckpointError {
            CheckpointError(file: name, tensor: "\(stem).\(suffix)", reason: reason + "; the file is damaged or was changed: quantize or download it again")
        }
        func part(_ suffix: String, _ type: String, _ shape: [Int?]) throws(CheckpointError) -> RawTensor {
            guard let tensor = rawTensor(named: "\(stem).\(suffix)") else { throw failure(suffix, "the tensor is missing") }
            guard tensor.dtypeName == type, tensor.shape.count == shape.count,
                zip(tensor.shape, shape).allSatisfy({ $1 == nil || $0 == $1 })
            else {
                let wanted = shape.map { $0.map(String.init) ?? "n" }.joined(separator: ", ")
                throw failure(suffix, "\(tensor.dtypeName) \(tensor.shape) is not \(type) [\(wanted)]")
            }
            return tensor
        }
        if rawTensor(named: "\(stem).\(CorrectionNames.lowRankDown)") != nil {
            let down = try part(CorrectionNames.lowRankDown, "F16", [nil, inputs])
            let rank = down.shape[0]
            guard (1...Correction.largestRank).contains(rank) else {
                throw failure(CorrectionNames.lowRankDown, "a rank of \(rank) is not in 1...\(Correction.largestRank)")
            }
            let up = try part(CorrectionNames.lowRankUp, "F16", [outputs, rank])
            result.lowRank = (
                Weight(type: .f16, outputs: rank, inputs: inputs, bytes: down.bytes),
                Weight(type: .f16, outputs: outputs, inputs: rank, bytes: up.bytes), rank
            )
        }
        if rawTensor(named: "\(stem).\(CorrectionNames.sparseStarts)") != nil {
            let starts = try part(CorrectionNames.sparseStarts, "I32", [outputs + 1])
            let columns = try part(CorrectionNames.sparseColumns, "I32", [nil])
            let values = try part(CorrectionNames.sparseValues, "F16", [columns.shape[0]])
            func integers(_ tensor: RawTensor) -> [Int32] {
                (0..<tensor.shape[0]).map { Int32(littleEndian: tensor.bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self)) }
            }
            let numbers = values.shape[0] == 0 ? [] : Weight(type: .f16, outputs: 1, inputs: values.shape[0], bytes: values.bytes).floats(ofRow: 0)
            guard
                let sparse = Correction.Sparse(
                    starts: integers(starts), columns: integers(columns), values: numbers, outputs: outputs, inputs: inputs)
            else { throw failure(CorrectionNames.sparseStarts, "the numbers of the outputs are not in order, or lie outside the weight") }
            result.sparse = sparse
        }
        return result.lowRank == nil && result.sparse == nil ? nil : result
    }
}
