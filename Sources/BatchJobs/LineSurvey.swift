internal import Dispatch
internal import OpenAI
internal import Synchronization

/// What the plan needs to know of each line.
struct LineSurvey: Sendable {
    let model: ServedModel
    let defaults: RequestDefaults
    /// The most tokens of a sequence.
    let context: Int

    struct Row: Sendable {
        var kind = LineKind.refused
        var customID = ""
        var path: [UInt8] = []
        /// Tokens of the prompt, and those that may be generated.
        var prompt = 0
        var decode = 0
    }

    /// Parses lines on several threads.
    func read(_ lines: [InputFile.Line], threads: Int) -> [Row] {
        let parts = min(threads, lines.count)
        let rows = Mutex(Array(repeating: Row(), count: lines.count))
        DispatchQueue.concurrentPerform(iterations: parts) { part in
            let range = lines.count * part / parts..<lines.count * (part + 1) / parts
            let read = range.map { row(lines[$0]) }
            rows.withLock { $0.replaceSubrange(range, with: read) }
        }
        return rows.withLock { $0 }
    }

    private func row(_ line: InputFile.Line) -> Row {
        let parsed = BatchLine(line, model: model, defaults: defaults)
        var row = Row(customID: parsed.customID)
        switch parsed.content {
        case .refused: break
        case .embedding(let task):
            row.kind = .embedding
            row.prompt = task.inputs.reduce(0) { $0 + $1.count }
        case .generation(let task):
            row.kind = .generation
            // Where log-probabilities of the prompt are wanted it is computed whole: nothing is shared.
            if !task.scoresPrompt { row.path = PromptPath.bytes(task.prompts[0]) }
            row.prompt = task.prompts[0].count
            let room = max(context - row.prompt, 0)
            row.decode = min(task.maximumTokens ?? room, room) * task.choices
        }
        return row
    }
}
