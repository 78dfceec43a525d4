import Testing
import Text

@Suite struct JSONValueTests {
    func parse(_ text: String) throws -> JSONValue { try JSONValue(parsing: Array(text.utf8)) }

    @Test func keepsOrderAndCanonicallyEqualKeys() throws {
        let value = try parse("{\"b\": 1, \"e\\u0301\": 2, \"\u{e9}\": 3, \"a\": [true, null, -2.5e1]}")
        #expect(value.objectValue?.count == 4)
        #expect(value["e\u{301}"]?.intValue == 2)
        #expect(value["\u{e9}"]?.intValue == 3)
        #expect(value["a"]?.arrayValue?[2].doubleValue == -25)
    }

    @Test func escapes() throws {
        #expect(try parse("\"\\ud83d\\ude00\\n\\u00e9\"").stringValue == "😀\n\u{e9}")
        #expect(try parse("\"\\ud83d!\"").stringValue == "\u{FFFD}!")
    }

    @Test(arguments: ["", "{", "[1,]", "{\"a\" 1}", "\"abc", "tru", "1 2", "\"\\x\"", "+1", "[\u{1}]"])
    func refuses(_ text: String) {
        #expect(throws: JSONError.self) { try parse(text) }
    }

    @Test func refusesDeepNesting() {
        #expect(throws: JSONError.self) { try parse(String(repeating: "[", count: 100_000)) }
    }
}
