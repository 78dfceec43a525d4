internal import CKernels

/// The elementary functions that may decide a token: the same bits on every machine (no system math library).
/// Errors are in units in the last place of a double and hold over the whole range unless said.
public enum ScalarMath {
    // Every table computes the same bits, so rows may use the fastest whatever the engine runs on.
    private static var table: apus_kernels { KernelTable.available[0].pointer.pointee }

    /// e^x, below 1 ULP.
    public static func exp(_ x: Double) -> Double { apus_exp(x) }
    /// Natural logarithm, below 2 ULP; -infinity for 0, NaN below 0.
    public static func log(_ x: Double) -> Double { apus_log(x) }
    /// x^y for x ≥ 0, relative error below 3e-16 · (1 + |y ln x|).
    public static func pow(_ x: Double, _ y: Double) -> Double { apus_pow(x, y) }
    /// Sine of an angle in radians, |x| < 2^30.
    public static func sin(_ x: Double) -> Double { apus_sin(x) }
    /// Cosine of an angle in radians, |x| < 2^30.
    public static func cos(_ x: Double) -> Double { apus_cos(x) }
    /// Hyperbolic tangent, below 4 ULP.
    public static func tanh(_ x: Double) -> Double { apus_tanh(x) }

    /// The largest score of a row; -infinity for an empty one.
    public static func maximum(_ row: UnsafeBufferPointer<Float>) -> Float {
        table.row_max(row.baseAddress, Int64(row.count))
    }

    /// The largest score of a row, and the largest magnitude of one as bits: those of infinity and NaN lie above all
    /// numbers'. One pass.
    public static func scan(_ row: UnsafeBufferPointer<Float>) -> (largest: Float, magnitudeBits: UInt32) {
        var magnitude: Int32 = 0
        let largest = table.row_scan(row.baseAddress, Int64(row.count), &magnitude)
        return (largest, UInt32(bitPattern: magnitude))
    }

    /// The place of the first score that equals `value`; nil where there is none.
    public static func firstIndex(of value: Float, in row: UnsafeBufferPointer<Float>) -> Int? {
        let place = Int(table.row_find(row.baseAddress, Int64(row.count), value))
        return place < row.count ? place : nil
    }

    /// Writes e^(x − shift) of every score of a row and returns their sum, added in one fixed order (16 lanes and a
    /// tree). O(row). `weights` has the row's count and may be the row's own memory.
    public static func exponentials(
        _ row: UnsafeBufferPointer<Float>, shift: Float, into weights: UnsafeMutableBufferPointer<Float>
    ) -> Double {
        precondition(weights.count == row.count)
        return table.row_exp(row.baseAddress, Int64(row.count), shift, weights.baseAddress)
    }

    /// ln Σ e^x over a row, accurate to about 1e-7. O(row).
    public static func logSumExp(_ row: UnsafeBufferPointer<Float>) -> Double {
        let largest = maximum(row)
        guard largest.isFinite else { return Double(largest) }
        return Double(largest) + apus_log(table.row_exp(row.baseAddress, Int64(row.count), largest, nil))
    }
}
