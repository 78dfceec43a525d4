import Foundation
import Testing
import Text

private let clock = TemplateTime(year: 2026, month: 3, day: 7, hour: 9, minute: 5, second: 3)

@Suite struct ChatTemplateTests {
    static let parts = [
        "access", "chat", "json", "literals", "loops", "macros", "numbers", "operators", "refusals", "sequences",
        "set-and-scope", "tests", "text-filters", "text-methods", "time", "undefined", "whitespace",
    ]

    /// Small templates for each part of the language, with what jinja2 makes of them.
    @Test(arguments: parts) func rendersAsJinja(part: String) throws {
        let url = try #require(
            Bundle.module.url(forResource: part, withExtension: "json", subdirectory: "Goldens/templates"))
        let golden = try JSONValue(parsing: [UInt8](Data(contentsOf: url)))
        let chats = try #require(golden["chats"]?.arrayValue)
        let cases = try #require(golden["cases"]?.arrayValue)
        #expect(!cases.isEmpty)
        for entry in cases {
            let source = try #require(entry["template"]?.stringValue)
            let chat = chats[try #require(entry["chat"]?.intValue)]
            let outcome = Result { () throws(TemplateError) in
                try ChatTemplate(source).render(
                    messages: chat["messages"]?.arrayValue ?? [], tools: chat["tools"]?.arrayValue,
                    documents: chat["documents"]?.arrayValue,
                    addGenerationPrompt: chat["add_generation_prompt"]?.boolValue ?? true,
                    variables: chat["variables"]?.objectValue ?? [], now: clock)
            }
            let problem = difference(outcome, entry)
            #expect(problem == nil, "\(source)")
        }
    }
}
