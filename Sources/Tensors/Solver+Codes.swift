internal import CKernels

/// A weight's codes on the way from numbers to bytes: [outputs, inputs] codes, and each group's scale and minimum. A value is
/// scale × level(code) + minimum; the type says what a code's level is.
///
/// Columns may stand in another order than in the file; ``groupOfColumn`` tells each one's group.
public final class CodedWeight: @unchecked Sendable {
    public let type: ElementType
    public let rows: Int
    public let columns: Int
    public let groups: Int
    /// [rows, columns]
    public var codes: [UInt8]
    /// [rows, groups]
    public var scales: [Float]
    public var minimums: [Float]
    public var groupOfColumn: [Int32]

    public init(type: ElementType, rows: Int, columns: Int, groups: Int, groupOfColumn: [Int32]) {
        precondition(groupOfColumn.count == columns && groupOfColumn.allSatisfy { $0 >= 0 && $0 < groups })
        self.type = type
        self.rows = rows
        self.columns = columns
        self.groups = groups
        self.groupOfColumn = groupOfColumn
        codes = [UInt8](repeating: 0, count: rows * columns)
        scales = [Float](repeating: 0, count: rows * groups)
        minimums = [Float](repeating: 0, count: rows * groups)
    }
}

extension Solver {
    /// The level that each stored code stands for, [256]; 0 for codes that a type does not have.
    func levelOfCode(_ type: ElementType) -> [Float] {
        let number = Int32(bitPattern: type.rawValue)
        var result = [Float](repeating: 0, count: 256)
        for step in -4 * 130...4 * 130 {
            var (x, scale, minimum, code, value) = (Float(step) / 4, Float(1), Float(0), UInt8(0), Float(0))
            apus_nearest(number, &x, &scale, &minimum, 1, &code, &value)
            result[Int(code)] = value
        }
        return result
    }

    /// One sweep over a weight's scales, codes as they are: each factor and each super-scale becomes what is best for
    /// Σ dᵀ h d with all else fixed.
    ///
    /// - Parameters:
    ///   - h: the inputs' moments, columns in their natural order.
    ///   - differences, gradients: of ``descend(_:_:_:_:_:)``; follow.
    ///   - coded: codes are read; scales and minimums follow.
    ///   - fields: the scales' parts; follow.
    /// - Complexity: columns × group for each group, columns for each that changes.
    public func rescale(
        _ h: Matrix, _ differences: Matrix, _ gradients: Matrix, _ coded: CodedWeight, _ fields: inout ScaleFields
    ) {
        let table = levelOfCode(coded.type)
        let levels = Matrix(rows: coded.rows, columns: coded.columns)
        for row in 0..<coded.rows {
            let values = levels.row(row)
            for column in 0..<coded.columns { values[column] = table[Int(coded.codes[row * coded.columns + column])] }
        }
        let (rows, groups) = (coded.rows, coded.groups)
        let layout = fields.layout
        coded.scales.withUnsafeMutableBufferPointer { scales in
            coded.minimums.withUnsafeMutableBufferPointer { minimums in
                fields.factors.withUnsafeMutableBufferPointer { factors in
                    fields.offsets.withUnsafeMutableBufferPointer { offsets in
                        fields.supers.withUnsafeMutableBufferPointer { supers in
                            fields.superMinimums.withUnsafeMutableBufferPointer { superMinimums in
                                var arguments = apus_rescale_arguments(
                                    d: differences.base, g: gradients.base, stride: Int64(differences.stride),
                                    columns: Int64(coded.columns), h: h.base, h_stride: Int64(h.stride),
                                    levels: levels.base, level_stride: Int64(levels.stride),
                                    scales: scales.baseAddress, minimums: minimums.baseAddress, groups: Int64(groups),
                                    group: Int64(coded.columns / groups), factors: factors.baseAddress,
                                    offsets: offsets.baseAddress, supers: supers.baseAddress,
                                    super_minimums: superMinimums.baseAddress, together: Int64(layout.together),
                                    lowest_factor: Int32(layout.factors.lowerBound),
                                    highest_factor: Int32(layout.factors.upperBound),
                                    highest_offset: Int32(layout.highestOffset), has_minimum: layout.hasMinimum ? 1 : 0)
                                run(solver.rescale, &arguments, items: rows)
                            }
                        }
                    }
                }
            }
        }
    }

    /// What codes of a type stand for: evenly spaced where every whole number between the ends is a level and nothing between.
    private func levels(of type: ElementType) -> apus_levels {
        let number = Int32(bitPattern: type.rawValue)
        func nearest(_ x: Float) -> (code: UInt8, value: Float) {
            var (x, scale, minimum, code, value) = (x, Float(1), Float(0), UInt8(0), Float(0))
            apus_nearest(number, &x, &scale, &minimum, 1, &code, &value)
            return (code, value)
        }
        let (low, high) = (nearest(-1e5), nearest(1e5))
        let isEven =
            high.value - low.value <= 255
            && Swift.stride(from: low.value, through: high.value, by: 1).allSatisfy { level in
                nearest(level).value == level && (level == high.value || nearest(level + 0.25).value == level)
                    && Float(nearest(level).code) - Float(low.code) == level - low.value
            }
        return apus_levels(
            type: number, is_even: isEven ? 1 : 0, lowest: low.value, highest: high.value, first_code: Int32(low.code))
    }

