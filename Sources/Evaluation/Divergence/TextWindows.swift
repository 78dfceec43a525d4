/// How a text's tokens are read: in windows of `window` tokens that begin `stride` tokens apart.
///
/// Every token is scored once, in the first window that reaches it, given what stands before it in that window; the first token
/// of a window has nothing before it and is never scored there. This is the strided definition that the `transformers`
/// documentation gives for models of fixed length.
struct TextWindows {
    struct Window: Equatable {
        /// The window is `tokens[begin..<end]`.
        let begin: Int
        let end: Int
        /// The first token of the text that is scored in this window.
        let firstScored: Int
    }

    let windows: [Window]

    /// - Parameters:
    ///   - count: tokens of the text.
    ///   - window: tokens that a model sees at once.
    ///   - stride: 1...window.
    ///   - context: the most tokens that every model allows.
    /// - Throws: ``EvaluationError`` for a text or window that allows no measurement.
    init(count: Int, window: Int, stride: Int, context: Int) throws(EvaluationError) {
        guard count >= 2 else { throw .textTooShort(tokens: count) }
        guard window >= 2, stride >= 1, stride <= window else {
            throw .impossibleWindow(window: window, stride: stride)
        }
        guard min(window, count) <= context else { throw .windowTooLong(window: window, context: context) }
        var windows: [Window] = []
        var (begin, covered) = (0, 0)
        while covered < count {
            let end = min(begin + window, count)
            windows.append(Window(begin: begin, end: end, firstScored: max(covered, begin + 1)))
            covered = end
            begin += stride
        }
        self.windows = windows
    }

    /// Tokens that are scored.
    var scored: Int { windows.reduce(0) { $0 + max(0, $1.end - $1.firstScored) } }
}
