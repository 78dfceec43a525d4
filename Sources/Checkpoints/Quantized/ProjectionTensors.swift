internal import Tensors

/// The tensors that together are a projection's quantized weight, [outputs, inputs].
struct ProjectionTensors {
    let stem: String
    let outputs: Int
    let inputs: Int
    let checkpoint: Checkpoint

    func has(_ part: String) -> Bool { checkpoint.rawTensor(named: "\(stem).\(part)") != nil }

    func failure(_ part: String, _ field: String? = nil, _ reason: String) -> CheckpointError {
        CheckpointError(file: checkpoint.path, tensor: "\(stem).\(part)", field: field, reason: reason)
    }

    func raw(_ part: String, _ types: [String], shape: [Int]) throws(CheckpointError) -> Checkpoint.RawTensor {
        guard let tensor = checkpoint.rawTensor(named: "\(stem).\(part)") else {
            throw failure(part, nil, "this tensor of a quantized weight is missing; the files do not belong together")
        }
        guard types.contains(tensor.dtypeName) else {
            throw failure(part, "dtype", "it is \(tensor.dtypeName); \(types.joined(separator: " or ")) is read here")
        }
        guard tensor.shape == shape else {
            throw failure(part, "shape", "it is \(tensor.shape), and the weight [\(outputs), \(inputs)] calls for \(shape)")
        }
        return tensor
    }

    private static let scaleTypes = ["F16", "BF16", "F32"]

    /// Scales [output][group] of a tensor [outputs, groups], [outputs], [groups, outputs] or [1].
    func scales(
        _ part: String, groups: Int, types: [String] = scaleTypes, groupsFirst: Bool = false
    ) throws(CheckpointError) -> (values: [Float], type: GroupFormat.Scale) {
        guard let found = checkpoint.rawTensor(named: "\(stem).\(part)") else {
            throw failure(part, nil, "the scales are missing; the files do not belong together")
        }
        let elements = found.shape.reduce(1, *)
        let isWhole = elements == 1
        let shape = isWhole || found.shape == [outputs] && groups == 1
            ? found.shape : groupsFirst ? [groups, outputs] : [outputs, groups]
        let tensor = try raw(part, types, shape: shape)
        guard let (values, type) = RawNumbers.floats(tensor) else {
            throw failure(part, "dtype", "\(tensor.dtypeName) is not a type of scales")
        }
        guard values.allSatisfy(\.isFinite) else { throw failure(part, nil, "a scale is not finite; the file is damaged") }
        if isWhole { return (Array(repeating: values[0], count: outputs * groups), type) }
        guard groupsFirst else { return (values, type) }
        var turned = [Float](repeating: 0, count: values.count)
        for group in 0..<groups { for output in 0..<outputs { turned[output * groups + group] = values[group * outputs + output] } }
        return (turned, type)
    }

    /// The group of each input: by `g_idx` where there is one, else runs of `size` inputs (0: all are one).
    func groups(_ part: String, size: Int, count: Int) throws(CheckpointError) -> [Int32] {
        guard has(part) else { return (0..<inputs).map { size == 0 ? 0 : Int32($0 / size) } }
        let numbers = RawNumbers(try raw(part, ["I32"], shape: [inputs]))
        return (0..<inputs).map { Int32(bitPattern: numbers.word($0)) }
    }

    /// `group_size` or what it is called, where −1 stands for one group a row.
    func groupSize(_ config: HuggingFaceConfig) throws(CheckpointError) -> Int {
        let size = try config.int("group_size")
        guard size == -1 || size > 0 && size <= inputs * 64 else {
            throw config.failure("group_size", "\(size) is neither -1 nor a number of inputs")
        }
        return size == -1 || size >= inputs ? 0 : size
    }

    func groupCount(_ size: Int) -> Int { size == 0 ? 1 : (inputs + size - 1) / size }

    /// Zero points where not all are the middle of the codes.
    static func uneven(_ zeros: [UInt8], bits: Int) -> [UInt8]? {
        zeros.allSatisfy { $0 == 1 << (bits - 1) } ? nil : zeros
    }

    func coding(bits: Int, _ part: String) throws(CheckpointError) -> GroupFormat.Coding {
        guard let coding = GroupFormat.Coding.integer(bits: bits) else {
            throw failure(part, nil, "integers of \(bits) bits are not read; 2, 3, 4, 5, 6 and 8 are")
        }
        return coding
    }

