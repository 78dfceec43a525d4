internal import Tensors

/// The layouts of compressed-tensors, of `fp8` checkpoints, and Apus's own.
extension ProjectionTensors {
    /// How many groups the scales say there are: [outputs, groups]; one where they are for rows or for all.
    private func groupsOfScales(_ part: String = "weight_scale") -> Int {
        let shape = checkpoint.rawTensor(named: "\(stem).\(part)")?.shape ?? []
        return shape.count == 2 && shape[0] == outputs ? shape[1] : 1
    }

    private func runs(of count: Int, _ part: String) throws(CheckpointError) -> [Int32] {
        guard count > 0, inputs % count == 0 else {
            throw failure(part, "shape", "\(count) groups do not divide \(inputs) inputs")
        }
        return try groups("weight_g_idx", size: count == 1 ? 0 : inputs / count, count: count)
    }

    /// weight_packed [outputs, words]: codes of −2^(b−1)…, with 2^(b−1) added, as one stream of bits, or, in earlier files, as many
    /// as fit a word whole; weight_zero_point packed the same way along the outputs.
    func packedIntegers(_ packed: Checkpoint.RawTensor) throws(CheckpointError) -> StoredWeight {
        let words = packed.shape.count == 2 ? packed.shape[1] : 0
        let widths = [2, 3, 4, 5, 6, 8]
        func count(_ count: Int, whole: Bool, _ bits: Int) -> Int {
            whole ? (count + 32 / bits - 1) / (32 / bits) : (count * bits + 31) / 32
        }
        let streamed = widths.first { count(inputs, whole: false, $0) == words }
        guard let bits = streamed ?? widths.first(where: { count(inputs, whole: true, $0) == words }) else {
            throw failure("weight_packed", "shape", "\(packed.shape) holds no \(inputs) integers of 2, 3, 4, 5, 6 or 8 bits a row")
        }
        let codes = RawNumbers(try raw("weight_packed", ["I32"], shape: [outputs, words]))
        let groups = groupsOfScales()
        let (scales, type) = try scales("weight_scale", groups: groups)
        // The bit at which a code begins.
        let (isStream, each) = (streamed != nil, 32 / bits)
        @Sendable func place(_ index: Int) -> Int { isStream ? index * bits : index / each * 32 + index % each * bits }
        var zeros: [UInt8]?
        if has("weight_zero_point") {
            let numbers = RawNumbers(
                try raw("weight_zero_point", ["I32"], shape: [count(outputs, whole: !isStream, bits), groups]))
            zeros = (0..<outputs).flatMap { output in
                (0..<groups).map { UInt8(numbers.field($0, stride: groups, bit: place(output), bits: bits)) }
            }
        }
        let parts = GroupParts(
            coding: try coding(bits: bits, "weight_packed"), outputs: outputs, inputs: inputs,
            groupOfInput: try runs(of: groups, "weight_scale"), scales: scales, scaleType: type,
            zeroPoints: zeros.flatMap { Self.uneven($0, bits: bits) }
        ) { [inputs] output, target in
            for input in 0..<inputs {
                target[input] = UInt8(codes.field(output * words, stride: 1, bit: place(input), bits: bits))
            }
        }
        return try parts.weight { failure("weight_packed", nil, $0) }
    }

    /// weight [outputs, inputs] of signed bytes.
    func integers() throws(CheckpointError) -> StoredWeight {
        let codes = RawNumbers(try raw("weight", ["I8"], shape: [outputs, inputs]))
        let count = groupsOfScales()
        let (scales, type) = try scales("weight_scale", groups: count)
        var zeros: [UInt8]?
        if let tensor = checkpoint.rawTensor(named: "\(stem).weight_zero_point") {
            let isWhole = tensor.shape.reduce(1, *) == 1
            let numbers = RawNumbers(
                try raw("weight_zero_point", ["I8"], shape: isWhole ? tensor.shape : [outputs, count]))
            zeros = (0..<outputs * count).map { numbers.byte(isWhole ? 0 : $0) &+ 128 }
        }
        let parts = GroupParts(
            coding: .int8, outputs: outputs, inputs: inputs, groupOfInput: try runs(of: count, "weight_scale"),
            scales: scales, scaleType: type, zeroPoints: zeros.flatMap { Self.uneven($0, bits: 8) }
        ) { [inputs] output, target in
            for input in 0..<inputs { target[input] = codes.byte(output * inputs + input) &+ 128 }
        }
        return try parts.weight { failure("weight", nil, $0) }
    }

