internal import Tensors

/// A weight's rows taken apart: codes [output][input], scales and zero points [output][group], and the field's layouts made of them.
struct CodedRows {
    let format: GroupFormat
    let outputs: Int
    let inputs: Int
    private var codes: [UInt8] = []
    private var scales: [Float] = []
    private var zeros: [UInt8] = []

    private var groups: Int { inputs / format.group }
    private var bits: Int { format.coding.bits }

    init(_ rows: UnsafeRawBufferPointer, _ format: GroupFormat, outputs: Int, inputs: Int) {
        self.format = format
        self.outputs = outputs
        self.inputs = inputs
        guard let blocks = BlockCodes(.group(format)) else { preconditionFailure("a codebook has no groups") }
        let rowBytes = inputs / format.blockSize * format.blockBytes
        precondition(rows.count == outputs * rowBytes)
        codes.reserveCapacity(outputs * inputs)
        let perBlock = format.blockSize / format.group
        for output in 0..<outputs {
            let row = UnsafeRawBufferPointer(rebasing: rows[output * rowBytes..<(output + 1) * rowBytes])
            let read = blocks.read(row)
            codes += read.codes
            scales += read.scales
            for block in 0..<inputs / format.blockSize where format.hasZeroPoints {
                let end = (block + 1) * format.blockBytes
                zeros += row[end - perBlock..<end]
            }
        }
        if !format.hasZeroPoints { zeros = [UInt8](repeating: 1 << UInt8(bits - 1), count: outputs * groups) }
    }

    /// Fields of `bits` bits one after another in words.
    private static func stream(_ count: Int, bits: Int, _ field: (Int) -> UInt8) -> [UInt32] {
        var words = [UInt32](repeating: 0, count: (count * bits + 31) / 32)
        for index in 0..<count {
            let at = index * bits
            let value = UInt64(field(index)) << UInt64(at % 32)
            words[at / 32] |= UInt32(truncatingIfNeeded: value)
            if value >> 32 != 0 { words[at / 32 + 1] |= UInt32(value >> 32) }
        }
        return words
    }

    private func scaleBytes(groupsFirst: Bool) -> [UInt8] {
        var result: [UInt8] = []
        func append(_ scale: Float) {
            switch format.scale {
            case .f16: result += littleEndian([Float16(scale).bitPattern])
            case .bf16: result += littleEndian([UInt16(scale.bitPattern >> 16)])
            case .f32: result += littleEndian([scale.bitPattern])
            case .e8m0: result.append(UInt8(scale.bitPattern >> 23))
            }
        }
        if groupsFirst {
            for group in 0..<groups { for output in 0..<outputs { append(scales[output * groups + group]) } }
        } else {
            for scale in scales { append(scale) }
        }
        return result
    }

    private func groupIndices(_ order: [Int32]?) -> [Int32] {
        var result = [Int32](repeating: 0, count: inputs)
        for column in 0..<inputs { result[order.map { Int($0[column]) } ?? column] = Int32(column / format.group) }
        return result
    }

    /// Codes of an output in the order of the inputs.
    private func inPlace(_ output: Int, _ order: [Int32]?) -> ArraySlice<UInt8> {
        let row = codes[output * inputs..<(output + 1) * inputs]
        guard let order else { return row }
        var result = [UInt8](repeating: 0, count: inputs)
        for (column, input) in order.enumerated() { result[Int(input)] = row[row.startIndex + column] }
        return result[...]
    }

    func gptq(_ order: [Int32]?) -> [[UInt8]] {
        let rows = inputs / 32 * bits
        var weight = [UInt32](repeating: 0, count: rows * outputs)
        for output in 0..<outputs {
            let row = inPlace(output, order)
            let words = Self.stream(inputs, bits: bits) { row[row.startIndex + $0] }
            for index in 0..<rows { weight[index * outputs + output] = words[index] }
        }
        // The first version keeps zero points less one; formats with zero points of their own are written as the second.
        let less: UInt8 = format.hasZeroPoints ? 0 : 1
        let zeroWords = (0..<groups).flatMap { group in
            Self.stream(outputs, bits: bits) { zeros[$0 * groups + group] - less }
        }
        return [littleEndian(weight), littleEndian(zeroWords), littleEndian(groupIndices(order)), scaleBytes(groupsFirst: true)]
    }

    func awq() -> [[UInt8]] {
        func word(_ value: (Int) -> UInt8) -> UInt32 {
            (0..<8).reduce(UInt32(0)) { $0 | UInt32(value($1)) << ProjectionTensors.awqPlaces[$1] }
        }
        let weight = (0..<inputs).flatMap { input in
            (0..<outputs / 8).map { column in word { codes[(8 * column + $0) * inputs + input] } }
        }
        let zeroWords = (0..<groups).flatMap { group in
            (0..<outputs / 8).map { column in word { zeros[(8 * column + $0) * groups + group] } }
        }
        return [littleEndian(weight), littleEndian(zeroWords), scaleBytes(groupsFirst: true)]
    }

    func compressed(_ order: [Int32]?) -> [[UInt8]] {
        let scale = scaleBytes(groupsFirst: false)
        switch format.coding {
        case .fp4_E2M1:
            return [(0..<codes.count / 2).map { codes[2 * $0] | codes[2 * $0 + 1] << 4 }, scale]
        case .fp8_E4M3: return [scale, codes]
        default: break
        }
        let weight = (0..<outputs).flatMap { output -> [UInt32] in
            let row = inPlace(output, order)
            return Self.stream(inputs, bits: bits) { row[row.startIndex + $0] }
        }
        var result = [littleEndian([Int64(outputs), Int64(inputs)]), littleEndian(weight)]
        if format.hasZeroPoints {
            let columns = (0..<groups).map { group in Self.stream(outputs, bits: bits) { zeros[$0 * groups + group] } }
            let rows = columns[0].count
            result.append(littleEndian((0..<rows).flatMap { row in columns.map { $0[row] } }))
        }
        if order != nil { result.append(littleEndian(groupIndices(order))) }
        return result + [scale]
    }
}
