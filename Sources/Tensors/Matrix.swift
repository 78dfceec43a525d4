#if canImport(Glibc)
    internal import Glibc
#endif

/// Rows of floats in memory of their own: a weight, [outputs, inputs], or a matrix of sums on its way through compression.
///
/// A class, because it is the largest thing in memory and changed in place; whoever shares one agrees on who changes it.
/// Rows lie `stride` floats apart, whole vectors and off large powers of two, and what lies beyond the last column is zero
/// or of no meaning.
public final class Matrix: @unchecked Sendable {
    public let rows: Int
    public let columns: Int
    /// Floats from one row's beginning to the next's.
    public let stride: Int
    let base: UnsafeMutablePointer<Float>

    /// A matrix of zeros.
    ///
    /// - Parameters:
    ///   - rows: at least 1.
    ///   - columns: at least 1.
    public init(rows: Int, columns: Int) {
        precondition(rows > 0 && columns > 0)
        self.rows = rows
        self.columns = columns
        let whole = roundedUp(columns, to: 32)
        stride = whole % 256 == 0 ? whole + 16 : whole
        base = allocateAligned(bytes: rows * stride * MemoryLayout<Float>.stride).assumingMemoryBound(to: Float.self)
    }

    /// A matrix of given numbers, row by row.
    public convenience init(rows: Int, columns: Int, _ values: [Float]) {
        precondition(values.count == rows * columns)
        self.init(rows: rows, columns: columns)
        values.withUnsafeBufferPointer { values in
            for row in 0..<rows { (base + row * stride).update(from: values.baseAddress! + row * columns, count: columns) }
        }
    }

    /// A weight's numbers, exactly as its format defines them.
    public convenience init(_ weight: Weight) {
        self.init(rows: weight.outputs, columns: weight.inputs)
        for row in 0..<rows { weight.read(row: row, into: self.row(row)) }
    }

    public convenience init(copying other: Matrix) {
        self.init(rows: other.rows, columns: other.columns)
        base.update(from: other.base, count: rows * stride)
    }

    deinit { free(base) }

    /// One row, to read or to change.
    public func row(_ index: Int) -> UnsafeMutableBufferPointer<Float> {
        precondition(index >= 0 && index < rows)
        return UnsafeMutableBufferPointer(start: base + index * stride, count: columns)
    }

    public subscript(row: Int, column: Int) -> Float {
        get {
            precondition(row >= 0 && row < rows && column >= 0 && column < columns)
            return base[row * stride + column]
        }
        set {
            precondition(row >= 0 && row < rows && column >= 0 && column < columns)
            base[row * stride + column] = newValue
        }
    }

    /// All numbers, row by row.
    public var values: [Float] { (0..<rows).flatMap { Array(row($0)) } }

    /// A copy of some columns, in the order given.
    public func columns(_ indices: [Int]) -> Matrix {
        let result = Matrix(rows: rows, columns: indices.count)
        for row in 0..<rows {
            let (source, target) = (self.row(row), result.row(row))
            for (place, index) in indices.enumerated() { target[place] = source[index] }
        }
        return result
    }

    /// A copy of some rows, in the order given.
    public func rows(_ indices: [Int]) -> Matrix {
        let result = Matrix(rows: indices.count, columns: columns)
        for (place, index) in indices.enumerated() { _ = result.row(place).update(fromContentsOf: row(index)) }
        return result
    }

    public var transposed: Matrix {
        let result = Matrix(rows: columns, columns: rows)
        for row in 0..<rows {
            let source = self.row(row)
            for column in 0..<columns { result.base[column * result.stride + row] = source[column] }
        }
        return result
    }

    /// The rows one after another as a file's F32 weight holds them.
    public var floatBytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(rows * columns * 4)
        for row in 0..<rows { bytes.append(contentsOf: UnsafeRawBufferPointer(self.row(row))) }
        return bytes
    }
}

extension Weight {
    /// The numbers of a matrix, as a weight whose rows lie as the matrix's do. Whoever uses it keeps the matrix, unchanged.
    public init(_ matrix: Matrix) {
        self.init(
            type: .f32, outputs: matrix.rows, inputs: matrix.columns, base: UnsafeRawPointer(matrix.base),
            rowBytes: matrix.stride * MemoryLayout<Float>.stride)
    }

    /// One row as floats, exactly as the format defines them, into memory for ``inputs`` of them.
    public func read(row: Int, into target: UnsafeMutableBufferPointer<Float>) {
        precondition(row >= 0 && row < outputs && target.count == inputs)
        var weight = cWeight
        KernelTable.available[0].pointer.pointee.dequantize(&weight, Int64(row), target.baseAddress!)
    }
}
