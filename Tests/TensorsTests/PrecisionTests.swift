import CKernels
import Foundation
import Testing

/// Errors of the functions of one float, in units in the last place, against the system's library in double precision. Every 4,099th
/// float here; `Workshop/Tables/sweep` goes over all of them.
@Suite struct PrecisionTests {
    struct Function: Sendable {
        let name: String
        let own: @Sendable (apus_kernels, inout [Float]) -> Void
        let exact: @Sendable (Double) -> Double
        /// Units in the last place.
        let bound: Double
        /// Inputs that the bound holds for; beyond them the result is tiny and `absolute` holds.
        let range: ClosedRange<Double>
        var smallest = 0.0
        var absolute = 0.0
    }

    static func elementwise(_ path: KeyPath<apus_kernels, apus_operation?> & Sendable)
        -> @Sendable (apus_kernels, inout [Float]) -> Void
    {
        { kernels, x in
            var ones = [Float](repeating: 1, count: x.count)
            x.withUnsafeMutableBufferPointer { x in
                ones.withUnsafeMutableBufferPointer { ones in
                    var arguments = apus_elementwise_arguments(
                        x: x.baseAddress, stride: Int64(x.count), other: ones.baseAddress, other_stride: 0,
                        width: Int64(x.count), factor: 30)
                    OperationTests.scratch { kernels[keyPath: path]!(&arguments, 0, 1, $0) }
                }
            }
        }
    }

    static let functions = [
        Function(
            name: "exp",
            own: { kernels, x in
                let copy = x
                _ = kernels.row_exp(copy, Int64(copy.count), 0, &x)
            }, exact: { Foundation.exp($0) }, bound: 1.03, range: -Double.infinity...Double.infinity),
        Function(
            name: "silu", own: elementwise(\.gated_silu), exact: { $0 / (1 + Foundation.exp(-$0)) }, bound: 2.5,
            range: -87...Double.infinity, absolute: 3e-37),
        Function(
            name: "gelu", own: elementwise(\.gelu),
            exact: { $0 / (1 + Foundation.exp(-2 * 0.7978845608028654 * ($0 + 0.044715 * $0 * $0 * $0))) }, bound: 16,
            range: -3...Double.infinity, absolute: 4e-9),
        Function(
            name: "soft cap", own: elementwise(\.soft_cap), exact: { 30 * Foundation.tanh($0 / 30) }, bound: 4,
            range: -Double.infinity...Double.infinity, smallest: 1e-36, absolute: 1e-43),
        Function(
            name: "sine", own: { _, x in for i in x.indices { x[i] = Float(apus_sin(Double(x[i]))) } },
            exact: { Foundation.sin($0) }, bound: 0.501, range: -1_048_576...1_048_576),
        Function(
            name: "cosine", own: { _, x in for i in x.indices { x[i] = Float(apus_cos(Double(x[i]))) } },
            exact: { Foundation.cos($0) }, bound: 0.501, range: -1_048_576...1_048_576),
    ]

    @Test(arguments: functions.indices) func errorsStayWithinTheirBounds(_ index: Int) {
        let function = Self.functions[index]
        let x = (0..<(1 << 32) / 4099).map { Float(bitPattern: UInt32($0 * 4099)) }
        var y = x
        function.own(KernelTable.all[0].kernels, &y)
        var worst = 0.0
        var beyond = 0.0
        var lost = 0
        for (input, output) in zip(x, y) {
            let value = Double(input)
            let exact = function.exact(value)
            if input.isNaN, !output.isNaN { lost += 1 }
            guard exact.isFinite, Float(exact).isFinite, value <= function.range.upperBound else { continue }
            let error = abs(Double(output) - exact)
            if function.range.contains(value), abs(value) >= function.smallest {
                worst = max(worst, error / Double(max(abs(Float(exact)), .leastNormalMagnitude).ulp))
            } else if function.range.upperBound == .infinity {
                beyond = max(beyond, error)
            }
        }
        #expect(lost == 0, "\(function.name) loses a NaN")
        #expect(worst <= function.bound, "\(function.name): \(worst) units in the last place")
        #expect(beyond <= function.absolute, "\(function.name): \(beyond) where results are tiny")
    }
}
