import Foundation
import Testing
import Text

/// Templates of real models against what jinja2 makes of them. The templates are others' work and not part of this
/// project: `Workshop/Templates/compare.py` reads them from a folder and writes the `corpus.json` that the environment
/// variable names the folder of.
private let corpusFolder = ProcessInfo.processInfo.environment["APUS_TEMPLATES"]

@Suite struct ChatTemplateCorpusTests {
    @Test(.enabled(if: corpusFolder != nil)) func realTemplatesRenderAsJinjaRendersThem() throws {
        let path = try #require(corpusFolder) + "/corpus.json"
        let corpus = try JSONValue(parsing: [UInt8](Data(contentsOf: URL(fileURLWithPath: path))))
        let cases = try #require(corpus["cases"]?.arrayValue)
        var pairs = 0
        var mismatches: [String] = []
        var kinds: [String: Int] = [:]
        for entry in try #require(corpus["templates"]?.arrayValue) {
            let name = entry["name"]?.stringValue ?? ""
            let template = Result { () throws(TemplateError) in
                try ChatTemplate(entry["source"]?.stringValue ?? "")
            }
            for (conversation, expected) in zip(cases, entry["outcomes"]?.arrayValue ?? []) {
                pairs += 1
                let outcome = render(template, conversation)
                kinds[expected["error"]?.stringValue ?? "output", default: 0] += 1
                if let problem = difference(outcome, expected) {
                    let label = "\(name) · \(conversation["name"]?.stringValue ?? "")"
                    mismatches.append("\(label) · \(conversation["variables"]?.objectValue?.count ?? 0): \(problem)")
                }
            }
        }
        print("templates against jinja2: \(pairs) pairs, \(mismatches.count) mismatches, \(kinds)")
        for mismatch in mismatches.prefix(40) { print(mismatch) }
        #expect(mismatches.isEmpty)
    }
}

private func render(
    _ template: Result<ChatTemplate, TemplateError>, _ conversation: JSONValue
) -> Result<String, TemplateError> {
    Result { () throws(TemplateError) in
        try template.get().render(
            messages: conversation["messages"]?.arrayValue ?? [], tools: conversation["tools"]?.arrayValue,
            documents: conversation["documents"]?.arrayValue,
            addGenerationPrompt: conversation["add_generation_prompt"]?.boolValue ?? true,
            variables: conversation["variables"]?.objectValue ?? [],
            now: TemplateTime(year: 2026, month: 3, day: 7, hour: 9, minute: 5, second: 3))
    }
}

/// Nil where the outcome is the expected one: the same text, the template's own refusal in the same words, or some
/// other failure where jinja2 fails.
func difference(_ outcome: Result<String, TemplateError>, _ expected: JSONValue) -> String? {
    switch outcome {
    case .success(let text):
        guard let output = expected["output"]?.stringValue else {
            return "rendered, but jinja2 fails: \(expected["message"]?.stringValue ?? "")"
        }
        if Array(text.utf8) == Array(output.utf8) { return nil }
        let shared = zip(text.utf8, output.utf8).prefix { $0 == $1 }.count
        let from = max(0, shared - 20)
        return "differs at byte \(shared): \(excerpt(text, from).debugDescription) instead of "
            + excerpt(output, from).debugDescription
    case .failure(let error):
        guard let kind = expected["error"]?.stringValue else { return "fails: \(error)" }
        let isRefusal = if case .raised = error { true } else { false }
        guard isRefusal == (kind == "raised") else { return "fails with \(error) instead of \(kind)" }
        return !isRefusal || error.message == expected["message"]?.stringValue ? nil : "refuses with \(error)"
    }
}

private func excerpt(_ text: String, _ from: Int) -> String {
    String(decoding: Array(text.utf8).dropFirst(from).prefix(70), as: UTF8.self)
}
