internal import CKernels

extension GroupFormat {
    /// A row's bytes from its parts.
    ///
    /// - Parameters:
    ///   - codes: the stored codes, from 0, a whole number of blocks of them: an integer −2^(b−1)… is stored with 2^(b−1) added, a
    ///     float as its bits.
    ///   - scales: one a group, such as the format can keep: they are rounded to it.
    ///   - zeroPoints: one a group where the format has them.
    ///   - out: ``blockBytes`` for each ``blockSize`` codes.
    public func assemble(
        codes: UnsafeBufferPointer<UInt8>, scales: UnsafeBufferPointer<Float>, zeroPoints: UnsafeBufferPointer<UInt8>?,
        into out: UnsafeMutableRawBufferPointer
    ) {
        precondition(!coding.isCodebook && codes.count % blockSize == 0 && scales.count == codes.count / group)
        precondition(out.count == codes.count / blockSize * blockBytes)
        precondition(hasZeroPoints == (zeroPoints != nil) && (zeroPoints?.count ?? scales.count) == scales.count)
        apus_write_row(
            Int32(number), codes.baseAddress, scales.baseAddress, zeroPoints?.baseAddress, Int64(codes.count),
            out.baseAddress!.assumingMemoryBound(to: UInt8.self))
    }

    /// A codebook format's row: its scale, its values, and the stored codes, a multiple of 32 of them.
    public func assemble(scale: Float, values: [Int8], codes: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        precondition(coding.isCodebook && values.count == 1 << coding.bits && codes.count % 32 == 0)
        var row = (0..<4).map { UInt8(truncatingIfNeeded: scale.bitPattern >> (8 * UInt32($0))) }
        row += values.map { UInt8(bitPattern: $0) }
        let header = row.count
        row += [UInt8](repeating: 0, count: codes.count / 32 * blockBytes)
        row.withUnsafeMutableBufferPointer { row in
            for block in 0..<codes.count / 32 {
                apus_write_codes(
                    Int32(number), codes.baseAddress! + 32 * block, row.baseAddress! + header + block * blockBytes)
            }
        }
        return row
    }

    /// The coarsest groups that a row of `inputs` can have whose members lie in one of `size` inputs each; nil where not even 32 do.
    /// 0: one group a row.
    public static func group(dividing size: Int, inputs: Int) -> Int? {
        [128, 64, 32].first { inputs % $0 == 0 && (size == 0 || size % $0 == 0) }
    }
}
