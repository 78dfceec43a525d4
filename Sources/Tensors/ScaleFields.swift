/// Where a format keeps the scales of a block, and how: a half for the block, whole factors for its groups. For methods that
/// choose scales themselves.
public struct ScaleLayout: Sendable {
    public let type: ElementType
    /// Groups of a block.
    public let together: Int
    /// The range of a group's factor; one number where it has none of its own.
    public let factors: ClosedRange<Int>
    /// The largest factor of a group's minimum, from 0; 0 where it has none of its own.
    public let highestOffset: Int
    public let hasMinimum: Bool
    fileprivate let superAt: Int
    fileprivate let minimumAt: Int

    /// Nil for formats that keep scales in other ways.
    public init?(_ type: ElementType) {
        self.type = type
        switch type {
        case .q4_0, .q5_0, .q8_0, .iq4_NL: (together, factors, highestOffset, hasMinimum, superAt, minimumAt) = (1, 1...1, 0, false, 0, 0)
        case .q4_1, .q5_1: (together, factors, highestOffset, hasMinimum, superAt, minimumAt) = (1, 1...1, 0, true, 0, 2)
        case .q2_K: (together, factors, highestOffset, hasMinimum, superAt, minimumAt) = (16, 0...15, 15, true, 80, 82)
        case .q3_K: (together, factors, highestOffset, hasMinimum, superAt, minimumAt) = (16, -32...31, 0, false, 108, 0)
        case .q4_K, .q5_K: (together, factors, highestOffset, hasMinimum, superAt, minimumAt) = (8, 0...63, 63, true, 0, 2)
        case .q6_K: (together, factors, highestOffset, hasMinimum, superAt, minimumAt) = (16, -128...127, 0, false, 208, 0)
        case .iq4_XS: (together, factors, highestOffset, hasMinimum, superAt, minimumAt) = (8, -32...31, 0, false, 0, 0)
        default: return nil
        }
    }

    fileprivate func factor(_ block: UnsafePointer<UInt8>, _ group: Int) -> Int32 {
        switch type {
        case .q2_K: return Int32(block[group] & 15)
        case .q3_K:
            let scales = block + 96
            let low = group < 8 ? scales[group] & 15 : scales[group - 8] >> 4
            return Int32(low | (scales[8 + group % 4] >> UInt8(2 * (group / 4)) & 3) << 4) - 32
        case .q4_K, .q5_K:
            let scales = block + 4
            return group < 4
                ? Int32(scales[group] & 63) : Int32(scales[group + 4] & 15 | (scales[group - 4] >> 6) << 4)
        case .q6_K: return Int32(Int8(bitPattern: block[192 + group]))
        case .iq4_XS:
            let low = block[4 + group / 2] >> UInt8(4 * (group % 2)) & 15
            let high = (UInt16(block[2]) | UInt16(block[3]) << 8) >> UInt16(2 * group) & 3
            return Int32(low) + (Int32(high) << 4) - 32
        default: return 1
        }
    }

    fileprivate func offset(_ block: UnsafePointer<UInt8>, _ group: Int) -> Int32 {
        switch type {
        case .q2_K: return Int32(block[group] >> 4)
        case .q4_K, .q5_K:
            let scales = block + 4
            return group < 4
                ? Int32(scales[group + 4] & 63) : Int32(scales[group + 4] >> 4 | (scales[group] >> 6) << 4)
        // The minimum itself, which is added.
        default: return -1
        }
    }

    fileprivate func put(_ factors: ArraySlice<Int32>, _ offsets: ArraySlice<Int32>, _ block: UnsafeMutablePointer<UInt8>) {
        let (f, o) = (factors.map { Int($0) }, offsets.map { Int($0) })
        switch type {
        case .q2_K: for group in 0..<16 { block[group] = UInt8(f[group] | o[group] << 4) }
        case .q3_K:
            let scales = block + 96
            for place in 0..<12 { scales[place] = 0 }
            for group in 0..<16 {
                let value = UInt8(f[group] + 32)
                scales[group % 8] |= (value & 15) << (group < 8 ? 0 : 4)
                scales[8 + group % 4] |= (value >> 4) << UInt8(2 * (group / 4))
            }
        case .q4_K, .q5_K:
            let scales = block + 4
            for group in 0..<4 {
                scales[group] = UInt8(f[group] | (f[group + 4] >> 4) << 6)
                scales[group + 4] = UInt8(o[group] | (o[group + 4] >> 4) << 6)
                scales[group + 8] = UInt8(f[group + 4] & 15 | (o[group + 4] & 15) << 4)
            }
        case .q6_K: for group in 0..<16 { block[192 + group] = UInt8(bitPattern: Int8(f[group])) }
        case .iq4_XS:
            var high: UInt16 = 0
            for place in 4..<8 { block[place] = 0 }
            for group in 0..<8 {
                let value = UInt16(f[group] + 32)
                block[4 + group / 2] |= UInt8(value & 15) << UInt8(4 * (group % 2))
                high |= (value >> 4) << UInt16(2 * group)
            }
            block[2] = UInt8(high & 255)
            block[3] = UInt8(high >> 8)
        default: break
        }
    }
}

/// The scales of a weight's blocks in their parts.
public struct ScaleFields: Sendable {
    public let layout: ScaleLayout
    /// [rows, groups]
    public var factors: [Int32] = []
    public var offsets: [Int32] = []
    /// [rows, blocks]
    public var supers: [Float] = []
    public var superMinimums: [Float] = []

    /// Reads the scales of rows of whole blocks.
    public init(_ layout: ScaleLayout, _ bytes: UnsafeRawBufferPointer) {
        self.layout = layout
        let size = layout.type.blockBytes
        for block in 0..<bytes.count / size {
            let base = (bytes.baseAddress! + block * size).assumingMemoryBound(to: UInt8.self)
            for group in 0..<layout.together {
                factors.append(layout.factor(base, group))
                offsets.append(layout.offset(base, group))
            }
            supers.append(Self.half(base, layout.superAt))
            superMinimums.append(layout.hasMinimum ? Self.half(base, layout.minimumAt) : 0)
        }
    }

    /// Writes them back; codes stay.
    public func write(to bytes: UnsafeMutableRawBufferPointer) {
        let size = layout.type.blockBytes
        for block in 0..<bytes.count / size {
            let base = (bytes.baseAddress! + block * size).assumingMemoryBound(to: UInt8.self)
            let range = block * layout.together..<(block + 1) * layout.together
            layout.put(factors[range], offsets[range], base)
            Self.put(supers[block], base, layout.superAt)
            if layout.hasMinimum { Self.put(superMinimums[block], base, layout.minimumAt) }
        }
    }

    private static func half(_ base: UnsafePointer<UInt8>, _ place: Int) -> Float {
        Float(Float16(bitPattern: UInt16(base[place]) | UInt16(base[place + 1]) << 8))
    }

    private static func put(_ value: Float, _ base: UnsafeMutablePointer<UInt8>, _ place: Int) {
        let bits = Float16(value).bitPattern
        base[place] = UInt8(bits & 255)
        base[place + 1] = UInt8(bits >> 8)
    }
}
