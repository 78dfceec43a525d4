internal import Inference
internal import OpenAI

/// A line that is being answered: its task and what its choices have brought so far.
final class LineWork {
    let line: Int
    let customID: String
    let task: GenerationTask
    let model: ServedModel
    var choices: [ChoiceAssembler]
    /// Why it has no answer; its other choices are then given up.
    var error: APIError?
    private var unfinished: Int

    init(line: Int, customID: String, task: GenerationTask, model: ServedModel) {
        self.line = line
        self.customID = customID
        self.task = task
        self.model = model
        choices = (0..<task.choices).map { ChoiceAssembler(task, choice: $0, model: model) }
        unfinished = task.choices
    }

    /// Takes what the engine says of a choice. Returns whether the line is now complete.
    func take(_ outcome: Result<GenerationEvent, EngineError>, choice: Int) -> Bool {
        switch outcome {
        case .success(let event):
            _ = choices[choice].take(event)
            if choices[choice].isFinished { unfinished -= 1 }
            return choices[choice].isFinished && unfinished == 0
        case .failure(let failure):
            error = APIError(failure)
            return true
        }
    }
}
