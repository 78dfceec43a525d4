internal import Models
internal import Tensors

/// Which tensor gets which format.
struct TypePlan {
    private var types: [String: ElementType] = [:]
    /// What could not be had as asked, for the user.
    private(set) var notes: [String] = []

    /// - Parameters:
    ///   - uses: the network's tensors.
    ///   - request: the formats asked for.
    ///   - isGGUF: whether the result is a GGUF file, whose types are fixed.
    init(_ uses: [TensorUse], _ request: Recipe.Request, isGGUF: Bool) throws(CompressionError) {
        let projections = try Self.type(request.format)
        let ends = try request.embeddingFormat.map { name throws(CompressionError) in try Self.type(name) }
        for name in request.formats.keys.sorted() where !uses.contains(where: { $0.name == name }) {
            throw CompressionError("the recipe has a format for tensor \(name), which this model does not have")
        }
        var fallbacks: [String: (type: ElementType, count: Int)] = [:]
        for use in uses {
            var wanted: ElementType?
            switch use.role {
            case .projection: wanted = projections
            case .embedding, .output: wanted = ends
            case .table, .vector: wanted = nil
            }
            if let named = request.formats[use.name] { wanted = try Self.type(named) }
            guard let wanted else { continue }
            if isGGUF, wanted.groupFormat != nil {
                throw CompressionError(
                    "GGUF files have no type \(wanted.name); choose one of "
                        + ElementType.allCases.map(\.name).joined(separator: ", ") + ", or write a folder")
            }
            var type = wanted
            while use.shape[1] % type.blockSize != 0 {
                guard let next = Self.smaller(type) else {
                    throw CompressionError(
                        "tensor \(use.name) has rows of \(use.shape[1]), which are no whole blocks of \(wanted.name)"
                            + " (\(wanted.blockSize)); choose another format")
                }
                type = next
            }
            if type != wanted {
                let key = "\(wanted.name), rows of \(use.shape[1])"
                fallbacks[key] = (type, (fallbacks[key]?.count ?? 0) + 1)
            }
            types[use.name] = type
        }
        for (key, value) in fallbacks.sorted(by: { $0.key < $1.key }) {
            let tensors = value.count == 1 ? "1 tensor" : "\(value.count) tensors"
            notes.append("\(tensors) that cannot be \(key): no whole blocks of 256, made \(value.type.name)")
        }
    }

    /// The format of a tensor; nil where it stays as it is.
    subscript(name: String) -> ElementType? { types[name] }

    static func type(_ name: String) throws(CompressionError) -> ElementType {
        guard let type = ElementType(name: name) else {
            throw CompressionError(
                "there is no format '\(name)'; there are "
                    + ElementType.allCases.map(\.name).joined(separator: ", ")
                    + ", and for folders such as INT4_G128, INT3_G64_ZP, FP4_E2M1_G32, NF4_G64, MXFP4")
        }
        return type
    }

    /// The nearest format in blocks of 32 with at least about the bits of one in blocks of 256, for rows that are no whole
    /// number of those.
    static func smaller(_ type: ElementType) -> ElementType? {
        switch type {
        case .q2_K, .q3_K, .iq4_XS: .iq4_NL
        case .q4_K: .q5_0
        case .q5_K: .q5_1
        case .q6_K: .q8_0
        default: nil
        }
    }
}
