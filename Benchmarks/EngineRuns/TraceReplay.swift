internal import Apus
internal import Foundation
internal import Inference

/// Sends each request of a workload, a line of JSON {"at": seconds, "prompt": [tokens], "output": tokens}, when its time has come, and
/// notes when each token arrives. Then every request runs alone in an engine that shares nothing, and the answers are compared to the bit.
enum TraceReplay {
    private struct Request: Decodable, Sendable {
        let at: Double
        let prompt: [Int32]
        let output: Int
    }

    private struct Answer: Sendable {
        var ids: [Int32] = []
        var logprobs: [UInt32] = []
        var times: [Double] = []
    }

    private struct Report: Encodable {
        var seconds: Double
        var times: [[Double]]
        var prompt_tokens: Int
        var prefilled_tokens: Int
        var preemptions: Int
        var mean_rows: Double
        var compared: Int
        var different: Int
    }

    static func run(_ arguments: [String]) async throws {
        func number(_ place: Int, or other: Int) -> Int {
            arguments.count > place ? Int(arguments[place]) ?? other : other
        }
        let text = try String(contentsOfFile: arguments[1], encoding: .utf8)
        let requests = try text.split(separator: "\n").map { try JSONDecoder().decode(Request.self, from: Data($0.utf8)) }
        var configuration = EngineConfiguration()
        configuration.threads = number(2, or: 2)
        configuration.maximumRunning = number(3, or: 64)
        let target = number(4, or: 0)
        configuration.targetITL = target > 0 ? .milliseconds(target) : nil
        let model = try LanguageModel.load(arguments[0], configuration: configuration)
        let engine = model.engine

        let begin = ContinuousClock.now
        let answers = try await withThrowingTaskGroup(of: (Int, Answer).self) { group in
            for (index, request) in requests.enumerated() {
                group.addTask {
                    try await Task.sleep(until: begin + .seconds(request.at), clock: .continuous)
                    return (index, try await ask(engine, request, since: begin))
                }
            }
            var answers = [Answer](repeating: Answer(), count: requests.count)
            for try await (index, answer) in group { answers[index] = answer }
            return answers
        }
        let taken = (ContinuousClock.now - begin).seconds
        let statistics = engine.statistics

        configuration.sharesPrefixes = false
        configuration.maximumRunning = 1
        configuration.targetITL = nil
        let plain = try Engine(model: engine.model, configuration: configuration)
        var different = 0
        for (request, answer) in zip(requests, answers) {
            let alone = try await ask(plain, request, since: begin)
            if alone.ids != answer.ids || alone.logprobs != answer.logprobs { different += 1 }
        }
        let report = Report(
            seconds: taken, times: answers.map(\.times), prompt_tokens: requests.reduce(0) { $0 + $1.prompt.count },
            prefilled_tokens: statistics.prefilledTokens, preemptions: statistics.preemptions,
            mean_rows: statistics.meanRows, compared: requests.count, different: different)
        print(String(decoding: try JSONEncoder().encode(report), as: UTF8.self))
    }

    private static func ask(
        _ engine: Engine, _ request: Request, since begin: ContinuousClock.Instant
    ) async throws -> Answer {
        var sampling = SamplingParameters.greedy
        sampling.ignoresEndOfGeneration = true
        sampling.logprobs = 0
        var answer = Answer()
        let events = try engine.submit(
            GenerationRequest(prompt: request.prompt, sampling: sampling, maximumTokens: request.output))
        for try await event in events {
            guard case .token(let token) = event else { continue }
            answer.times.append((ContinuousClock.now - begin).seconds)
            answer.ids.append(token.id)
            answer.logprobs.append(token.logprob!.bitPattern)
        }
        return answer
    }
}