    /// Rounds columns of a weight one after another to the grid that `coded` has for them, and takes each one's error from
    /// those that follow (GPTQ, section 3.3, with lazy updates by blocks of 128 columns).
    ///
    /// - Parameters:
    ///   - w: [rows, columns]; rounded columns become the grid's values, later ones what the errors leave of them.
    ///   - u: ``feedbackFactor(_:order:damping:)`` of the inputs' moments, in the order of w's columns.
    ///   - range: the columns to round; it begins at a multiple of 32.
    ///   - coded: scales and minimums of their groups, and where codes go.
    /// - Complexity: rows × columns × range / 2 multiply-adds.
    public func round(_ w: Matrix, _ u: Matrix, _ range: Range<Int>, into coded: CodedWeight) {
        precondition(range.lowerBound % 32 == 0 && range.upperBound <= w.columns)
        precondition(u.rows == w.columns && u.columns == w.columns)
        precondition(coded.rows == w.rows && coded.columns == w.columns)
        let errors = Matrix(rows: w.rows, columns: Self.feedbackBlock)
        let groups = coded.groups
        coded.codes.withUnsafeMutableBufferPointer { codes in
            coded.scales.withUnsafeBufferPointer { scales in
                coded.minimums.withUnsafeBufferPointer { minimums in
                    coded.groupOfColumn.withUnsafeBufferPointer { groupOf in
                        for first in Swift.stride(from: range.lowerBound, to: range.upperBound, by: Self.feedbackBlock) {
                            let last = min(first + Self.feedbackBlock, range.upperBound)
                            var arguments = apus_feedback_arguments(
                                w: w.base, stride: Int64(w.stride), first: Int64(first), last: Int64(last), u: u.base,
                                u_stride: Int64(u.stride), levels: levels(of: coded.type),
                                scales: scales.baseAddress, minimums: minimums.baseAddress, groups: Int64(groups),
                                group_of: groupOf.baseAddress, codes: codes.baseAddress, code_stride: Int64(w.columns),
                                errors: errors.base, error_stride: Int64(errors.stride))
                            run(solver.feedback, &arguments, items: w.rows)
                            update(
                                w.base + last, w.stride, rows: w.rows, columns: w.columns - last, errors.base,
                                errors.stride, u.base + first * u.stride + last, u.stride, depth: last - first)
                        }
                    }
                }
            }
        }
    }

    /// One sweep of coordinate descent over a weight's codes: each becomes what is best for Σ dᵀ h d with all others fixed,
    /// where d is value − target (QuantEase, section 3, on a grid that stays).
    ///
    /// - Parameters:
    ///   - targets: [rows, columns]
    ///   - h: the inputs' moments, symmetric, in the order of the columns.
    ///   - differences: value − target of the present codes; follows.
    ///   - gradients: differences · h; follows.
    /// - Returns: how many codes have changed.
    /// - Complexity: columns multiply-adds for each changed code, rows × columns roundings.
    public func descend(
        _ targets: Matrix, _ h: Matrix, _ differences: Matrix, _ gradients: Matrix, _ coded: CodedWeight
    ) -> Int {
        precondition(differences.stride == gradients.stride && targets.rows == coded.rows)
        var changes = [Int32](repeating: 0, count: coded.rows)
        let groups = coded.groups
        coded.codes.withUnsafeMutableBufferPointer { codes in
            coded.scales.withUnsafeBufferPointer { scales in
                coded.minimums.withUnsafeBufferPointer { minimums in
                    coded.groupOfColumn.withUnsafeBufferPointer { groupOf in
                        changes.withUnsafeMutableBufferPointer { changes in
                            var arguments = apus_descent_arguments(
                                d: differences.base, g: gradients.base, stride: Int64(differences.stride),
                                columns: Int64(coded.columns), h: h.base, h_stride: Int64(h.stride),
                                targets: targets.base, target_stride: Int64(targets.stride),
                                levels: levels(of: coded.type), scales: scales.baseAddress,
                                minimums: minimums.baseAddress, groups: Int64(groups), group_of: groupOf.baseAddress,
                                codes: codes.baseAddress, code_stride: Int64(coded.columns),
                                changes: changes.baseAddress)
                            run(solver.descent, &arguments, items: coded.rows)
                        }
                    }
                }
            }
        }
        return changes.reduce(0) { $0 + Int($1) }
    }
}
