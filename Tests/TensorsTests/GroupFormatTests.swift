import CKernels
import Testing

/// Formats made of parts: all combinations; the float-coded ones and codebooks, whose products have another definition.
@Suite struct GroupFormatTests {
    /// Rows of bytes as a weight.
    struct RawWeight {
        var type: Int, outputs: Int, inputs: Int, bytes: [UInt8]
        var rowBytes: Int { bytes.count / outputs }
        func row(_ index: Int) -> ArraySlice<UInt8> { bytes[index * rowBytes..<(index + 1) * rowBytes] }

        func withC<R>(_ body: (apus_weight) -> R) -> R {
            bytes.withUnsafeBufferPointer {
                body(
                    apus_weight(
                        data: $0.baseAddress, outputs: Int64(outputs), inputs: Int64(inputs), row_bytes: Int64(rowBytes),
                        type: Int32(type)))
            }
        }

        func floats(_ table: KernelTable, row: Int) -> [Float] {
            withC { weight in
                var weight = weight
                return [Float](unsafeUninitializedCapacity: inputs) { buffer, count in
                    table.kernels.dequantize(&weight, Int64(row), buffer.baseAddress)
                    count = inputs
                }
            }
        }

        /// [rows][outputs]; `order` says which element of a row each column multiplies.
        func product(_ table: KernelTable, _ rows: [[Float]], asFloats: Bool, order: [Int32]? = nil) -> [[Float]] {
            let panels = withC { GuardedPanels($0, table.kernels) }
            let stride = 32 * panels.panelCount
            var x = rows.flatMap { $0 }
            var activations = [UInt8](repeating: 0xA5, count: rows.count * (inputs + 255) / 256 * 256 * 4)
            var out = [Float](repeating: 0, count: rows.count * stride)
            let scratch = UnsafeMutableRawPointer.allocate(byteCount: scratchBytes, alignment: 64)
            defer { scratch.deallocate() }
            let kernels = table.kernels
            let items = kernels.activation_items(Int64(rows.count), Int64(inputs))
            x.withUnsafeMutableBufferPointer { x in
                activations.withUnsafeMutableBufferPointer { activations in
                    out.withUnsafeMutableBufferPointer { out in
                        func run(_ order: UnsafePointer<Int32>?) {
                            var read = apus_quantize_arguments(
                                x: x.baseAddress, stride: Int64(inputs), rows: Int64(rows.count), inputs: Int64(inputs),
                                activations: activations.baseAddress, order: order)
                            (asFloats ? kernels.tile_floats : kernels.quantize)!(&read, 0, items, scratch)
                        }
                        if let order { order.withUnsafeBufferPointer { run($0.baseAddress) } } else { run(nil) }
                        if !asFloats {
                            var prepare = apus_prepare_arguments(
                                rows: Int64(rows.count), inputs: Int64(inputs), type: Int32(type),
                                activations: activations.baseAddress)
                            kernels.prepare(&prepare, 0, items, scratch)
                        }
                        var product = apus_product_arguments()
                        product.parts.0 = panels.part(into: out.baseAddress!, stride: stride)
                        product.part_count = 1
                        product.rows = Int64(rows.count)
                        product.activations = UnsafePointer(activations.baseAddress)
                        kernels.product(&product, 0, Int64(panels.panelCount), scratch)
                    }
                }
            }
            withExtendedLifetime(panels) {}
            return rows.indices.map { Array(out[$0 * stride..<$0 * stride + outputs]) }
        }
    }

    /// Random codes, among them no NaN or infinity, under scales of both signs.
    static func weight(_ format: GroupReference, outputs: Int, inputs: Int, _ random: inout SeededGenerator) -> RawWeight {
        let blocks = outputs * inputs / format.block
        var bytes = (0..<blocks * format.blockBytes).map { _ in UInt8.random(in: 0...255, using: &random) }
        if format.coding == APUS_E4M3 || format.coding == APUS_E5M2 { for i in bytes.indices { bytes[i] &= 0xBB } }
        for block in 0..<blocks {
            for group in 0..<format.groups {
                let at = block * format.blockBytes + format.codeBytes + group * GroupReference.scaleBytes[format.scale]
                GroupReference.put(0.02 * random.gaussian(), format.scale, &bytes, at)
            }
        }
        return RawWeight(type: format.type, outputs: outputs, inputs: inputs, bytes: bytes)
    }

