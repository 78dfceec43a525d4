import Apus
import Foundation
import Inference

// TraceReplay MODEL WORKLOAD [threads] [most running] [target ms, 0 for none]: sends each request of the workload, a line of JSON
// {"at": seconds, "prompt": [tokens], "output": tokens}, when its time has come, and notes when each token arrives. Then every request runs
// alone in an engine that shares nothing, and the answers are compared to the bit. Prints one JSON object.

struct Request: Decodable, Sendable {
    let at: Double
    let prompt: [Int32]
    let output: Int
}

struct Answer: Sendable {
    var ids: [Int32] = []
    var logprobs: [UInt32] = []
    var times: [Double] = []
    var cached = 0
}

func seconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
}

func number(_ place: Int, or other: Int) -> Int {
    CommandLine.arguments.count > place ? Int(CommandLine.arguments[place]) ?? other : other
}

guard CommandLine.arguments.count >= 3 else {
    fatalError("usage: TraceReplay MODEL WORKLOAD [threads] [most running] [target ms]")
}
let text = try String(contentsOfFile: CommandLine.arguments[2], encoding: .utf8)
let requests = try text.split(separator: "\n").map { try JSONDecoder().decode(Request.self, from: Data($0.utf8)) }
var configuration = EngineConfiguration()
configuration.threads = number(3, or: 2)
configuration.maximumRunning = number(4, or: 64)
configuration.targetITL = number(5, or: 0) > 0 ? .milliseconds(number(5, or: 0)) : nil
let model = try LanguageModel.load(CommandLine.arguments[1], configuration: configuration)

func ask(_ engine: Engine, _ request: Request, since begin: ContinuousClock.Instant) async throws -> Answer {
    var sampling = SamplingParameters.greedy
    sampling.ignoresEndOfGeneration = true
    sampling.logprobs = 0
    var answer = Answer()
    let events = try engine.submit(
        GenerationRequest(prompt: request.prompt, sampling: sampling, maximumTokens: request.output))
    for try await event in events {
        switch event {
        case .token(let token):
            answer.times.append(seconds(.now - begin))
            answer.ids.append(token.id)
            answer.logprobs.append(token.logprob!.bitPattern)
        case .finished(_, let statistics): answer.cached = statistics.cachedTokens
        case .prompt: break
        }
    }
    return answer
}

let begin = ContinuousClock.now
let answers = try await withThrowingTaskGroup(of: (Int, Answer).self) { group in
    for (index, request) in requests.enumerated() {
        group.addTask {
            try await Task.sleep(until: begin + .seconds(request.at), clock: .continuous)
            return (index, try await ask(model.engine, request, since: begin))
        }
    }
    var answers = [Answer](repeating: Answer(), count: requests.count)
    for try await (index, answer) in group { answers[index] = answer }
    return answers
}
let taken = seconds(.now - begin)
let statistics = model.engine.statistics

configuration.sharesPrefixes = false
configuration.maximumRunning = 1
configuration.targetITL = nil
configuration.cacheBytes = nil
let plain = try Engine(model: model.engine.model, configuration: configuration)
var different = 0
for (request, answer) in zip(requests, answers) {
    let alone = try await ask(plain, request, since: begin)
    if alone.ids != answer.ids || alone.logprobs != answer.logprobs { different += 1 }
}

struct Report: Encodable {
    var seconds: Double
    var times: [[Double]]
    var prompt_tokens: Int
    var prefilled_tokens: Int
    var preemptions: Int
    var mean_rows: Double
    var compared: Int
    var different: Int
}
let report = Report(
    seconds: taken, times: answers.map(\.times), prompt_tokens: requests.reduce(0) { $0 + $1.prompt.count },
    prefilled_tokens: statistics.prefilledTokens, preemptions: statistics.preemptions, mean_rows: statistics.meanRows,
    compared: requests.count, different: different)
print(String(decoding: try JSONEncoder().encode(report), as: UTF8.self))
