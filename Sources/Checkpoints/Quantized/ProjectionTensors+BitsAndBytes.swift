internal import Tensors

/// NF4 as bitsandbytes keeps it, with double quantization (Dettmers et al. 2023, QLoRA, section 3).
extension ProjectionTensors {
    /// weight: two codes a byte, the first high, along the rows; weight.absmax: the scale of each run of `blocksize` numbers, as F32,
    /// or coded in 8 bits by weight.nested_quant_map under weight.nested_absmax of each 256 scales, plus an offset.
    func bitsAndBytes() throws(CheckpointError) -> StoredWeight? {
        let state = "weight.quant_state.bitsandbytes__nf4"
        guard let description = checkpoint.rawTensor(named: "\(stem).\(state)") else {
            if has("weight.absmax") || has("SCB") {
                throw failure("weight", nil, "of bitsandbytes' formats NF4 is read; convert the model, or take its original weights")
            }
            return nil
        }
        let (blockSize, nested, offset) = try members(of: description, state)
        guard blockSize > 0, inputs % blockSize == 0 else {
            throw failure(state, "blocksize", "runs of \(blockSize) do not divide rows of \(inputs)")
        }
        let count = outputs * inputs
        let codes = RawNumbers(try raw("weight", ["U8"], shape: [count / 2, 1]))
        guard let map = RawNumbers.floats(try raw("weight.quant_map", ["F32"], shape: [16])), map.values == Self.nf4 else {
            throw failure("weight.quant_map", nil, "its values are not those of NF4")
        }
        var scales: [Float]
        if nested > 0 {
            let coded = RawNumbers(try raw("weight.absmax", ["U8"], shape: [count / blockSize]))
            let runs = (count / blockSize + nested - 1) / nested
            guard let levels = RawNumbers.floats(try raw("weight.nested_quant_map", ["F32"], shape: [256])),
                let outer = RawNumbers.floats(try raw("weight.nested_absmax", ["F32"], shape: [runs]))
            else { return nil }
            scales = (0..<count / blockSize).map {
                levels.values[Int(coded.byte($0))] * outer.values[$0 / nested] + offset
            }
        } else {
            scales = RawNumbers.floats(try raw("weight.absmax", ["F32"], shape: [count / blockSize]))?.values ?? []
        }
        guard scales.allSatisfy(\.isFinite) else { throw failure("weight.absmax", nil, "a scale is not finite; the file is damaged") }
        let parts = GroupParts(
            coding: .nf4, outputs: outputs, inputs: inputs, groupOfInput: (0..<inputs).map { Int32($0 / blockSize) },
            scales: scales, scaleType: .f32, zeroPoints: nil
        ) { [inputs] output, target in
            for input in 0..<inputs {
                let index = output * inputs + input
                target[input] = codes.byte(index / 2) >> (index % 2 == 0 ? 4 : 0) & 15
            }
        }
        return try parts.weight { failure("weight", nil, $0) }
    }

    private func members(
        of tensor: Checkpoint.RawTensor, _ part: String
    ) throws(CheckpointError) -> (blockSize: Int, nested: Int, offset: Float) {
        let members = try withExtendedLifetime(tensor.file) { () throws(CheckpointError) in
            var scanner = JSONScanner(tensor.bytes, file: checkpoint.path, part: "\(stem).\(part)")
            return try JSONNode.members(&scanner)
        }
        func number(_ key: String) -> Double? { members.first { $0.key == key }?.value.double }
        guard let block = number("blocksize").flatMap({ Int(exactly: $0) }), block > 0 else {
            throw failure(part, "blocksize", "it is missing")
        }
        guard let nested = number("nested_blocksize").flatMap({ Int(exactly: $0) }), nested > 0 else { return (block, 0, 0) }
        return (block, nested, Float(number("nested_offset") ?? 0))
    }

    private static let nf4: [Float] = [
        -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
        -0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
        0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1,
    ]
}
