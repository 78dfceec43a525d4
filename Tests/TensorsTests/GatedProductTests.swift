import Tensors
import Testing

/// A gate within its products gives the bits of the products and the gate one after another.
@Suite struct GatedProductTests {
    static let (inputs, outputs) = (576, 100)

    /// A weight's bytes: small floats, or blocks of a half-precision scale and 32 codes.
    static func bytes(_ type: ElementType, _ random: inout SeededGenerator) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<outputs {
            if type == .f32 {
                for _ in 0..<inputs { withUnsafeBytes(of: random.gaussian() / 8) { bytes += $0 } }
            } else {
                for _ in 0..<inputs / 32 {
                    withUnsafeBytes(of: Float16(0.001)) { bytes += $0 }
                    bytes += (0..<32).map { _ in UInt8.random(in: 0...255, using: &random) }
                }
            }
        }
        return bytes
    }

    @Test(arguments: [ElementType.f32, .q8_0], [GateActivation.silu, .gelu])
    func isTheTwoAndTheGate(_ type: ElementType, _ activation: GateActivation) {
        var random = SeededGenerator(state: 31)
        let (first, second) = (Self.bytes(type, &random), Self.bytes(type, &random))
        let panels = PanelStorage(threads: 1)
        let packed = [first, second].map { bytes in
            bytes.withUnsafeBytes {
                panels.pack(Weight(type: type, outputs: Self.outputs, inputs: Self.inputs, bytes: $0))
            }
        }
        for table in Tensors.KernelTable.available {
            for (rows, threads) in [(1, 1), (7, 2), (131, 2)] {
                let ops = Ops(kernels: table, threads: threads, maximumRows: rows, maximumInputs: Self.inputs)
                let x = Buffer(capacity: rows, width: Self.inputs)
                let gate = Buffer(capacity: rows, width: Self.outputs)
                let up = Buffer(capacity: rows, width: Self.outputs)
                let fused = Buffer(capacity: rows, width: Self.outputs)
                for row in 0..<rows {
                    for at in 0..<Self.inputs { x.rows(rows).elements(of: row)[at] = random.gaussian() }
                }
                let input = ops.input(x.rows(rows))
                ops.products(input, (packed[0], gate.rows(rows)), (packed[1], up.rows(rows)))
                switch activation {
                case .silu: ops.gatedSiLU(gate.rows(rows), up.rows(rows))
                case .gelu: ops.gatedGELU(gate.rows(rows), up.rows(rows))
                }
                ops.gatedProducts(
                    input, gate: (packed[0], fused.rows(rows)), up: (packed[1], up.rows(rows)), activation)
                for row in 0..<rows {
                    let (a, b) = (gate.rows(rows).elements(of: row), fused.rows(rows).elements(of: row))
                    #expect(
                        sameBits(Array(a), Array(b)) && a.contains { $0 != 0 }, "\(table.name): row \(row) of \(rows)")
                }
            }
        }
    }
}
