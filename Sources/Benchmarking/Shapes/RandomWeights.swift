internal import Tensors

/// Random bytes that are weights of a format with a given deviation: every code of the format occurs, scales have either
/// sign where the format's scales do, and the mean is 0.
struct RandomWeights {
    private let type: ElementType
    private var noise: SplitMix64
    /// 65,536 elements of the float types as bytes; empty for the others.
    private var elements: [UInt8] = []
    /// Scales of blocks, and what goes with each as its minimum, in half precision.
    private var scales: [(scale: UInt16, minimum: UInt16)] = []
    /// The scale of formats made of parts.
    private var groupScale: Float = 1
    /// The exponent of MXFP4's blocks.
    private var exponent: UInt8 = 0

    /// - Parameters:
    ///   - type: the format.
    ///   - deviation: standard deviation of the elements, above 0.
    ///   - seed: where they come from: equal arguments give equal bytes.
    init(type: ElementType, deviation: Float, seed: UInt64) {
        self.type = type
        noise = SplitMix64(state: seed)
        if type.groupFormat != nil {
            groupScale = deviation / decodedSample().deviation
        } else if type.isQuantized {
            calibrate(deviation)
        } else {
            tabulate(deviation)
        }
    }

    /// Fills whole blocks.
    mutating func fill(_ bytes: UnsafeMutableRawBufferPointer) {
        precondition(bytes.count % type.blockBytes == 0)
        if let format = type.groupFormat { return fillGroups(bytes, format) }
        guard type.isQuantized else { return fillFloats(bytes) }
        fillNoise(bytes)
        let layout = BlockLayout(type)
        for block in stride(from: 0, to: bytes.count, by: type.blockBytes) {
            if let place = layout.exponent { bytes[block + place] = exponent }
            guard let place = layout.scale else { continue }
            // The place's own random byte chooses.
            let choice = scales[Int(bytes[block + place])]
            bytes.storeBytes(of: choice.scale, toByteOffset: block + place, as: UInt16.self)
            if let place = layout.minimum {
                bytes.storeBytes(of: choice.minimum, toByteOffset: block + place, as: UInt16.self)
            }
        }
    }

    /// Random codes, without NaN, under scales of either sign where the format has them; zero points in the middle.
    private mutating func fillGroups(_ bytes: UnsafeMutableRawBufferPointer, _ format: GroupFormat) {
        fillNoise(bytes)
        let groups = format.blockSize / format.group
        let codeBytes = format.blockSize / 8 * format.coding.bits
        for block in stride(from: 0, to: bytes.count, by: format.blockBytes) {
            if format.coding.isFloat, format.coding.bits == 8 { for at in block..<block + codeBytes { bytes[at] &= 0xBB } }
            for group in 0..<groups {
                let at = block + codeBytes + group * format.scale.bytes
                let scale = bytes[at] & 1 == 0 ? groupScale : -groupScale
                switch format.scale {
                case .f16: bytes.storeBytes(of: Float16(scale).bitPattern, toByteOffset: at, as: UInt16.self)
                case .bf16: bytes.storeBytes(of: UInt16(scale.bitPattern >> 16), toByteOffset: at, as: UInt16.self)
                case .f32: bytes.storeBytes(of: scale.bitPattern, toByteOffset: at, as: UInt32.self)
                case .e8m0: bytes[at] = UInt8(max(1, min(254, 127 + Int(groupScale.exponent))))
                }
            }
            guard format.hasZeroPoints else { continue }
            for group in 0..<groups {
                bytes[block + codeBytes + groups * format.scale.bytes + group] = 1 << UInt8(format.coding.bits - 1)
            }
        }
    }

    private mutating func fillNoise(_ bytes: UnsafeMutableRawBufferPointer) {
        var at = 0
        while at + 8 <= bytes.count {
            bytes.storeBytes(of: noise.next(), toByteOffset: at, as: UInt64.self)
            at += 8
        }
        var rest = noise.next()
        while at < bytes.count {
            bytes[at] = UInt8(truncatingIfNeeded: rest)
            rest >>= 8
            at += 1
        }
    }

