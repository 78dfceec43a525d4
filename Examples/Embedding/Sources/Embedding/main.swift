import Apus

let model = try LanguageModel.load("builtin:stories")
var options = GenerationOptions(maximumTokens: 100, seed: 1, stop: ["\n\n"])
options.sampling.temperature = 0.6

print("Once upon a time", terminator: "")
for try await event in try model.generate("Once upon a time", options: options) {
    switch event {
    case .text(let piece): print(piece.text, terminator: "")
    case .finished(let result): print(result.rest)
    }
}
