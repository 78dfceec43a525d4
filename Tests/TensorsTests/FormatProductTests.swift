import CKernels
import Testing

/// Products of quantized weights and rows of activations.
@Suite struct FormatProductTests {
    /// Activations of one row as the definition quantizes them: codes in −127…127 under one scale for 32.
    static func quantized(_ row: [Float]) -> (codes: [Int], scales: [Float]) {
        var codes: [Int] = []
        var scales: [Float] = []
        for start in stride(from: 0, to: row.count, by: 32) {
            let block = row[start..<start + 32]
            guard block.allSatisfy(\.isFinite) else {
                codes += [Int](repeating: 0, count: 32)
                scales.append(.nan)
                continue
            }
            let largest = block.map(abs).max()!
            let inverse: Float = largest > 0 ? 127 / largest : 0
            // Blocks so small that the inverse leaves the range are zeros.
            codes += block.map { inverse > 3e38 ? 0 : Int(($0 * inverse).rounded(.toNearestOrEven)) }
            scales.append(largest / 127)
        }
        return (codes, scales)
    }

    /// One row times a weight by the definition: exact integer sub-sums, then the chain of fused steps, ascending.
    static func product(_ weight: GuardedWeight, _ row: [Float]) -> [Float] {
        let format = weight.format
        let activations = quantized(row)
        return (0..<weight.outputs).map { output in
            let decoded = weight.decodedRows[output]
            var sum: Float = 0
            for group in 0..<weight.inputs / format.group {
                let range = group * format.group..<(group + 1) * format.group
                let scale = activations.scales[range.lowerBound / 32]
                let subsum = range.reduce(0) { $0 + decoded.codes[$1] * activations.codes[$1] }
                sum = sum.addingProduct(Float(subsum), decoded.scales[group] * scale)
                if !decoded.minimums.isEmpty {
                    let codeSum = range.reduce(0) { $0 + activations.codes[$1] }
                    sum = sum.addingProduct(decoded.minimums[group], scale * Float(codeSum))
                }
            }
            return sum
        }
    }

    @Test(arguments: FormatReference.all)
    func followsTheDefinitionBitForBit(_ format: FormatReference) {
        var random = SeededGenerator(state: 1)
        for inputs in format.inputCounts {
            let weight = GuardedWeight(format, outputs: 35, inputs: inputs, random: &random)
            let rows = gaussianRows(3, inputs, &random)
            let results = KernelTable.portable.product(weight, rows)
            for (row, result) in zip(rows, results) {
                #expect(sameBits(result, Self.product(weight, row)), "\(inputs) inputs")
            }
        }
    }

    /// Against float64 products of the weights as floats and the activations as they are. Only rounding the activations
    /// to codes may part the two: at most half a scale each, and the chain's own rounding.
    @Test(arguments: FormatReference.all)
    func staysNearTheExactProduct(_ format: FormatReference) {
        var random = SeededGenerator(state: 2)
        let inputs = 512
        let outputs = 64
        let weight = GuardedWeight(format, outputs: outputs, inputs: inputs, random: &random)
        let row = gaussianRows(1, inputs, &random)[0]
        let scales = Self.quantized(row).scales.map(Double.init)
        var squaredError = 0.0
        var squared = 0.0
        for (output, result) in KernelTable.all[0].product(weight, [row])[0].enumerated() {
            var exact = 0.0
            var bound = 0.0
            for (input, value) in format.values(weight.row(output)).enumerated() {
                exact += Double(value) * Double(row[input])
                bound += abs(Double(value)) * (scales[input / 32] / 2 * 1.0001 + 1e-5 * abs(Double(row[input])))
            }
            let error = abs(Double(result) - exact)
            #expect(error <= bound)
            squaredError += error * error
            squared += exact * exact
        }
        #expect((squaredError / squared).squareRoot() < 0.01)
    }

