internal import Apus
public import Inference
internal import Models
internal import Tensors
internal import Text

/// A model's choices: of each question the continuation that it finds likeliest.
public struct ChoiceRun: Sendable {
    /// A question with what the model makes of it.
    public struct Answered: Sendable {
        public let question: ChoiceQuestion
        /// By choice: the sum of its tokens' log-probabilities (natural) after the question.
        public let logLikelihoods: [Double]
        /// By choice: bytes of its text, white space around it left out.
        public let bytes: [Int]

        /// The choice of the largest log-likelihood, the first among equals.
        public var chosen: Int { Self.largest(logLikelihoods) }
        /// The choice of the largest log-likelihood a byte: long choices are not unlikely for their length alone.
        public var chosenNormalised: Int { Self.largest(zip(logLikelihoods, bytes).map { $0 / Double($1) }) }
        public var isRight: Bool { chosen == question.answer }
        public var isRightNormalised: Bool { chosenNormalised == question.answer }

        private static func largest(_ values: [Double]) -> Int {
            values.indices.reduce(0) { values[$1] > values[$0] ? $1 : $0 }
        }
    }

    /// In the order of the questions.
    public let answered: [Answered]

    /// Shares of right choices.
    public struct Figures: Sendable, Equatable {
        public let questions: Int
        /// By log-likelihood, and by log-likelihood a byte, each with Wilson's interval at 95 %.
        public let accuracy: Double
        public let interval: ClosedRange<Double>
        public let accuracyNormalised: Double
        public let intervalNormalised: ClosedRange<Double>
        /// What guessing gives.
        public let chance: Double

        init(_ answered: [Answered]) {
            let count = Double(answered.count)
            questions = answered.count
            accuracy = Double(answered.count(where: \.isRight)) / count
            accuracyNormalised = Double(answered.count(where: \.isRightNormalised)) / count
            interval = Statistics.wilsonInterval(share: accuracy, trials: count)
            intervalNormalised = Statistics.wilsonInterval(share: accuracyNormalised, trials: count)
            chance = answered.reduce(0) { $0 + 1 / Double($1.question.choices.count) } / count
        }
    }

    public var figures: Figures { Figures(answered) }

    /// By group, in the order of the groups' names.
    public var figuresByGroup: [(group: String, figures: Figures)] {
        Dictionary(grouping: answered, by: \.question.group).sorted { $0.key < $1.key }
            .map { ($0.key, Figures($0.value)) }
    }

    /// Asks a model. A choice's tokens are those of question and choice together from the first token on that any of the choices
    /// changes: so all choices of a question are scored from one place, whatever the tokenizer does at the seam.
    ///
    /// - Parameters:
    ///   - questions: at least one.
    ///   - style: how they stand before the model.
    ///   - configuration: threads, kernels and cache type.
    ///   - progress: told after each few questions how many are answered.
    /// - Throws: ``EvaluationError``, `CheckpointError`, `TemplateError`, `EngineError`.
    /// - Complexity: a pass over each question's tokens and each choice's.
    public static func measure(
        _ model: ComparedModel, questions: [ChoiceQuestion], style: ChoiceStyle, configuration: EngineConfiguration,
        progress: (Int) -> Void = { _ in }
    ) throws -> ChoiceRun {
        guard !questions.isEmpty else { throw EvaluationError.nothingToMeasure(questions: 0, samples: 1) }
        let prompter = try Prompter(model, style)
        let context = min(configuration.context ?? model.shape.context, model.shape.context)
        let prepared = try questions.enumerated().map { try prompter.prepare($1, number: $0, context: context) }
        let room = max(prepared.map(\.pages).max()!, ScoreReader.pages(2048))
        let reader = try ScoreReader(
            try model.files.network(threads: configuration.threads), configuration: configuration,
            positions: room * ScoreReader.pageSize, rows: ScoreReader.rows(vocabulary: model.shape.vocabulary))
        var answered: [Answered] = []
        var next = 0
        while next < prepared.count {
            var (end, used) = (next, 0)
            while end < prepared.count, used + prepared[end].pages <= room {
                used += prepared[end].pages
                end += 1
            }
            let scores = try Self.score(Array(prepared[next..<end]), reader, first: next)
            for index in next..<end {
                let question = questions[index]
                answered.append(
                    Answered(
                        question: question, logLikelihoods: scores[index - next],
                        bytes: question.choices.map(Self.bytes)))
            }
            next = end
            progress(next)
        }
        return ChoiceRun(answered: answered)
    }

    /// Bytes of a text without the white space around it, at least 1.
    private static func bytes(_ text: String) -> Int {
        func isSpace(_ byte: UInt8) -> Bool { byte == 32 || (9...13).contains(byte) }
        let rest = text.utf8.drop(while: isSpace)
        return max(1, rest.count - rest.reversed().prefix(while: isSpace).count)
    }

