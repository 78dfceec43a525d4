/// The tree of shared prefixes of a whole job, built from its prompts in sorted order and handed on node by node, so that
/// only the nodes on the present path are in memory.
///
/// After BatchLLM (section 4: global prefix identification): where the prompts part, there is a node; its children are prompts and further
/// nodes. Each child gets a rank, its tokens to decode for each token to compute; children with more decoding run first, so that
/// their answers go on while later prompts are computed.
struct PrefixTree {
    /// A child of a node: another node, or the prompt of a line.
    struct Child {
        var id: Int
        var parent: Int
        /// Tokens to decode for each token of prompt that is computed, at this child and below.
        var rank: Double
        /// nil for a node.
        var line: Int?
    }

    static let root = 0

    private struct Open {
        var id: Int
        /// Tokens from the root.
        var depth: Int
        /// Tokens to compute below this node, and to decode.
        var prompt = 0
        var decode = 0
        var line: Int?
    }

    private var path: [Open] = [Open(id: root, depth: 0)]
    /// The prompt or node that was completed last and has no parent yet.
    private var last: Open?
    private var lastPath: [UInt8] = []
    private var nextID = 1
    private let emit: (Child) throws -> Void

    init(_ emit: @escaping (Child) throws -> Void) { self.emit = emit }

    /// Adds the next prompt in order of paths.
    mutating func add(line: Int, path prompt: [UInt8], tokens: Int, decode: Int) throws {
        let common = min(PromptPath.common(lastPath, prompt) * PromptPath.tokensPerStep, tokens)
        try close(to: common)
        last = Open(id: takeID(), depth: tokens, decode: decode, line: line)
        lastPath = prompt
    }

    /// No prompt follows.
    mutating func finish() throws { try close(to: 0) }

    private mutating func takeID() -> Int {
        defer { nextID += 1 }
        return nextID
    }

    /// Completes the nodes deeper than `depth`, and makes one there where `last` parts from what comes.
    private mutating func close(to depth: Int) throws {
        guard var child = last else { return }
        last = nil
        while path[path.count - 1].depth > depth {
            try attach(child)
            child = path.removeLast()
        }
        if path[path.count - 1].depth < depth { path.append(Open(id: takeID(), depth: depth)) }
        try attach(child)
    }

    private mutating func attach(_ child: Open) throws {
        let top = path.count - 1
        let prompt = child.prompt + child.depth - path[top].depth
        path[top].prompt += prompt
        path[top].decode += child.decode
        try emit(
            Child(
                id: child.id, parent: path[top].id, rank: Double(child.decode) / Double(max(prompt, 1)), line: child.line))
    }
}