    /// Rows 1 to 17 in a batch, at any place in it, on every table: the bits of `portable`, hence of the definition.
    @Test(arguments: FormatReference.all)
    func everyTableAndBatchGivesTheSameBits(_ format: FormatReference) {
        var random = SeededGenerator(state: 3)
        for inputs in format.inputCounts {
            for outputs in [1, 31, 33, 70] {
                let weight = GuardedWeight(format, outputs: outputs, inputs: inputs, random: &random)
                // Every number of rows where steps of 256 end part-filled; elsewhere the widths of the kernels' tiles.
                let counts = outputs == 33 && inputs <= 288 && inputs >= 256 ? Array(1...17) : [1, 2, 5, 6]
                let rows = gaussianRows(counts.last!, inputs, &random)
                let expected = KernelTable.portable.product(weight, rows)
                for table in KernelTable.all {
                    for count in counts {
                        let result = table.product(weight, Array(rows.suffix(count)))
                        #expect(
                            sameRows(result, Array(expected.suffix(count))),
                            "\(table.name): \(count) rows, \(outputs) outputs, \(inputs) inputs")
                    }
                }
            }
        }
    }

    @Test(arguments: FormatReference.all)
    func aRowIsTheSameAloneAndAmong17(_ format: FormatReference) {
        var random = SeededGenerator(state: 4)
        let weight = GuardedWeight(format, outputs: 40, inputs: 512, random: &random)
        let rows = gaussianRows(17, 512, &random)
        for table in KernelTable.all {
            let together = table.product(weight, rows)
            for (row, result) in zip(rows, together) {
                #expect(sameBits(table.product(weight, [row])[0], result), "\(table.name)")
            }
        }
    }

    @Test(arguments: FormatReference.all)
    func anySplitOfThePanelsGivesTheSameBits(_ format: FormatReference) {
        var random = SeededGenerator(state: 5)
        let weight = GuardedWeight(format, outputs: 100, inputs: 512, random: &random)
        let rows = gaussianRows(3, 512, &random)
        for table in KernelTable.all {
            let whole = table.product(weight, rows)
            for splits in [
                [0..<1, 1..<2, 2..<3, 3..<4], [3..<4, 1..<3, 0..<1], [2..<4, 0..<2], [0..<3, 3..<3, 3..<4],
            ] {
                #expect(sameRows(table.product(weight, rows, panels: splits), whole), "\(table.name) \(splits)")
            }
        }
    }

    /// Panels are laid out alike by every table, so that one file of them serves all.
    @Test(arguments: FormatReference.all)
    func everyTableLaysOutTheSamePanels(_ format: FormatReference) {
        var random = SeededGenerator(state: 8)
        let weight = GuardedWeight(format, outputs: 70, inputs: format.inputCounts.last!, random: &random)
        let expected = GuardedPanels(weight.c, KernelTable.portable.kernels)
        for table in KernelTable.all {
            #expect(GuardedPanels(weight.c, table.kernels).bytes == expected.bytes, "\(table.name)")
        }
    }

    /// All codes at one end and activations at theirs: where an 8- or 16-bit step could saturate.
    @Test(arguments: FormatReference.all)
    func extremeCodesSumExactly(_ format: FormatReference) {
        let inputs = 512
        let blocks = inputs / format.inputs
        let ends: [UInt8] = [0x00, 0xFF, 0x80, 0x7F, 0x81, 0x0F, 0xF0]
        var bytes: [UInt8] = []
        for end in ends { bytes += [UInt8](repeating: end, count: blocks * format.bytes) }
        for scale in [Float(0.25), -0.25] {
            for block in 0..<ends.count * blocks { format.setScales(&bytes, block: block) { scale } }
            let weight = GuardedWeight(format, outputs: ends.count, inputs: inputs, bytes: bytes)
            let rows: [[Float]] = [
                [Float](repeating: 127, count: inputs), [Float](repeating: -127, count: inputs),
                (0..<inputs).map { $0 % 2 == 0 ? 127 : -127 }, (0..<inputs).map { $0 % 4 < 2 ? -127 : 127 },
                [Float](repeating: 0, count: inputs),
            ]
            let expected = rows.map { Self.product(weight, $0) }
            for table in KernelTable.all {
                #expect(sameRows(table.product(weight, rows), expected), "\(table.name), scale \(scale)")
            }
        }
    }

    /// Zeros, huge, tiny and subnormal activations follow the definition beside ordinary ones; so do hard weight scales.
    @Test(arguments: FormatReference.all)
    func hardMagnitudesFollowTheDefinition(_ format: FormatReference) {
        var random = SeededGenerator(state: 6)
        let inputs = 256
        let gaussian = GuardedWeight(format, outputs: 17, inputs: inputs, random: &random)
        let hard: [Float] = [0, -0.0, 6e-8, -6e-8, 6.1e-5, 65504, -65504, 1]
        var bytes = gaussian.bytes
        for block in 0..<17 * inputs / format.inputs {
            format.setScales(&bytes, block: block) { hard[Int.random(in: 0..<8, using: &random)] }
            if format.type == APUS_MXFP4 { bytes[block * format.bytes] = UInt8.random(in: 0...255, using: &random) }
        }
        let weights = [gaussian, GuardedWeight(format, outputs: 17, inputs: inputs, bytes: bytes)]
        let factors: [Float] = [0, 1, 3e37, 1e-30, 3e-37, 1e-37, 0x1p-130, .leastNonzeroMagnitude]
        let rows =
            factors.map { factor in (0..<inputs).map { _ in factor * random.gaussian() } }
            + [(0..<inputs).map { factors[$0 / 32 % factors.count] * random.gaussian() }]
        for weight in weights {
            let expected = rows.map { Self.product(weight, $0) }
            for table in KernelTable.all {
                for (index, result) in table.product(weight, rows).enumerated() {
                    #expect(sameBits(result, expected[index]), "\(table.name), row \(index)")
                }
            }
        }
    }

    /// A NaN or an infinity shows in every output of its row and in no other row.
    @Test(arguments: FormatReference.all)
    func poisonStaysInItsRow(_ format: FormatReference) {
        var random = SeededGenerator(state: 7)
        let inputs = 512
        let weight = GuardedWeight(format, outputs: 33, inputs: inputs, random: &random)
        let clean = gaussianRows(7, inputs, &random)
        var rows = clean
        rows[1][0] = .nan
        rows[3][511] = .infinity
        rows[4][100] = -.infinity
        rows[6][31] = .signalingNaN
        for table in KernelTable.all {
            let expected = table.product(weight, clean)
            for (index, result) in table.product(weight, rows).enumerated() {
                if [1, 3, 4, 6].contains(index) {
                    #expect(result.allSatisfy { $0.isNaN }, "\(table.name), row \(index)")
                } else {
                    #expect(sameBits(result, expected[index]), "\(table.name), row \(index)")
                }
            }
        }
    }
}