    /// Log-likelihoods of the choices of some questions, which fit into the reader's pages together.
    private static func score(
        _ questions: [PreparedQuestion], _ reader: ScoreReader, first: Int
    ) throws(EvaluationError) -> [[Double]] {
        var (contexts, choices): ([ScoreReader.Run], [ScoreReader.Run]) = ([], [])
        var owners: [(question: Int, choice: Int)] = []
        var page = 0
        for (index, question) in questions.enumerated() {
            let shared = question.sharedPages
            let longest = question.choices.map(\.count).max()!
            let variant = reader.model.rotationVariant(length: longest)
            if shared > 0 {
                contexts.append(
                    ScoreReader.Run(
                        tokens: question.choices[0][..<(shared * ScoreReader.pageSize)],
                        pages: reader.pages(page, count: shared), scored: 0..<0, variant: variant))
            }
            var own = page + shared
            for (choice, tokens) in question.choices.enumerated() {
                let pages = PageList(capacity: ScoreReader.pages(tokens.count))
                for place in 0..<shared { pages.append(Int32(page + place)) }
                while pages.count < pages.capacity {
                    pages.append(Int32(own))
                    own += 1
                }
                choices.append(
                    ScoreReader.Run(
                        tokens: tokens[...], pages: pages, computed: shared * ScoreReader.pageSize,
                        scored: question.common - 1..<tokens.count - 1, variant: variant))
                owners.append((index, choice))
            }
            page = own
        }
        if !contexts.isEmpty { reader.read(contexts) { _, _, _ in } }
        var sums = questions.map { [Double](repeating: 0, count: $0.choices.count) }
        reader.read(choices) { run, place, scores in
            let (question, choice) = owners[run]
            let target = Int(questions[question].choices[choice][place + 1])
            sums[question][choice] += Double(scores[target]) - ScalarMath.logSumExp(scores)
        }
        for (index, row) in sums.enumerated() where !row.allSatisfy(\.isFinite) {
            throw .scoresAreNoNumbers(question: first + index + 1)
        }
        return sums
    }
}

/// A question's tokens.
private struct PreparedQuestion {
    /// Question and choice together, by choice.
    let choices: [[Int32]]
    /// Tokens that all of them begin with and that are not scored: at least 1.
    let common: Int

    /// Whole pages that all choices begin with; the last common token is computed with each choice, for it has the first scores.
    var sharedPages: Int { (common - 1) / ScoreReader.pageSize }
    /// Pages of all choices together.
    var pages: Int { choices.reduce(sharedPages) { $0 + ScoreReader.pages($1.count) - sharedPages } }
}

/// Puts questions before a model.
private struct Prompter {
    let model: ComparedModel
    let style: ChoiceStyle
    let template: ChatTemplate?

    init(_ model: ComparedModel, _ style: ChoiceStyle) throws {
        self.model = model
        self.style = style
        template =
            style == .answer ? try model.files.template(model.tokenizer).map { try ChatTemplate($0) } : nil
    }

    func prepare(_ question: ChoiceQuestion, number: Int, context: Int) throws -> PreparedQuestion {
        let prompt = try prompt(question)
        let before = encode(prompt)
        let choices = question.choices.map { encode(prompt + $0) }
        // A tokenizer that puts an end token after a text would put it after each.
        let common = choices.map { zip($0, before).prefix { $0 == $1 }.count }.min()!
        guard common >= 1, choices.allSatisfy({ $0.count > common }) else {
            throw EvaluationError.noTokenBeforeChoices(question: number + 1)
        }
        let longest = choices.map(\.count).max()!
        guard longest <= context else {
            throw EvaluationError.choiceTooLong(question: number + 1, tokens: longest, context: context)
        }
        return PreparedQuestion(choices: choices, common: common)
    }

    private func prompt(_ question: ChoiceQuestion) throws -> String {
        if style == .continuation { return question.question + question.beginning }
        guard let template else { return "Question: \(question.question)\nAnswer:\n" + question.beginning }
        let message = JSONValue.object([
            JSONValue.Member(key: "role", value: .string("user")),
            JSONValue.Member(key: "content", value: .string(question.question)),
        ])
        return try template.render(
            messages: [message], bosToken: model.tokenizer.bosToken, eosToken: model.tokenizer.eosToken)
            + question.beginning
    }

    private func encode(_ text: String) -> [Int32] {
        template == nil
            ? model.tokenizer.encode(text, special: false, addSpecialTokens: true)
            : model.tokenizer.encode(text, special: true, addSpecialTokens: false)
    }
}
