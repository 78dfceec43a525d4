internal import Text

/// A file of questions: one JSON object a line with `question`, `choices` and `answer`.
///
/// `choices` are texts; a choice is joined to what comes before it by a space, unless one of the two has white space there. `answer` is the
/// index of the right choice from 0, its text, or its letter (`A` for the first). `beginning` and `group` are optional.
public enum ChoiceFile {
    /// - Parameters:
    ///   - bytes: the file's contents, UTF-8; empty lines do not count.
    ///   - file: its name, for errors.
    /// - Throws: ``EvaluationError/question(file:line:reason:)``
    public static func questions(_ bytes: [UInt8], file: String) throws(EvaluationError) -> [ChoiceQuestion] {
        var questions: [ChoiceQuestion] = []
        for (number, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            if line.allSatisfy({ $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\r") || $0 == UInt8(ascii: "\t") }) {
                continue
            }
            func failure(_ reason: String) -> EvaluationError { .question(file: file, line: number + 1, reason: reason) }
            let value: JSONValue
            do throws(JSONError) { value = try JSONValue(parsing: Array(line)) } catch {
                throw failure("this is no JSON object (\(error)); write one object a line")
            }
            guard let question = value["question"]?.stringValue, !question.isEmpty else {
                throw failure("there is no text under \"question\"")
            }
            guard let listed = value["choices"]?.arrayValue else { throw failure("there is no list under \"choices\"") }
            var beginning = ""
            if let given = value["beginning"], !given.isNull {
                guard let text = given.stringValue else { throw failure("\"beginning\" is no text") }
                beginning = text
            }
            var choices: [String] = []
            for choice in listed {
                guard let text = choice.stringValue, !text.isEmpty else {
                    throw failure("choice \(choices.count) is no text, or an empty one")
                }
                choices.append(text)
            }
            guard choices.count >= 2 else { throw failure("there are \(choices.count) choices; give at least 2") }
            guard Set(choices).count == choices.count else { throw failure("two choices are the same") }
            guard let answer = value["answer"].flatMap({ index($0, choices) }) else {
                throw failure(
                    "\"answer\" is neither an index from 0 to \(choices.count - 1), nor one of the choices, nor its letter")
            }
            let before = beginning.isEmpty ? question : beginning
            questions.append(
                ChoiceQuestion(
                    question: question, beginning: beginning, choices: choices.map { joined($0, after: before) },
                    answer: answer, group: value["group"]?.stringValue ?? ""))
        }
        guard !questions.isEmpty else {
            throw .question(file: file, line: 1, reason: "there is no question; write one JSON object a line")
        }
        return questions
    }

    private static func joined(_ choice: String, after text: String) -> String {
        choice.first!.isWhitespace || text.last!.isWhitespace ? choice : " " + choice
    }

    private static func index(_ answer: JSONValue, _ choices: [String]) -> Int? {
        if let index = answer.intValue { return choices.indices.contains(index) ? index : nil }
        guard let text = answer.stringValue else { return nil }
        if let index = choices.firstIndex(of: text) { return index }
        guard text.utf8.count == 1, let letter = text.utf8.first, letter >= UInt8(ascii: "A") else { return nil }
        let index = Int(letter - UInt8(ascii: "A"))
        return choices.indices.contains(index) ? index : nil
    }
}