    private mutating func fillFloats(_ bytes: UnsafeMutableRawBufferPointer) {
        let size = type.blockBytes
        elements.withUnsafeBytes { table in
            var random: UInt64 = 0
            for index in 0..<bytes.count / size {
                if index % 4 == 0 { random = noise.next() }
                let choice = Int(random & 0xFFFF) * size
                random >>= 16
                if size == 2 {
                    bytes.storeBytes(
                        of: table.load(fromByteOffset: choice, as: UInt16.self), toByteOffset: 2 * index, as: UInt16.self)
                } else {
                    bytes.storeBytes(
                        of: table.load(fromByteOffset: choice, as: UInt32.self), toByteOffset: 4 * index, as: UInt32.self)
                }
            }
        }
    }

    /// Elements evenly spread over ±√3 deviations.
    private mutating func tabulate(_ deviation: Float) {
        let largest = deviation * Float(3).squareRoot()
        for step in 0..<65536 {
            let value = largest * (Float(step) - 32767.5) / 32767.5
            switch type {
            case .f32: append(value.bitPattern)
            case .f16: append(Float16(value).bitPattern)
            default: append(UInt16(truncatingIfNeeded: value.bitPattern >> 16))
            }
        }
    }

    private mutating func append<T: FixedWidthInteger>(_ value: T) {
        withUnsafeBytes(of: value.littleEndian) { elements.append(contentsOf: $0) }
    }

    /// Finds the scale that gives the deviation, by decoding random blocks whose scale is 1.
    private mutating func calibrate(_ deviation: Float) {
        scales = Array(repeating: (scale: Float16(1).bitPattern, minimum: Float16(0).bitPattern), count: 256)
        exponent = 127
        let plain = decodedSample()
        scales = Array(repeating: (scale: Float16(0).bitPattern, minimum: Float16(1).bitPattern), count: 256)
        let minimums = decodedSample()
        let layout = BlockLayout(type)
        // The minimum takes away the mean that the codes give: a share of the scale.
        let share = layout.minimum == nil ? 0 : -plain.mean / minimums.mean
        scales = Array(repeating: (scale: Float16(1).bitPattern, minimum: Float16(share).bitPattern), count: 256)
        let unit = decodedSample().deviation
        let scale = deviation / unit
        if layout.exponent != nil {
            exponent = UInt8(max(1, min(254, 127 + Int(scale.exponent))))
            return
        }
        for choice in 0..<256 {
            var value = scale * (0.75 + 0.5 * Float(choice / 2) / 127)
            // Scales of formats with a minimum are never negative in real files.
            if layout.minimum == nil, choice % 2 == 1 { value = -value }
            scales[choice] = (scale: Float16(value).bitPattern, minimum: Float16(value * share).bitPattern)
        }
    }

    private mutating func decodedSample() -> (mean: Float, deviation: Float) {
        let inputs = 64 * type.blockSize
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * type.blockBytes, alignment: 64)
        defer { bytes.deallocate() }
        let start = noise
        fill(bytes)
        noise = start
        let weight = Weight(type: type, outputs: 1, inputs: inputs, bytes: UnsafeRawBufferPointer(bytes))
        let values = weight.floats(ofRow: 0)
        let mean = values.reduce(0, +) / Float(inputs)
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Float(inputs)
        return (mean, variance.squareRoot())
    }
}

/// Where a block of a format keeps its half-precision scale and minimum, or its exponent.
private struct BlockLayout {
    var scale: Int?
    var minimum: Int?
    var exponent: Int?

    init(_ type: ElementType) {
        switch type {
        case .q4_0, .q5_0, .q8_0, .iq4_NL, .iq4_XS: scale = 0
        case .q4_1, .q5_1, .q4_K, .q5_K: (scale, minimum) = (0, 2)
        case .q2_K: (scale, minimum) = (80, 82)
        case .q3_K: scale = 108
        case .q6_K: scale = 208
        case .mxfp4: exponent = 0
        case .f32, .f16, .bf16, .group: break
        }
    }
}

/// The generator of Steele, Lea and Flood (2014): one addition and a mix for 64 bits.
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
