import Foundation
import Inference
import Testing

/// One case that `Workshop/Sampling/goldens.py` made with Hugging Face transformers.
struct SamplingGolden: Decodable, CustomTestStringConvertible, Sendable {
    struct Parameters: Decodable {
        var temperature: Float?
        var topK: Int?
        var topP: Float?
        var minP: Float?
        var typicalP: Float?
        var repetitionPenalty: Float?
        var noRepeatNGram: Int?
        var badWords: [[Int32]]?
        var minTokens: Int?
        var stopTokens: [Int32]?
        var order: [String]?
    }

    let name: String
    let parameters: Parameters
    let scores: [Float]
    let history: [Int32]
    let prompt: Int
    let probabilities: [Double]

    var testDescription: String { name }

    static func load() throws -> [SamplingGolden] {
        let url = try #require(
            Bundle.module.url(forResource: "sampling", withExtension: "json", subdirectory: "Goldens"))
        return try JSONDecoder().decode([SamplingGolden].self, from: Data(contentsOf: url))
    }

    func request() throws -> SamplingParameters {
        var request = SamplingParameters()
        if let value = parameters.temperature { request.temperature = value }
        if let value = parameters.topK { request.topK = value }
        if let value = parameters.topP { request.topP = value }
        if let value = parameters.minP { request.minP = value }
        if let value = parameters.typicalP { request.typicalP = value }
        if let value = parameters.repetitionPenalty { request.repetitionPenalty = value }
        if let value = parameters.noRepeatNGram { request.noRepeatNGram = value }
        if let value = parameters.badWords { request.badWords = value }
        if let value = parameters.minTokens { request.minTokens = value }
        if let value = parameters.stopTokens { request.stopTokens = value }
        if let value = parameters.order { request.order = try value.map { try SamplingStageName(name: $0) } }
        return request
    }
}

@Test func samplingMatchesTransformers() throws {
    let goldens = try SamplingGolden.load()
    #expect(goldens.count == 40)
    for golden in goldens {
        let ours = try distribution(
            golden.scores, try golden.request(), prompt: Array(golden.history[..<golden.prompt]),
            generated: Array(golden.history[golden.prompt...]))
        #expect(isClose(ours, golden.probabilities, tolerance: 2e-6), "\(golden.name)")
        let survivors = golden.probabilities.indices.filter { golden.probabilities[$0] > 0 }
        #expect(ours.indices.filter { ours[$0] > 0 } == survivors, "\(golden.name)")
    }
}

/// Which tokens seeds give: these may never change, on any machine.
@Test func drawsAreTheAddressedOnes() throws {
    struct Draws: Decodable {
        let seed: String
        let sample: UInt32
        let scores: [Float]
        let tokens: [Int32]
    }
    let url = try #require(Bundle.module.url(forResource: "draws", withExtension: "json", subdirectory: "Goldens"))
    let goldens = try JSONDecoder().decode([Draws].self, from: Data(contentsOf: url))
    #expect(goldens.count == 3)
    for golden in goldens {
        let request = parameters {
            $0.temperature = 1.5
            $0.topP = 0.9
            $0.order = [.temperature, .topP]
        }
        let seed = try #require(UInt64(golden.seed))
        let tokens = try golden.tokens.indices.map {
            try choose(golden.scores, request, seed: seed, sample: golden.sample, position: $0).id
        }
        #expect(tokens == golden.tokens)
    }
}