    /// weight [outputs, inputs] of floats of 8 bits, with scales for all, for rows, for groups, or (`weight_scale_inv`, also a factor)
    /// for square blocks.
    func smallFloats(_ config: HuggingFaceConfig) throws(CheckpointError) -> StoredWeight {
        guard let tensor = checkpoint.rawTensor(named: "\(stem).weight") else { throw failure("weight", nil, "it is missing") }
        let codes = RawNumbers(try raw("weight", ["F8_E4M3", "F8_E5M2"], shape: [outputs, inputs]))
        let isE4M3 = tensor.dtypeName == "F8_E4M3"
        guard !codes.bytes.contains(where: { isE4M3 ? $0 & 127 == 127 : $0 & 127 >= 0x7C }) else {
            throw failure("weight", nil, "a number is NaN or infinite; the file is damaged")
        }
        let part = has("weight_scale_inv") ? "weight_scale_inv" : "weight_scale"
        let shape = checkpoint.rawTensor(named: "\(stem).\(part)")?.shape ?? []
        var (scales, type): ([Float], GroupFormat.Scale)
        var count = groupsOfScales(part)
        if shape.count == 2, shape[0] != outputs, shape.reduce(1, *) > 1 {
            // Square blocks: their scale is that of each of their rows.
            let block = try config.ints(ifPresent: "weight_block_size") ?? [128, 128]
            guard block.count == 2, block.allSatisfy({ $0 > 0 }),
                shape == [(outputs + block[0] - 1) / block[0], (inputs + block[1] - 1) / block[1]], inputs % block[1] == 0
            else { throw failure(part, "shape", "\(shape) does not cut [\(outputs), \(inputs)] into blocks of \(block)") }
            guard let (values, kept) = RawNumbers.floats(try raw(part, ["F32", "BF16", "F16"], shape: shape)) else {
                throw failure(part, "dtype", "it is not a type of scales")
            }
            count = shape[1]
            scales = (0..<outputs).flatMap { values[$0 / block[0] * count..<($0 / block[0] + 1) * count] }
            type = kept
        } else {
            (scales, type) = try self.scales(part, groups: count)
        }
        let parts = GroupParts(
            coding: isE4M3 ? .fp8_E4M3 : .fp8_E5M2, outputs: outputs, inputs: inputs,
            groupOfInput: try runs(of: count, part), scales: scales, scaleType: type, zeroPoints: nil
        ) { [inputs] output, target in
            for input in 0..<inputs { target[input] = codes.byte(output * inputs + input) }
        }
        return try parts.weight { failure("weight", nil, $0) }
    }

    /// weight_packed [outputs, inputs / 2] of E2M1, the even input low: MXFP4 with powers of two for 32 inputs, NVFP4 with FP8 scales
    /// for 16 under one scale for all, by which they are divided.
    func packedFloats(_ packed: Checkpoint.RawTensor) throws(CheckpointError) -> StoredWeight {
        guard inputs % 32 == 0 else { throw failure("weight_packed", "shape", "\(inputs) inputs are no multiple of 32") }
        let codes = RawNumbers(try raw("weight_packed", ["U8", "F4"], shape: [outputs, inputs / 2]))
        let isNVFP4 = has("weight_global_scale")
        let count = inputs / (isNVFP4 ? 16 : 32)
        var (scales, type) = try scales("weight_scale", groups: count, types: isNVFP4 ? ["F8_E4M3"] : ["U8", "F8_E8M0"])
        if isNVFP4 {
            let whole = try raw("weight_global_scale", ["F32"], shape: [1])
            let divisor = RawNumbers.floats(whole)?.values[0] ?? 0
            guard divisor.isFinite, divisor != 0 else { throw failure("weight_global_scale", nil, "\(divisor) is no scale") }
            scales = scales.map { $0 / divisor }
            type = .f32
        }
        let parts = GroupParts(
            coding: .fp4_E2M1, outputs: outputs, inputs: inputs, groupOfInput: try runs(of: count, "weight_scale"),
            scales: scales, scaleType: type, zeroPoints: nil
        ) { [inputs] output, target in
            for input in 0..<inputs {
                target[input] = codes.byte(output * (inputs / 2) + input / 2) >> (input % 2 == 0 ? 0 : 4) & 15
            }
        }
        return try parts.weight(smallest: isNVFP4 ? 16 : 32) { failure("weight_packed", nil, $0) }
    }

    // MARK: Apus

    /// weight [outputs, bytes of a row] in the format that config.json names; weight_order [inputs] where columns have another order.
    func apus(_ formats: HuggingFaceConfig) throws(CheckpointError) -> StoredWeight? {
        guard let name = try formats.string(ifPresent: stem) else { return nil }
        guard let type = ElementType(name: name) else {
            throw formats.failure(stem, "\"\(name)\" is not a format that Apus reads")
        }
        guard let rowBytes = type.byteCount(elements: inputs) else {
            throw formats.failure(stem, "\(inputs) inputs are no whole number of \(name)'s blocks of \(type.blockSize)")
        }
        let tensor = try raw("weight", ["U8"], shape: [outputs, rowBytes])
        var order: [Int32]?
        if has("weight_order") {
            let numbers = RawNumbers(try raw("weight_order", ["I32"], shape: [inputs]))
            let found = (0..<inputs).map { Int32(bitPattern: numbers.word($0)) }
            guard found.sorted() == Array(0..<Int32(inputs)) else {
                throw failure("weight_order", nil, "it is no permutation of the \(inputs) inputs; the file is damaged")
            }
            order = found
        }
        return StoredWeight(type: type, outputs: outputs, inputs: inputs, order: order) {
            .mapped(tensor.bytes, tensor.file)
        }
    }
}
