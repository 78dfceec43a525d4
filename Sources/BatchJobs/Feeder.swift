internal import Inference
internal import OpenAI

/// Decides before each step which prompts enter the engine.
///
/// Prompts enter in order of the plan, just enough to fill the step: whoever comes too early would keep pages waiting. The engine itself holds
/// back a prompt whose prefix is being computed, and lets those behind it go first. How many answers go on at once follows from what
/// steps are measured to cost and from the memory that answers are expected to take (after BatchLLM, memory-centric token batching: formed
/// by memory instead of a number of requests).
struct Feeder {
    /// One answer to be made.
    private final class Candidate {
        let work: LineWork
        let choice: Int
        let tokens: [Int32]
        /// Whether its prompt's scores are wanted, so that it is computed whole.
        let isWhole: Bool
        /// Tokens of the prompt that are expected to be computed.
        var rows = 0
        /// Pages it is expected to hold alone at its end.
        var pages = 0
        var isPrefilled = false

        init(_ work: LineWork, _ choice: Int) {
            self.work = work
            self.choice = choice
            tokens = work.task.prompt(ofChoice: choice)
            isWhole = work.task.scoresPrompt
        }
    }

    private let sharesPrefixes: Bool
    private let pageSize: Int
    private let tokenBudget: Int
    private let maximumRunning: Int
    /// In order of the plan.
    private var waiting: [Candidate] = []
    private var active: [Int: Candidate] = [:]
    private var nextID = 0
    /// Rows of prompts that entered and are not computed yet.
    private var owedRows = 0
    private var pagesInUse = 0
    private var lengths = LengthEstimate()
    private var inbox = Inbox()
    /// Lines that ended before they entered.
    private var ended: [LineWork] = []

    /// What the engine says during a step.
    private final class Inbox {
        var events: [(id: Int, outcome: Result<GenerationEvent, EngineError>)] = []
    }

    init(configuration: EngineConfiguration) {
        sharesPrefixes = configuration.sharesPrefixes
        pageSize = configuration.pageSize
        tokenBudget = configuration.tokenBudget
        maximumRunning = configuration.maximumRunning
    }

    var hasWork: Bool { !waiting.isEmpty || !active.isEmpty }
    /// Whether the plan should be read on.
    var wantsMore: Bool { waiting.count < 2 * maximumRunning }
    var activeCount: Int { active.count }

    mutating func add(_ work: LineWork) {
        for choice in 0..<work.task.choices { waiting.append(Candidate(work, choice)) }
    }

    // MARK: Before a step

    mutating func feed(_ engine: any JobEngine, end: [Int32]) {
        let decoding = active.values.count { $0.isPrefilled }
        let pages = engine.statistics.pages
        let most = min(maximumRunning, engine.rowsWorthwhile(atLeast: Self.leastRunning))
        var taken = 0
        while taken < waiting.count, active.count < most, owedRows < tokenBudget - decoding {
            let candidate = waiting[taken]
            if candidate.work.error == nil {
                estimate(candidate, engine, pages)
                guard active.isEmpty || pagesInUse + candidate.pages <= pages else { break }
                enter(candidate, engine, end)
            }
            taken += 1
        }
        waiting.removeFirst(taken)
    }

    /// Answers that go on at once at least, where memory allows: before much is measured, and where steps cost next to nothing by themselves.
    private static let leastRunning = 64

    /// What a candidate will cost, beside what others have computed or are computing.
    private func estimate(_ candidate: Candidate, _ engine: any JobEngine, _ pages: Int) {
        var shared = 0
        if sharesPrefixes, !candidate.isWhole {
            shared = engine.knownTokens(of: candidate.work.task.request(choice: candidate.choice, model: candidate.work.model))
                / pageSize
            for other in active.values where !other.isWhole {
                shared = sharedPages(candidate.tokens, other.tokens, atLeast: shared)
            }
        }
        candidate.rows = candidate.tokens.count - shared * pageSize
        let limit = candidate.work.task.maximumTokens ?? .max
        candidate.pages = min((candidate.rows + lengths.expected(limit) + pageSize - 1) / pageSize, pages)
    }

    /// Whole pages that two prompts have in common, or `known` where that is more. The last token of a prompt is always
    /// computed. Most prompts differ in the page that decides, which is looked at first.
    private func sharedPages(_ tokens: [Int32], _ other: [Int32], atLeast known: Int) -> Int {
        let limit = min(tokens.count - 1, other.count) / pageSize * pageSize
        let decisive = known * pageSize
        guard decisive < limit, tokens[decisive] == other[decisive] else { return known }
        var place = 0
        while place < limit, tokens[place] == other[place] { place += 1 }
        return max(place / pageSize, known)
    }

    private mutating func enter(_ candidate: Candidate, _ engine: any JobEngine, _ end: [Int32]) {
        let id = nextID
        nextID += 1
        let inbox = inbox
        do throws(EngineError) {
            let request = candidate.work.task.request(choice: candidate.choice, model: candidate.work.model)
            try engine.submit(request, id: id, endOfGeneration: end) { inbox.events.append((id, $0)) }
            active[id] = candidate
            owedRows += candidate.rows
            pagesInUse += candidate.pages
        } catch {
            if candidate.work.error == nil { ended.append(candidate.work) }
            candidate.work.error = APIError(error)
            giveUp(candidate.work, engine)
        }
    }

    // MARK: After a step

    /// Takes what the step brought and returns the lines that are complete.
    mutating func collect(_ engine: any JobEngine) -> [LineWork] {
        var complete = ended
        ended.removeAll()
        owedRows = max(0, owedRows - max(0, tokenBudget - active.values.count { $0.isPrefilled }))
        let events = inbox.events
        inbox.events.removeAll(keepingCapacity: true)
        for (id, outcome) in events {
            guard let candidate = active[id] else { continue }
            candidate.isPrefilled = true
            let isComplete = candidate.work.take(outcome, choice: candidate.choice)
            if case .success(.finished(_, let statistics)) = outcome { lengths.add(statistics.generatedTokens) }
            if isEnd(outcome) { leave(id) }
            if isComplete {
                complete.append(candidate.work)
                if candidate.work.error != nil { giveUp(candidate.work, engine) }
            }
        }
        // The estimate may drift where prefixes have left the cache; it begins anew where nothing is owed.
        if active.values.allSatisfy(\.isPrefilled) { owedRows = 0 }
        return complete
    }

    private func isEnd(_ outcome: Result<GenerationEvent, EngineError>) -> Bool {
        switch outcome {
        case .success(.finished), .failure: true
        case .success: false
        }
    }

    private mutating func leave(_ id: Int) {
        guard let candidate = active.removeValue(forKey: id) else { return }
        pagesInUse -= candidate.pages
    }

    /// Ends the choices of a line that are under way.
    private mutating func giveUp(_ work: LineWork, _ engine: any JobEngine) {
        for (id, candidate) in active where candidate.work === work {
            leave(id)
            engine.cancel(id: id)
        }
    }
}

/// How long answers become, judged by those that are finished.
struct LengthEstimate {
    private var count = 0
    private var tokens = 0

    mutating func add(_ length: Int) {
        count += 1
        tokens += length
    }

    /// Tokens to plan for where a request allows `limit`: short limits whole, long ones by experience with a margin. The
    /// engine copes with too little by preemption, at the price of computing again.
    func expected(_ limit: Int) -> Int {
        if limit <= 256 { return limit }
        let mean = count == 0 ? 256 : tokens / count
        return min(limit, max(64, mean + mean / 2))
    }
}
