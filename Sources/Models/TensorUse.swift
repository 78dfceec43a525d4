internal import Synchronization
public import Tensors

/// A tensor of a checkpoint as its network uses it.
public struct TensorUse: Sendable, Equatable {
    public enum Role: Sendable, Equatable {
        /// A projection of a block, or several fused into one: `attn_q`, `attn_qkv`, `ffn_down`.
        case projection(layer: Int, part: String)
        /// Rows by token; without an ``output`` beside it the projection to scores as well.
        case embedding
        /// The projection to scores.
        case output
        /// Other rows that are looked up: learned positions.
        case table
        /// A norm's weight, a bias, factors of frequencies.
        case vector
    }

    /// The name in the file.
    public var name: String
    /// The name by the GGUF convention: `blk.3.attn_q.weight`.
    public var convention: String
    public var role: Role
    /// [outputs, inputs] of a projection, whichever way the file stores it.
    public var shape: [Int]
    /// True where the file stores [inputs, outputs].
    public var isTransposed = false
    /// What the network adds to a vector's stored numbers.
    public var adding: Float = 0
}

/// What an architecture has asked a checkpoint for, each tensor once.
final class TensorUses: Sendable {
    private let list = Mutex<(uses: [TensorUse], names: Set<String>)>(([], []))

    func add(_ use: TensorUse) {
        list.withLock { list in
            if list.names.insert(use.name).inserted { list.uses.append(use) }
        }
    }

    var all: [TensorUse] { list.withLock { $0.uses } }
}

/// How much of a network is laid out for products.
public enum ModelPart: Sendable, Equatable {
    case whole
    /// One block; what stands before and after it can be run too, all but the projection to scores.
    case block(Int)
    /// Embedding and last norm alone.
    case ends
}

/// Numbers that stand in for a checkpoint's own, by the names of its tensors. A name that the checkpoint lacks adds a bias.
public struct WeightOverlay: Sendable {
    /// [outputs, inputs], also where the file stores a weight the other way round.
    public var weights: [String: Matrix] = [:]
    /// Vectors as the file stores them.
    public var vectors: [String: [Float]] = [:]

    public init() {}

    public var isEmpty: Bool { weights.isEmpty && vectors.isEmpty }
}

/// What a projection, or several of one input, multiplies.
public enum ProjectionInput: Int, Sendable, CaseIterable, Hashable {
    /// The input of queries, keys and values.
    case attention
    /// What the heads have gathered.
    case attentionOutput
    /// The input of the feed-forward part.
    case feedForward
    /// Its inner row, on the way down.
    case feedForwardDown

    /// What a part by the GGUF convention multiplies; nil for parts that are no projections of a block.
    public init?(part: String) {
        switch part {
        case "attn_q", "attn_k", "attn_v", "attn_qkv": self = .attention
        case "attn_output": self = .attentionOutput
        case "ffn_gate", "ffn_up": self = .feedForward
        case "ffn_down": self = .feedForwardDown
        default: return nil
        }
    }
}

/// Listens to the inputs of a block's projections while it runs. Says whether the block should go on; a block that ends early
/// leaves nothing of use in the hidden state.
public typealias ProjectionTap = (_ layer: Int, _ input: ProjectionInput, _ rows: Rows) -> Bool
