public import Apus
internal import Checkpoints
internal import Models
public import Tensors

/// Chooses a format for every tensor such that all keep a budget and the model's answers move least.
public struct BudgetPlanner {
    let files: ModelFiles
    let isGGUF: Bool
    let threads: Int
    let kernels: KernelTable

    public init(_ files: ModelFiles, isGGUF: Bool, threads: Int, kernels: KernelTable) {
        self.files = files
        self.isGGUF = isGGUF
        self.threads = threads
        self.kernels = kernels
    }

    /// Measures the tensors' sensitivity and solves for their formats.
    ///
    /// - Parameters:
    ///   - budget: bytes of all tensors of the result, or seconds of the products of a step with one row.
    ///   - text: a calibration text.
    ///   - samples, length: rows of it and tokens of each.
    ///   - seconds: what a product takes here, by format, outputs and inputs; asked under a budget of time only.
    ///   - report: is told what is measured and the share that is done.
    /// - Returns: formats by the tensors' names, and the expected divergence in nats.
    /// - Throws: `AllocationError` where the budget is too small.
    /// - Complexity: a pass of the model over 1,024 tokens and a rounding to every format for each tensor.
    public func formats(
        _ budget: Budget, text: String, samples: Int, length: Int,
        seconds: (ElementType, Int, Int) -> Double?, report: (String, Double) -> Void,
        interruption: @escaping () throws -> Void = {}
    ) throws -> (formats: [String: String], loss: Double) {
        let uses = try Catalog.tensors(of: files.checkpoint)
        let rows = try CalibrationText(text, tokenizer: try files.tokenizer(), samples: samples, length: length)
        let sensitivity = Sensitivity(
            checkpoint: files.checkpoint, uses: uses, threads: threads, kernels: kernels, mayGoOn: interruption)
        var items = try sensitivity.items({ candidates($0) }, rows: rows.rows, report: report)
        let shapes = Dictionary(uniqueKeysWithValues: uses.map { ($0.name, $0.shape) })
        if budget.maximumSeconds != nil {
            items = items.map { item in
                AllocationItem(
                    name: item.name,
                    options: item.options.map { option in
                        let shape = shapes[item.name]!
                        let type = ElementType(name: option.label)!
                        return AllocationOption(
                            label: option.label, bytes: option.bytes, loss: option.loss,
                            seconds: seconds(type, shape[0], shape[1]) ?? 0)
                    })
            }
        }
        let rest = uses.filter { candidates($0).isEmpty }.reduce(0) { $0 + bytesAsTheyAre($1) }
        let most = budget.maximumBytes(
            bytes: files.checkpoint.weightBytes, parameters: files.checkpoint.parameterCount)
        if let most, most <= rest {
            throw AllocationError.bytesTooFew(
                least: rest + items.reduce(0) { $0 + $1.options.map(\.bytes).min()! }, budget: most)
        }
        let solved: Allocation
        do throws(AllocationError) {
            solved = try Allocator.solve(
                items, maximumBytes: most.map { $0 - rest }, maximumSeconds: budget.maximumSeconds)
        } catch {
            if case .bytesTooFew(let least, _) = error {
                throw AllocationError.bytesTooFew(least: least + rest, budget: most ?? 0)
            }
            throw error
        }
        var formats: [String: String] = [:]
        for (item, choice) in zip(items, solved.choices) { formats[item.name] = item.options[choice].label }
        return (formats, solved.loss)
    }

    /// The formats that a tensor may get: none for what stays as it is.
    private func candidates(_ use: TensorUse) -> [ElementType] {
        switch use.role {
        case .table, .vector: return []
        case .projection: break
        // In a folder, readers of the field's layouts expect embedding and projection to scores as they were.
        case .embedding, .output: if !isGGUF { return [] }
        }
        let types: [ElementType] =
            isGGUF
            ? [.q2_K, .q3_K, .iq4_XS, .q4_K, .q5_K, .q6_K, .iq4_NL, .q4_1, .q5_0, .q5_1, .q8_0]
            : [2, 3, 4, 8].map { .group(GroupFormat(.integer(bits: $0)!, group: 32)!) }
        return types.filter { use.shape[1] % $0.blockSize == 0 }
    }

    /// Bytes in the result of a tensor that is not quantized.
    private func bytesAsTheyAre(_ use: TensorUse) -> Int {
        let count = use.shape.reduce(1, *)
        if isGGUF, files.checkpoint.kind != .gguf, use.role == .vector { return 4 * count }
        return files.checkpoint.rawTensor(named: use.name)?.bytes.count ?? 0
    }
}
