internal import CKernels

/// Turns rows of floats into a format's bytes: round to nearest under scales that are searched for.
///
/// The search minimises Σ importance · (x − encoded x)² over each group's scale (and minimum), for blocks of 256 inputs over
/// the block's scales and its groups' whole factors together. The bytes depend on the values, the importance and these fields
/// alone: not on threads, not on the processor.
public struct WeightEncoder: Sendable {
    /// How scales are found.
    public enum Effort: Sendable {
        /// From a group's extremes, as the format's reference encoder does it.
        case plain
        /// By search: from clipped to whole ranges, each start refined to the scale that suits its codes.
        case search
    }

    public let type: ElementType
    public var effort: Effort
    /// Multiplies an input's importance with √(mean square of the row + x²): large weights count more. What llama.cpp's
    /// quantizers minimise when they have an importance matrix.
    public var emphasizesLarge: Bool

    /// - Returns: nil for codebook formats, whose values are not found row by row.
    public init?(_ type: ElementType, effort: Effort = .search, emphasizesLarge: Bool = false) {
        if let group = type.groupFormat, group.coding.isCodebook { return nil }
        self.type = type
        self.effort = effort
        self.emphasizesLarge = emphasizesLarge
    }

    /// Encodes rows.
    ///
    /// - Parameters:
    ///   - values: [outputs, inputs], finite.
    ///   - inputs: a whole number of the type's blocks.
    ///   - importance: what an input's squared error counts, [inputs], not negative: the diagonal of the Hessian, an importance
    ///     matrix's row; nil for 1.
    ///   - threads: how many threads share the rows.
    /// - Complexity: about 60 vector operations a number when searching.
    public func encode(
        _ values: UnsafeBufferPointer<Float>, inputs: Int, importance: [Float]? = nil, threads: Int = availableProcessors()
    ) -> EncodedRows {
        precondition(inputs > 0 && values.count % inputs == 0)
        guard let rowBytes = type.byteCount(elements: inputs) else {
            preconditionFailure("\(inputs) inputs are no whole number of blocks of \(type.name)")
        }
        precondition(importance == nil || importance!.count == inputs)
        let outputs = values.count / inputs
        var errors = [Double](repeating: 0, count: outputs)
        let bytes = [UInt8](unsafeUninitializedCapacity: outputs * rowBytes) { target, count in
            errors.withUnsafeMutableBufferPointer { errors in
                let job = Job(
                    encoder: self, values: values, inputs: inputs, importance: importance ?? [], out: target.baseAddress!,
                    rowBytes: rowBytes, errors: errors.baseAddress!)
                inParallel(outputs, grain: max(1, 65_536 / inputs), threads: threads) { job.encode($0) }
            }
            count = outputs * rowBytes
        }
        return EncodedRows(type: type, outputs: outputs, inputs: inputs, bytes: bytes, rowErrors: errors)
    }

    /// The same of an array.
    public func encode(
        _ values: [Float], inputs: Int, importance: [Float]? = nil, threads: Int = availableProcessors()
    ) -> EncodedRows {
        values.withUnsafeBufferPointer { encode($0, inputs: inputs, importance: importance, threads: threads) }
    }
}

/// Rows in a format, and what encoding them cost.
public struct EncodedRows: Sendable {
    public let type: ElementType
    public let outputs: Int
    public let inputs: Int
    /// Row after row, as a ``Weight`` and a GGUF file hold them.
    public var bytes: [UInt8]
    /// Σ importance · (x − encoded x)² of each row.
    public var rowErrors: [Double]

    /// The rows as floats again, [outputs, inputs].
    public func decoded() -> [Float] {
        bytes.withUnsafeBytes { bytes in
            let weight = Weight(type: type, outputs: outputs, inputs: inputs, bytes: bytes)
            return (0..<outputs).flatMap { weight.floats(ofRow: $0) }
        }
    }
}

/// What the threads of an encoding share: each writes its own rows.
private struct Job: @unchecked Sendable {
    let encoder: WeightEncoder
    let values: UnsafeBufferPointer<Float>
    let inputs: Int
    let importance: [Float]
    let out: UnsafeMutablePointer<UInt8>
    let rowBytes: Int
    let errors: UnsafeMutablePointer<Double>

    func encode(_ rows: Range<Int>) {
        importance.withUnsafeBufferPointer { importance in
            let importance = importance.isEmpty ? nil : importance.baseAddress
            if encoder.type.blockSize == 1 { return encodeFloats(rows, importance) }
            var arguments = apus_encode_arguments(
                x: values.baseAddress, stride: Int64(inputs), inputs: Int64(inputs), importance: importance,
                type: Int32(encoder.type.rawValue), effort: Int32(encoder.effort == .plain ? APUS_PLAIN : APUS_SEARCH),
                emphasis: encoder.emphasizesLarge ? 1 : 0, out: out, row_bytes: Int64(rowBytes), errors: errors)
            apus_encode(&arguments, Int64(rows.lowerBound), Int64(rows.upperBound))
        }
    }

    private func encodeFloats(_ rows: Range<Int>, _ importance: UnsafePointer<Float>?) {
        for row in rows {
            var error = 0.0
            for input in 0..<inputs {
                let value = values[row * inputs + input]
                let index = row * inputs + input
                let kept: Float
                switch encoder.type {
                case .f16:
                    let half = Float16(value)
                    kept = Float(half)
                    UnsafeMutableRawPointer(out).storeBytes(of: half.bitPattern, toByteOffset: 2 * index, as: UInt16.self)
                case .bf16:
                    let bits = value.bitPattern
                    let high = UInt16(truncatingIfNeeded: (bits + 0x7FFF + (bits >> 16 & 1)) >> 16)
                    kept = Float(bitPattern: UInt32(high) << 16)
                    UnsafeMutableRawPointer(out).storeBytes(of: high, toByteOffset: 2 * index, as: UInt16.self)
                default:
                    kept = value
                    UnsafeMutableRawPointer(out).storeBytes(of: value, toByteOffset: 4 * index, as: Float.self)
                }
                let difference = Double(value - kept)
                error += Double(importance?[input] ?? 1) * difference * difference
            }
            errors[row] = error
        }
    }
}
