/// A prompt as the plan compares prompts: four bytes for each 16 tokens from its beginning, equal where the tokens are.
/// Two prompts share a prefix as long as their paths do, in steps of 16 tokens; paths sorted as bytes are the prompts in
/// depth-first order of their prefix tree. A thousand tokens take 256 bytes.
///
/// Different tokens may by chance have the same four bytes. Such a prompt stands in the wrong place of the plan, which
/// costs a little time; what the engine shares it compares token by token.
enum PromptPath {
    static let tokensPerStep = 16
    static let bytesPerStep = 4

    static func bytes(_ tokens: [Int32]) -> [UInt8] {
        var path: [UInt8] = []
        path.reserveCapacity(tokens.count / tokensPerStep * bytesPerStep)
        for start in stride(from: 0, through: tokens.count - tokensPerStep, by: tokensPerStep) {
            var digest = Digest()
            for token in tokens[start..<start + tokensPerStep] { digest.add(UInt64(UInt32(bitPattern: token))) }
            for shift in [56, 48, 40, 32] as [UInt64] { path.append(UInt8(truncatingIfNeeded: digest.value >> shift)) }
        }
        return path
    }

    /// Steps that two paths have in common.
    static func common(_ first: [UInt8], _ second: [UInt8]) -> Int {
        let limit = min(first.count, second.count)
        var place = 0
        while place < limit, first[place] == second[place] { place += 1 }
        return place / bytesPerStep
    }
}
