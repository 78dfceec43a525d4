internal import CKernels

/// Dense linear algebra on matrices of floats, as compression needs it. Every element is one chain of operations in a fixed
/// order: threads and kernels never change a bit.
///
/// One object is used by one thread at a time; it shares work out over its own.
public final class Solver {
    public let threads: Int
    let solver: apus_solver
    private let pool: WorkerPool
    /// Inputs on their way to being squared.
    private var panels: UnsafeMutablePointer<Float>
    private var panelFloats = 0
    /// Rows that one addition to the moments takes.
    private static let momentRows = 128
    /// Columns that are factored, or rounded, before what they change beyond is brought up to date.
    static let block = 64
    static let feedbackBlock = 128

    /// The solvers that this machine can run, fastest first.
    public static let available: [String] = {
        var names: [String] = []
        var cursor = apus_available_solvers()!
        while let pointer = cursor.pointee {
            names.append(String(cString: pointer.pointee.name))
            cursor += 1
        }
        return names
    }()

    /// - Parameters:
    ///   - threads: at least 1.
    ///   - index: which of ``available`` computes; all give the same bits.
    public init(threads: Int, available index: Int = 0) {
        self.threads = threads
        pool = WorkerPool(threads: threads)
        solver = apus_available_solvers()![index]!.pointee
        panels = .allocate(capacity: 1)
    }

    deinit { panels.deallocate() }

    func run<Arguments>(_ operation: apus_operation, _ arguments: inout Arguments, items: Int) {
        let grain = max(1, items / (threads * 8))
        withUnsafePointer(to: &arguments) { pool.run(operation, $0, items: items, grain: grain) }
    }

    // MARK: Sums over inputs

    /// moments += xᵀx of some rows: the upper triangle by whole blocks of 32; ``mirror(_:)`` completes it.
    ///
    /// - Parameter moments: [width, width].
    /// - Complexity: rows × width² / 2 multiply-adds.
    public func addMoments(_ x: Rows, to moments: Matrix) {
        precondition(moments.rows == x.width && moments.columns == x.width)
        let count = (x.width + 31) / 32
        if panelFloats < count * 32 * Self.momentRows {
            panels.deallocate()
            panelFloats = count * 32 * Self.momentRows
            panels = allocateAligned(bytes: panelFloats * 4).assumingMemoryBound(to: Float.self)
        }
        for first in Swift.stride(from: 0, to: x.count, by: Self.momentRows) {
            let rows = min(Self.momentRows, x.count - first)
            var packing = apus_gram_pack_arguments(
                x: x.base + first * x.stride, stride: Int64(x.stride), rows: Int64(rows), columns: Int64(x.width),
                panels: panels)
            run(solver.gram_pack, &packing, items: count)
            var adding = apus_gram_arguments(
                panels: panels, rows: Int64(rows), columns: Int64(x.width), g: moments.base,
                stride: Int64(moments.stride))
            run(solver.gram, &adding, items: count * (count + 1) / 2)
        }
    }

    /// Copies the upper triangle of a square to the lower one.
    public func mirror(_ matrix: Matrix) {
        precondition(matrix.rows == matrix.columns)
        for row in 1..<max(matrix.rows, 1) {
            for column in 0..<row {
                matrix.base[row * matrix.stride + column] = matrix.base[column * matrix.stride + row]
            }
        }
    }

    // MARK: Products

    /// c -= a · b, or of a square c only the lower triangle.
    ///
    /// - Complexity: a.rows × a.columns × b.columns multiply-adds.
    public func subtractProduct(_ a: Matrix, _ b: Matrix, from c: Matrix) {
        precondition(a.columns == b.rows && c.rows == a.rows && c.columns == b.columns)
        update(
            c.base, c.stride, rows: c.rows, columns: c.columns, a.base, a.stride, b.base, b.stride, depth: a.columns)
    }

    /// c -= a · b where everything of `b` above its diagonal is 0.
    ///
    /// - Complexity: half of a product's.
    public func subtractProduct(_ a: Matrix, lowerTriangle b: Matrix, from c: Matrix) {
        precondition(a.columns == b.rows && c.rows == a.rows && c.columns == b.columns && b.rows == b.columns)
        update(
            c.base, c.stride, rows: c.rows, columns: c.columns, a.base, a.stride, b.base, b.stride, depth: a.columns, bLower: true)
    }