    // MARK: GPTQ

    /// qweight [inputs · bits / 32, outputs]: a stream of bits along the inputs; qzeros [groups, outputs · bits / 32], less one in the
    /// first version of the layout; scales [groups, outputs].
    func gptq(_ config: HuggingFaceConfig) throws(CheckpointError) -> StoredWeight {
        let bits = try config.int("bits")
        guard [2, 3, 4, 8].contains(bits) else {
            throw config.failure("bits", "\(bits) is not a width of GPTQ's layout: 2, 3, 4 and 8 are")
        }
        guard inputs % 32 == 0, outputs % 32 == 0 else {
            throw failure("qweight", "shape", "[\(outputs), \(inputs)] is not a multiple of 32 both ways")
        }
        let size = try groupSize(config)
        let count = groupCount(size)
        let codes = RawNumbers(try raw("qweight", ["I32"], shape: [inputs / 32 * bits, outputs]))
        let zeroNumbers = RawNumbers(try raw("qzeros", ["I32"], shape: [count, outputs / 32 * bits]))
        let (scales, type) = try scales("scales", groups: count, groupsFirst: true)
        let less: UInt32 = try config.string(ifPresent: "checkpoint_format") == "gptq_v2" ? 0 : 1
        let zeros = (0..<outputs).flatMap { output in
            (0..<count).map { group in
                UInt8(
                    truncatingIfNeeded: less
                        + zeroNumbers.field(group * (outputs / 32 * bits), stride: 1, bit: output * bits, bits: bits))
            }
        }
        let parts = GroupParts(
            coding: try coding(bits: bits, "qweight"), outputs: outputs, inputs: inputs,
            groupOfInput: try groups("g_idx", size: size, count: count), scales: scales, scaleType: type,
            zeroPoints: Self.uneven(zeros, bits: bits)
        ) { [inputs, outputs] output, target in
            for input in 0..<inputs {
                target[input] = UInt8(codes.field(output, stride: outputs, bit: input * bits, bits: bits))
            }
        }
        return try parts.weight { failure("qweight", nil, $0) }
    }

    // MARK: AWQ

    /// qweight [inputs, outputs / 8], qzeros [groups, outputs / 8]: eight outputs a word, in the order 0 2 4 6 1 3 5 7; scales
    /// [groups, outputs].
    func awq(_ config: HuggingFaceConfig) throws(CheckpointError) -> StoredWeight {
        let stated = try config.int(ifPresent: "bits")
        let bits: Int
        if let stated { bits = stated } else { bits = try config.int("w_bit") }
        let version = try config.string(ifPresent: "version")?.lowercased() ?? "gemm"
        guard bits == 4 else { throw config.failure("bits", "\(bits) is not read; AWQ's layout has 4") }
        guard version == "gemm" else {
            throw config.failure("version", "\"\(version)\" is not read; \"gemm\" is, which most published models have")
        }
        guard inputs % 32 == 0, outputs % 8 == 0 else {
            throw failure("qweight", "shape", "[\(outputs), \(inputs)] is not a multiple of 8 and 32")
        }
        let size = try groupSize(config)
        let count = groupCount(size)
        let columns = outputs / 8
        let codes = RawNumbers(try raw("qweight", ["I32"], shape: [inputs, columns]))
        let (scales, type) = try scales("scales", groups: count, groupsFirst: true)
        let place = Self.awqPlaces
        var zeros: [UInt8]?
        if try config.bool(ifPresent: "zero_point") ?? true {
            let numbers = RawNumbers(try raw("qzeros", ["I32"], shape: [count, columns]))
            zeros = (0..<outputs).flatMap { output in
                (0..<count).map { UInt8(numbers.word($0 * columns + output / 8) >> place[output % 8] & 15) }
            }
        }
        let parts = GroupParts(
            coding: .int4, outputs: outputs, inputs: inputs, groupOfInput: try groups("g_idx", size: size, count: count),
            scales: scales, scaleType: type, zeroPoints: zeros.flatMap { Self.uneven($0, bits: 4) }
        ) { [inputs] output, target in
            for input in 0..<inputs {
                target[input] = UInt8(codes.word(input * columns + output / 8) >> place[output % 8] & 15)
            }
        }
        return try parts.weight { failure("qweight", nil, $0) }
    }

    /// The bit at which an output of eight begins.
    static let awqPlaces: [UInt32] = [0, 16, 4, 20, 8, 24, 12, 28]
}