    @Test(arguments: GroupReference.all)
    func everyTableReadsTheDefinitionsValues(_ format: GroupReference) {
        var random = SeededGenerator(state: 21)
        let weight = Self.weight(format, outputs: 3, inputs: 384, &random)
        for row in 0..<3 {
            let expected = format.values(weight.row(row))
            for table in KernelTable.all { #expect(weight.floats(table, row: row) == expected, "\(table.name)") }
        }
    }

    /// Any order of the inputs, on every table, in batches: the bits of one row alone on `portable`, its elements ordered.
    @Test(arguments: GroupReference.all)
    func everyTableAndOrderGivesTheSameBits(_ format: GroupReference) {
        var random = SeededGenerator(state: 22)
        let inputs = 384
        let weight = Self.weight(format, outputs: 35, inputs: inputs, &random)
        let rows = gaussianRows(7, inputs, &random)
        let order = (0..<Int32(inputs)).shuffled(using: &random)
        let scattered = rows.map { row in
            var result = row
            for (column, element) in order.enumerated() { result[Int(element)] = row[column] }
            return result
        }
        let expected = rows.map { weight.product(.portable, [$0], asFloats: format.isFloat)[0] }
        for table in KernelTable.all {
            #expect(sameRows(weight.product(table, rows, asFloats: format.isFloat), expected), "\(table.name)")
            #expect(
                sameRows(weight.product(table, scattered, asFloats: format.isFloat, order: order), expected),
                "\(table.name), ordered")
            #expect(
                sameBits(weight.product(table, [scattered[3]], asFloats: format.isFloat, order: order)[0], expected[3]),
                "\(table.name), alone")
        }
    }

    /// Products of float-coded weights: each number a float, one chain of fused steps.
    @Test(arguments: GroupReference.all.filter(\.isFloat))
    func floatCodedProductsFollowTheDefinition(_ format: GroupReference) {
        var random = SeededGenerator(state: 23)
        let weight = Self.weight(format, outputs: 33, inputs: 256, &random)
        let rows = gaussianRows(2, 256, &random)
        let expected = rows.map { row in
            (0..<33).map { output in
                zip(format.values(weight.row(output)), row).reduce(Float(0)) { $0.addingProduct($1.0, $1.1) }
            }
        }
        for table in KernelTable.all {
            #expect(sameRows(weight.product(table, rows, asFloats: true), expected), "\(table.name)")
        }
    }

    /// Codebooks of 8 and 16 values a row: exact sub-sums of 32, under the row's scale.
    @Test(arguments: [(APUS_LUT3, 3), (APUS_LUT4, 4)])
    func codebooksFollowTheDefinition(_ coding: Int, _ bits: Int) {
        var random = SeededGenerator(state: 24)
        let (outputs, inputs) = (37, 288)
        let header = 4 + 1 << bits
        var bytes: [UInt8] = []
        for _ in 0..<outputs {
            let scale = 0.001 * random.gaussian()
            bytes += (0..<4).map { UInt8(truncatingIfNeeded: scale.bitPattern >> (8 * UInt32($0))) }
            bytes += (0..<1 << bits).map { _ in UInt8(bitPattern: Int8.random(in: -127...127, using: &random)) }
            bytes += (0..<inputs / 8 * bits).map { _ in UInt8.random(in: 0...255, using: &random) }
        }
        let type = Int(apus_group_type(Int32(coding), 32, 2, 0))
        let weight = RawWeight(type: type, outputs: outputs, inputs: inputs, bytes: bytes)
        let codes = (0..<outputs).map { output -> [Int] in
            let row = weight.row(output)
            return (0..<inputs).map {
                let code = GroupReference.code(row.dropFirst(header + $0 / 32 * 4 * bits), bits, $0 % 32)
                return Int(Int8(bitPattern: row[row.startIndex + 4 + code]))
            }
        }
        let scales = (0..<outputs).map { output in
            let row = weight.row(output)
            return Float(bitPattern: (0..<4).reduce(UInt32(0)) { $0 | UInt32(row[row.startIndex + $1]) << (8 * UInt32($1)) })
        }
        let rows = gaussianRows(7, inputs, &random)
        let expected = rows.map { row -> [Float] in
            let quantized = FormatProductTests.quantized(row)
            return (0..<outputs).map { output in
                (0..<inputs / 32).reduce(Float(0)) { sum, block in
                    let subsum = (32 * block..<32 * block + 32).reduce(0) { $0 + codes[output][$1] * quantized.codes[$1] }
                    return sum.addingProduct(Float(subsum), scales[output] * quantized.scales[block])
                }
            }
        }
        for table in KernelTable.all {
            #expect(sameRows(weight.product(table, rows, asFloats: false), expected), "\(table.name)")
            for output in [0, 36] {
                #expect(weight.floats(table, row: output) == codes[output].map { scales[output] * Float($0) }, "\(table.name)")
            }
        }
    }

    /// Numbers of types and their parts are one to one.
    @Test func typesAreTheirParts() {
        var seen: Set<Int> = []
        for format in GroupReference.all {
            let parts = apus_group_format_of(Int32(format.type))
            #expect(Int(parts.coding) == format.coding && Int(parts.group) == format.group)
            #expect(Int(parts.scale_type) == format.scale && (parts.zero_points == 1) == format.zeroPoints)
            #expect(seen.insert(format.type).inserted && format.type >= APUS_GROUP_FORMAT)
        }
    }
}
