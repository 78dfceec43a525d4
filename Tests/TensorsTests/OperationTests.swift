import CKernels
import Testing

/// Law 2, operation by operation: each table gives the bits of the definition, however many rows and whatever company.
@Suite struct OperationTests {
    static func scratch<Result>(_ body: (UnsafeMutableRawPointer) -> Result) -> Result {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: scratchBytes, alignment: 64)
        defer { memory.deallocate() }
        return body(memory)
    }

    // MARK: Products of float weights

    static let floatTypes = [APUS_F32, APUS_F16, APUS_BF16]

    /// [rows][outputs], with the rows in one call.
    static func product(_ table: KernelTable, _ type: Int, _ weight: [[Float]], _ rows: [[Float]], cachedBytes: Int = 0,
        bands: Int = 0, grain: Int = 1 << 20
    ) -> [[Float]] {
        let inputs = weight[0].count
        let stride = (weight.count + 31) / 32 * 32
        var bytes: [UInt8] = []
        for value in weight.joined() {
            switch UInt32(type) {
            case UInt32(APUS_F32): withUnsafeBytes(of: value) { bytes += $0 }
            case UInt32(APUS_F16): withUnsafeBytes(of: Float16(value)) { bytes += $0 }
            default: withUnsafeBytes(of: UInt16(value.bitPattern >> 16)) { bytes += $0 }
            }
        }
        var x = rows.flatMap { $0 }
        var out = [Float](repeating: .nan, count: rows.count * stride)
        var activations = [Float](repeating: .nan, count: rows.count * inputs)
        bytes.withUnsafeMutableBufferPointer { bytes in
            let panels = GuardedPanels(
                apus_weight(
                    data: bytes.baseAddress, outputs: Int64(weight.count), inputs: Int64(inputs),
                    row_bytes: Int64(bytes.count / weight.count), type: Int32(type)), table.kernels)
            x.withUnsafeMutableBufferPointer { x in
                activations.withUnsafeMutableBytes { activations in
                    out.withUnsafeMutableBufferPointer { out in
                        let tiled = activations.baseAddress!.assumingMemoryBound(to: UInt8.self)
                        var tile = apus_quantize_arguments(
                            x: x.baseAddress, stride: Int64(inputs), rows: Int64(rows.count), inputs: Int64(inputs),
                            activations: tiled, order: nil)
                        let items = table.kernels.activation_items(Int64(rows.count), Int64(inputs))
                        scratch { table.kernels.tile_floats(&tile, 0, items, $0) }
                        var arguments = apus_product_arguments()
                        arguments.parts.0 = panels.part(into: out.baseAddress!, stride: stride)
                        arguments.part_count = 1
                        arguments.rows = Int64(rows.count)
                        arguments.activations = UnsafePointer(tiled)
                        arguments.cached_bytes = Int64(cachedBytes)
                        arguments.bands = Int64(bands)
                        let all = stride / 32 * max(bands, 1)
                        for begin in Swift.stride(from: 0, to: all, by: grain) {
                            scratch { table.kernels.product(&arguments, Int64(begin), Int64(min(begin + grain, all)), $0) }
                        }
                        withExtendedLifetime(panels) {}
                    }
                }
            }
        }
        return rows.indices.map { Array(out[$0 * stride..<$0 * stride + weight.count]) }
    }

    @Test(arguments: [0, 1, 2]) func floatProductsFollowTheDefinition(_ kind: Int) {
        let type = Int(Self.floatTypes[kind])
        var random = SeededGenerator(state: 11)
        for inputs in [1, 7, 16, 63, 64, 65, 200] {
            // Values that half precision and bfloat16 hold exactly.
            let weight = gaussianRows(35, inputs, &random).map { row in
                row.map { Float(bitPattern: Float(Float16($0)).bitPattern & 0xFFFF_0000) }
            }
            let rows = gaussianRows(17, inputs, &random)
            let expected = rows.map { OperationReference.product(weight, $0) }
            for table in KernelTable.all {
                for count in 1...17 {
                    let result = Self.product(table, type, weight, Array(rows.suffix(count)))
                    #expect(
                        sameRows(result, Array(expected.suffix(count))),
                        "\(table.name): \(count) rows, \(inputs) inputs")
                }
            }
        }
    }

    /// Many rows go through the panels in several passes, as many rows at once as a cache is said to hold.
    @Test func passesDoNotMatter() {
        var random = SeededGenerator(state: 21)
        let weight = gaussianRows(40, 200, &random).map { row in
            row.map { Float(bitPattern: Float(Float16($0)).bitPattern & 0xFFFF_0000) }
        }
        let rows = gaussianRows(131, 200, &random)
        let expected = rows.map { OperationReference.product(weight, $0) }
        for table in KernelTable.all {
            for cached in [0, 100_000, 1 << 30] {
                let result = Self.product(table, Int(APUS_BF16), weight, rows, cachedBytes: cached)
                #expect(sameRows(result, expected), "\(table.name): \(cached) bytes")
            }
            // Bands of rows, in parts that end within one, at its end, and beyond it.
            for (bands, grain) in [(1, 1), (2, 1), (2, 3), (3, 2), (5, 4), (7, 100)] {
                let result = Self.product(
                    table, Int(APUS_BF16), weight, rows, cachedBytes: 50_000, bands: bands, grain: grain)
                #expect(sameRows(result, expected), "\(table.name): \(bands) bands, \(grain) at a time")
            }
        }
    }

    // MARK: Norms

    @Test(arguments: [(false, false), (false, true), (true, true)])
    func normsFollowTheDefinition(_ subtractsMean: Bool, _ hasBias: Bool) {
        var random = SeededGenerator(state: 12)
        for width in [1, 5, 15, 16, 17, 36, 64, 100, 257] {
            let rows = gaussianRows(5, width, &random)
            var weight = gaussianRows(1, width, &random)[0]
            var bias = gaussianRows(1, width, &random)[0]
            let expected = rows.map {
                OperationReference.norm(
                    $0, weight: weight, bias: hasBias ? bias : nil, epsilon: 1e-5, subtractsMean: subtractsMean)
            }
            for table in KernelTable.all {
                for count in [1, 2, 5] {
                    var x = rows.prefix(count).flatMap { $0 }
                    var out = [Float](repeating: .nan, count: x.count)
                    x.withUnsafeMutableBufferPointer { x in
                        out.withUnsafeMutableBufferPointer { out in
                            weight.withUnsafeMutableBufferPointer { weight in
                                bias.withUnsafeMutableBufferPointer { bias in
                                    var arguments = apus_norm_arguments(
                                        x: x.baseAddress, stride: Int64(width), out: out.baseAddress,
                                        out_stride: Int64(width), width: Int64(width), segments: 1,
                                        weight: weight.baseAddress, bias: hasBias ? bias.baseAddress : nil,
                                        epsilon: 1e-5, subtract_mean: subtractsMean ? 1 : 0)
                                    Self.scratch { table.kernels.norm(&arguments, 0, Int64(count), $0) }
                                }
                            }
                        }
                    }
                    for row in 0..<count {
                        #expect(
                            sameBits(Array(out[row * width..<(row + 1) * width]), expected[row]),
                            "\(table.name): width \(width), row \(row) of \(count)")
                    }
                }
            }
        }
    }

    // MARK: Exponentials

    /// The vector exponential is the scalar one, lane for lane; the sum has 16 lanes in double precision.
    @Test func exponentialsAreOneFunction() {
        var random = SeededGenerator(state: 13)
        for count in [1, 15, 16, 17, 33, 1000] {
            var x = (0..<count).map { _ in Float.random(in: -110...1, using: &random) }
            if count == 1000 {
                x.replaceSubrange(0..<4, with: [0, -0.0, -104, -87.4])
                // Around the halves of ln 2, where a fused step would round to another whole number.
                for n in -120..<0 {
                    var value = Float((Double(n) + 0.5) * 0.693147180559945309) + 0.5
                    value -= 4 * value.ulp
                    for _ in 0..<9 {
                        x.append(value)
                        value = value.nextUp
                    }
                }
            }
            let expected = x.map { apus_expf($0 - 0.5) }
            var lanes = [Double](repeating: 0, count: 16)
            for (i, weight) in expected.enumerated() { lanes[i % 16] += Double(weight) }
            let sum = OperationReference.fold(lanes)
            for table in KernelTable.all {
                var weights = [Float](repeating: .nan, count: x.count)
                let result = table.kernels.row_exp(x, Int64(x.count), 0.5, &weights)
                #expect(sameBits(weights, expected), "\(table.name): \(count) values")
                #expect(result.bitPattern == sum.bitPattern, "\(table.name): the sum of \(count)")
                #expect(table.kernels.row_max(x, Int64(x.count)) == x.max(), "\(table.name)")
            }
        }
    }

    /// One pass over a row: its largest element, the bits of its largest magnitude, and where a value first stands.
    @Test func rowsAreScanned() {
        var state: UInt64 = 3
        func random() -> Float {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Float(Int64(bitPattern: state) >> 40) / 1e5
        }
        let specials: [Float] = [.nan, .infinity, -.infinity, -0.0, 0.0, -1e30, 3e38, -3.5e37]
        for count in [1, 5, 15, 16, 17, 63, 64, 65, 127, 128, 200, 1000] {
            for trial in 0..<12 {
                var x = (0..<count).map { _ in random() }
                if trial > 0 { x[(trial * 37) % count] = specials[trial % specials.count] }
                if trial > 8 { x = x.map { ($0 / 20).rounded() } }
                if trial == 11 { x = x.map { _ in -.infinity } }
                let largest = x.reduce(-Float.infinity) { $1 > $0 ? $1 : $0 }
                let magnitude = x.map { $0.bitPattern & 0x7FFF_FFFF }.max()!
                for table in KernelTable.all {
                    var bits: Int32 = -1
                    let found = table.kernels.row_scan(x, Int64(count), &bits)
                    #expect(found == largest && UInt32(bitPattern: bits) == magnitude, "\(table.name), \(count), \(trial)")
                    for value in [largest, x[count / 2], x[count - 1], -0.0, 12345.678] {
                        let place = table.kernels.row_find(x, Int64(count), value)
                        #expect(Int(place) == x.firstIndex(of: value) ?? count, "\(table.name), \(count), \(trial)")
                    }
                }
            }
        }
    }

    // MARK: Codes of activations

    /// Around the halves between two codes, where a fused step would round to another code than the definition's.
    @Test func codesNearHalvesFollowTheDefinition() {
        var row: [Float] = []
        for largest in [100, 3, 0.7, 1e-3] as [Float] {
            let inverse = 127 / largest
            var values: [Float] = []
            for code in 0..<126 {
                var value = (Float(code) + 0.5) / inverse
                value -= 3 * value.ulp
                for _ in 0..<7 {
                    values.append(code % 2 == 0 ? value : -value)
                    value = value.nextUp
                }
            }
            for start in stride(from: 0, to: values.count - 30, by: 31) {
                row += [largest] + values[start..<start + 31]
            }
        }
        let expected = FormatProductTests.quantized(row)
        for table in KernelTable.all {
            let chunks = (row.count + 255) / 256
            var activations = [UInt8](repeating: 0, count: chunks * Int(APUS_ACTIVATION_BYTES))
            row.withUnsafeMutableBufferPointer { x in
                activations.withUnsafeMutableBufferPointer { activations in
                    var arguments = apus_quantize_arguments(
                        x: x.baseAddress, stride: Int64(x.count), rows: 1, inputs: Int64(x.count),
                        activations: activations.baseAddress, order: nil)
                    let items = table.kernels.activation_items(1, Int64(x.count))
                    Self.scratch { table.kernels.quantize(&arguments, 0, items, $0) }
                }
            }
            // A chunk of a single row: 256 codes, then 8 scales.
            var codes: [Int8] = []
            var scales: [Float] = []
            activations.withUnsafeBytes { bytes in
                for block in 0..<row.count / 32 {
                    let chunk = block / 8 * Int(APUS_ACTIVATION_BYTES)
                    for index in 0..<32 {
                        codes.append(bytes.load(fromByteOffset: chunk + block % 8 * 32 + index, as: Int8.self))
                    }
                    scales.append(bytes.loadUnaligned(fromByteOffset: chunk + 256 + block % 8 * 4, as: Float.self))
                }
            }
            #expect(codes.map(Int.init) == expected.codes, "\(table.name)")
            #expect(sameBits(scales, expected.scales), "\(table.name)")
        }
    }

    // MARK: Element-wise

    /// Gates, bends and caps have the bits of the portable table, whose exponential the test above defines.
    @Test func elementwiseOperationsAgree() {
        var random = SeededGenerator(state: 14)
        let operations: [(String, KeyPath<apus_kernels, apus_operation?>)] = [
            ("add", \.add), ("scale", \.scale), ("gated_silu", \.gated_silu), ("gated_gelu", \.gated_gelu),
            ("gelu", \.gelu), ("soft_cap", \.soft_cap),
        ]
        for width in [1, 15, 16, 17, 100] {
            let rows = gaussianRows(3, width, &random).map { row in row.map { 6 * $0 } }
            var other = gaussianRows(3, width, &random).flatMap { $0 }
            for (name, path) in operations {
                func apply(_ table: KernelTable, _ rows: [[Float]]) -> [Float] {
                    var x = rows.flatMap { $0 }
                    x.withUnsafeMutableBufferPointer { x in
                        other.withUnsafeMutableBufferPointer { other in
                            var arguments = apus_elementwise_arguments(
                                x: x.baseAddress, stride: Int64(width), other: other.baseAddress,
                                other_stride: Int64(width), width: Int64(width), factor: 30)
                            Self.scratch { table.kernels[keyPath: path]!(&arguments, 0, Int64(rows.count), $0) }
                        }
                    }
                    return x
                }
                let expected = apply(.portable, rows)
                #expect(expected.allSatisfy { $0.isFinite })
                for table in KernelTable.all {
                    #expect(sameBits(apply(table, rows), expected), "\(table.name): \(name), width \(width)")
                    #expect(
                        sameBits(apply(table, [rows[0]]), Array(expected.prefix(width))),
                        "\(table.name): \(name) of one row, width \(width)")
                }
            }
        }
    }
}
