internal import Inference
internal import Tensors

extension KernelLadder {
    /// The kernels that go over the elements of rows, 2,048 wide (the gates 8,192), and the choice of a token among 128,256 scores.
    public func rows(counts: [Int], report: (KernelReport) -> Void) {
        for count in counts {
            for name in Self.rowKernels { report(row(name, count)) }
        }
        for (name, temperature) in [("sample_greedy", Float(0)), ("sample_softmax", 0.8)] {
            report(sampling(name, temperature))
        }
    }

    private static let rowKernels = [
        "gather_q8_0", "rms_norm", "layer_norm", "rotate", "add", "gated_silu", "gated_gelu", "gelu", "soft_cap",
    ]
    private static let width = 2048

    private func row(_ name: String, _ count: Int) -> KernelReport {
        let width = name.hasPrefix("gated") ? Self.inputs : Self.width
        let (x, y) = (RandomRows(count, width: width), RandomRows(count, width: width))
        let (cosines, sines) = (RandomRows(count, width: 32), RandomRows(count, width: 32))
        let arena = VectorArena()
        let vector = arena.store(Array(repeating: 1, count: width))
        let batch = BatchRows(capacity: count)
        let pages = PageList(capacity: 1)
        for row in 0..<count {
            batch.append(token: Int32(row), position: row, slot: 0, visible: 1, variant: 0, pages: pages)
        }
        let table = WeightRing(format: .q8_0, outputs: max(count, 1), inputs: width, copies: 1)
        let frequencies = arena.store((0..<32).map { Float(1) / Float($0 + 1) })
        func seconds(_ kernels: KernelTable, budget: Double) -> Sample {
            let ops = Ops(kernels: kernels, threads: threads, maximumRows: count, maximumInputs: width)
            x.fill()
            let (a, b) = (x.all, y.all)
            ops.angles(
                batch, variants: frequencies, factor: 1, cosines: cosines.all, sines: sines.all)
            return measureRepeatedly(budget: budget) {
                switch name {
                case "gather_q8_0": ops.gather(table.rows, batch: batch, into: a)
                case "rms_norm": ops.rmsNorm(a, weight: vector, epsilon: 1e-5, into: b)
                case "layer_norm": ops.layerNorm(a, weight: vector, bias: vector, epsilon: 1e-5, into: b)
                case "rotate":
                    ops.rotate(
                        a, headWidth: 64, cosines: cosines.all, sines: sines.all, pairing: .halves)
                case "add": ops.add(a, b)
                case "gated_silu": ops.gatedSiLU(a, b)
                case "gated_gelu": ops.gatedGELU(a, b)
                case "gelu": ops.gelu(a)
                default: ops.softCap(a, cap: 30)
                }
            }
        }
        let measured = seconds(kernels, budget: budget / 3)
        return KernelReport(
            kernel: name, format: "", rows: count, slots: 0, seconds: measured,
            operations: Double(count * width), bytes: 0, share: nil,
            timesReference: isReference ? 1 : seconds(Self.reference, budget: budget / 6).median / measured.median)
    }

    /// The sampler always takes the machine's best table, so it has no other to be compared with.
    private func sampling(_ name: String, _ temperature: Float) -> KernelReport {
        let chooser = TokenChooser(vocabulary: 128_256, temperature: temperature)
        let seconds = measureRepeatedly(budget: budget) { chooser.choose() }
        return KernelReport(
            kernel: name, format: "", rows: 1, slots: 0, seconds: seconds, operations: 128_256, bytes: 0, share: nil,
            timesReference: 1)
    }
}

/// Chooses tokens from the same random scores.
final class TokenChooser {
    private let sampler: Sampler
    private let scratch: SamplerScratch
    private let scores: [Float]

    init(vocabulary: Int, temperature: Float) {
        var parameters = SamplingParameters()
        parameters.temperature = temperature
        guard
            let sampler = try? Sampler(
                parameters, vocabulary: SamplingVocabulary(size: vocabulary, endOfGeneration: []), seed: 1)
        else { preconditionFailure("these parameters are valid") }
        self.sampler = sampler
        scratch = SamplerScratch(vocabularySize: vocabulary)
        var noise = SplitMix64(state: 11)
        scores = (0..<vocabulary).map { _ in Float.random(in: -8...8, using: &noise) }
    }

    func choose() {
        let prompt: [Int32] = [1]
        scores.withUnsafeBufferPointer { scores in
            prompt.withUnsafeBufferPointer { prompt in
                let token = try? sampler.sample(
                    scores: scores, history: TokenHistory(tokens: prompt, promptCount: 1), position: 1,
                    state: sampler.initialState, scratch: scratch)
                precondition(token != nil, "scores are finite")
            }
        }
    }
}
