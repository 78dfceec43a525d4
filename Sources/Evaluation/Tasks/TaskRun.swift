public import Apus
internal import Inference

/// How a task's questions are asked.
public struct TaskSettings: Sendable, Equatable {
    /// Answers to each question.
    public var samples = 1
    /// 0 takes the likeliest token always; else answers are drawn from the model's whole distribution at this temperature.
    public var temperature: Float = 0
    /// The most tokens of an answer.
    public var maximumTokens = 512
    /// Where all randomness of the answers comes from.
    public var seed: UInt64 = 0
    /// Solved examples before each question; nil for 0 where the model has a chat template and 4 where not.
    public var shots: Int?

    public init() {}

    /// Examples shown to a model that was not made for conversations, where nobody says how many.
    public static let shotsWithoutTemplate = 4
}

/// A model's answers to a task's questions.
public struct TaskRun: Sendable {
    public struct Sample: Sendable {
        public let text: String
        public let judgement: TaskJudgement
        public let tokens: Int
        /// Whether it was cut by the limit of tokens or the end of the context.
        public let isCut: Bool
    }

    public struct Answered: Sendable {
        public let question: TaskQuestion
        /// In the order of their sample indices.
        public let samples: [Sample]

        public var right: Int { samples.count(where: \.judgement.isRight) }
    }

    public let settings: TaskSettings
    /// Examples shown before each question.
    public let shots: Int
    /// In the order of the task's questions.
    public let answered: [Answered]

    init(settings: TaskSettings, shots: Int, answered: [Answered]) {
        self.settings = settings
        self.shots = shots
        self.answered = answered
    }

    /// Asks all questions, as many at once as the engine runs.
    ///
    /// With a chat template, examples are turns of the conversation and the question is its last. Without one, the prompt
    /// is plain text, `Question: …`, `Answer:`, the solution, an empty line, and so on; the answer ends at an empty line.
    ///
    /// - Parameters:
    ///   - count: how many questions; the task may have fewer.
    ///   - progress: told after each answer how many there are.
    /// - Throws: ``EvaluationError`` for impossible settings, `EngineError` where the engine refuses, for example a prompt
    ///   longer than the context.
    public static func measure(
        _ model: LanguageModel, task: some EvaluationTask, count: Int, settings: TaskSettings = TaskSettings(),
        progress: @Sendable (Int) -> Void = { _ in }
    ) async throws -> TaskRun {
        guard count >= 1, settings.samples >= 1 else {
            throw EvaluationError.nothingToMeasure(questions: count, samples: settings.samples)
        }
        if settings.samples > 1 && settings.temperature == 0 {
            throw EvaluationError.sameSamples(settings.samples)
        }
        let shots = settings.shots ?? (model.template == nil ? TaskSettings.shotsWithoutTemplate : 0)
        let questions = task.questions(count)
        let asker = Asker(model: model, examples: task.examples(shots), settings: settings)
        let prompts = try questions.map { try asker.prompt($0) }
        var samples = questions.map { _ in [Sample?](repeating: nil, count: settings.samples) }
        let total = questions.count * settings.samples
        // Enough waits that the engine never does; more would only hold memory.
        let together = 2 * model.engine.configuration.maximumRunning
        try await withThrowingTaskGroup(of: (Int, Sample).self) { group in
            func ask(_ number: Int) {
                let place = number / settings.samples
                let (question, prompt, sample) = (questions[place], prompts[place], number % settings.samples)
                group.addTask { (number, try await asker.ask(question, prompt, place, sample)) }
            }
            for number in 0..<min(together, total) { ask(number) }
            var next = together
            var done = 0
            while let (number, sample) = try await group.next() {
                samples[number / settings.samples][number % settings.samples] = sample
                done += 1
                progress(done)
                if next < total { ask(next) }
                next += 1
            }
        }
        return TaskRun(
            settings: settings, shots: shots,
            answered: zip(questions, samples).map { Answered(question: $0, samples: $1.compactMap(\.self)) })
    }
}

/// Puts questions to a model.
private struct Asker: Sendable {
    let model: LanguageModel
    let examples: [TaskQuestion]
    let settings: TaskSettings

    func prompt(_ question: TaskQuestion) throws -> [Int32] {
        guard model.template != nil else {
            let solved = examples.map { "Question: \($0.text)\nAnswer:\n\($0.solution)\n\n" }
            return model.tokens(of: solved.joined() + "Question: \(question.text)\nAnswer:\n")
        }
        let turns = examples.flatMap {
            [ChatMessage(role: "user", content: $0.text), ChatMessage(role: "assistant", content: $0.solution)]
        }
        return try model.tokens(of: turns + [ChatMessage(role: "user", content: question.text)])
    }

    func ask(_ question: TaskQuestion, _ prompt: [Int32], _ place: Int, _ sample: Int) async throws -> TaskRun.Sample {
        var options = GenerationOptions(
            maximumTokens: settings.maximumTokens, seed: seed(place), sampleIndex: UInt32(sample),
            stop: model.template == nil ? ["\n\n"] : [])
        options.sampling.temperature = settings.temperature
        var text = ""
        var tokens = 0
        var isCut = false
        for try await event in try model.generate(
            tokens: prompt, options: options, continuesText: model.template == nil)
        {
            switch event {
            case .text(let piece): text += piece.text
            case .finished(let result):
                text += result.rest
                tokens = result.statistics.generatedTokens
                isCut = result.reason == .length
            }
        }
        return TaskRun.Sample(text: text, judgement: question.judge(text), tokens: tokens, isCut: isCut)
    }

    /// A seed of its own for each question: with one for all, two questions would draw the same numbers at the same
    /// position and err together.
    private func seed(_ place: Int) -> UInt64 {
        let words = Philox.block(
            counter: SIMD4(UInt32(truncatingIfNeeded: place), 0, 0x5441_534B, 0),
            key: SIMD2(
                UInt32(truncatingIfNeeded: settings.seed), UInt32(truncatingIfNeeded: settings.seed >> 32)))
        return UInt64(words.y) << 32 | UInt64(words.x)
    }
}