    func update(
        _ c: UnsafeMutablePointer<Float>, _ cStride: Int, rows: Int, columns: Int, _ a: UnsafePointer<Float>,
        _ aStride: Int, _ b: UnsafePointer<Float>, _ bStride: Int, depth: Int, lower: Bool = false, bLower: Bool = false
    ) {
        guard rows > 0, columns > 0, depth > 0 else { return }
        var arguments = apus_update_arguments(
            c: c, c_stride: Int64(cStride), rows: Int64(rows), columns: Int64(columns), a: a, a_stride: Int64(aStride),
            b: b, b_stride: Int64(bStride), depth: Int64(depth), lower: lower ? 1 : 0, b_lower: bLower ? 1 : 0)
        run(solver.update, &arguments, items: (columns + 31) / 32)
    }

    // MARK: Factors

    /// Replaces the lower triangle of a symmetric matrix by its Cholesky factor. The upper triangle is not read, and left
    /// without meaning.
    ///
    /// - Returns: nil, or the place of the first pivot that is not above 0.
    /// - Complexity: size³ / 3 multiply-adds.
    public func factor(_ a: Matrix) -> Int? {
        precondition(a.rows == a.columns)
        let (size, stride) = (a.rows, a.stride)
        let turned = Matrix(rows: Self.block, columns: size)
        for k in Swift.stride(from: 0, to: size, by: Self.block) {
            let count = min(Self.block, size - k)
            let diagonal = a.base + k * stride + k
            let failed = apus_cholesky_block(diagonal, Int64(stride), Int64(count))
            if failed >= 0 { return k + Int(failed) }
            let rest = size - k - count
            if rest == 0 { break }
            let below = a.base + (k + count) * stride + k
            var solving = apus_triangle_arguments(
                x: below, stride: Int64(stride), size: Int64(count), l: diagonal, l_stride: Int64(stride))
            run(solver.triangle, &solving, items: rest)
            for row in 0..<rest {
                for column in 0..<count { turned.base[column * turned.stride + row] = below[row * stride + column] }
            }
            update(
                below + count, stride, rows: rest, columns: rest, below, stride, turned.base, turned.stride, depth: count,
                lower: true)
        }
        return nil
    }

    /// The inverse of a lower triangle, with zeros above.
    ///
    /// - Complexity: size³ / 3 multiply-adds.
    public func inverse(ofLower l: Matrix) -> Matrix {
        let size = l.rows
        let result = Matrix(rows: size, columns: size)
        let small = Matrix(rows: Self.block, columns: Self.block)
        for k in Swift.stride(from: 0, to: size, by: Self.block) {
            let count = min(Self.block, size - k)
            // The block on the diagonal, by substitution in double; negative, since updates subtract.
            for column in 0..<count {
                var solved = [Double](repeating: 0, count: count)
                for row in column..<count {
                    var sum: Double = row == column ? 1 : 0
                    for inner in column..<row { sum -= Double(l[k + row, k + inner]) * solved[inner] }
                    solved[row] = sum / Double(l[k + row, k + row])
                }
                for row in 0..<count {
                    small[row, column] = -Float(solved[row])
                    result[k + row, k + column] = Float(solved[row])
                }
            }
            if k == 0 { continue }
            let sums = Matrix(rows: count, columns: k)
            update(
                sums.base, sums.stride, rows: count, columns: k, l.base + k * l.stride, l.stride, result.base,
                result.stride, depth: k, bLower: true)
            update(
                result.base + k * result.stride, result.stride, rows: count, columns: k, small.base, small.stride,
                sums.base, sums.stride, depth: count)
        }
        return result
    }

    /// The upper triangular U with UᵀU = H⁻¹ of a symmetric positive definite H: what error feedback goes by (GPTQ, section
    /// 3.3, step 3). From H's factor in reversed order, so that H is never inverted: H = R Rᵀ with R upper, U = R⁻¹.
    ///
    /// - Parameters:
    ///   - h: symmetric, both triangles.
    ///   - order: which row and column of h comes where.
    ///   - damping: added to the diagonal.
    /// - Returns: nil where h + damping is not positive definite.
    /// - Complexity: 2/3 size³ multiply-adds, three matrices of h's size.
    public func feedbackFactor(_ h: Matrix, order: [Int], damping: Float) -> Matrix? {
        let size = h.rows
        precondition(h.columns == size && order.count == size)
        let reversed = Matrix(rows: size, columns: size)
        for row in 0..<size {
            let source = h.base + order[size - 1 - row] * h.stride
            let target = reversed.base + row * reversed.stride
            for column in 0...row { target[column] = source[order[size - 1 - column]] }
            target[row] += damping
        }
        guard factor(reversed) == nil else { return nil }
        let inverse = inverse(ofLower: reversed)
        for row in 0..<size {
            let source = inverse.base + (size - 1 - row) * inverse.stride
            let target = reversed.base + row * reversed.stride
            for column in 0..<row { target[column] = 0 }
            for column in row..<size { target[column] = source[size - 1 - column] }
        }
        return reversed
    }
}
