import Foundation
import Testing
import Text

private let environment = ProcessInfo.processInfo.environment

/// A sequence of numbers that only looks random.
private struct Numbers {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(max(bound, 1))) }
}

private let fragments: [[UInt8]] = [
    "{%", "%}", "{{", "}}", "{#", "#}", "-%}", "{%-", "{% endfor %}", "{% endif %}", "{% else %}", "{% for i in ", "[",
    "]", "(", ")", "{", "}", "|", "|tojson", "|list", "|map(attribute='a')", ".", ",", ":", "'", "\"", "\\", " is ",
    " not ", " in ", " if ", " else ", " and ", "loop", "loop.changed(", "messages", "namespace(", "[::-1]", "[1:",
    "9223372036854775807", "-1", "0", "1e308", "%", "%s", "{}", "**", "*", "//", "~", "{% set ", "{% macro m() %}",
    "{% endmacro %}", "{% call m() %}", "{% break %}", "{% raw %}", "é", "\u{2028}", "😀", "none", "range(",
    ".split(",
    ".items()", "recursive", "=", "==", "<", "\n", "{% generation %}", ".format(", "|batch(", "|round(", "|int(",
].map { Array($0.utf8) }

private func mutated(_ sources: [[UInt8]], _ numbers: inout Numbers) -> String {
    var bytes = sources[numbers.below(sources.count)]
    for _ in 0...numbers.below(4) {
        let place = numbers.below(bytes.count + 1)
        let end = min(bytes.count, place + numbers.below(numbers.below(8) == 0 ? 200 : 8))
        switch numbers.below(6) {
        case 0: bytes.removeSubrange(place..<end)
        case 1: bytes.insert(contentsOf: bytes[place..<end], at: numbers.below(bytes.count + 1))
        case 2: bytes.insert(contentsOf: fragments[numbers.below(fragments.count)], at: place)
        case 3: bytes.replaceSubrange(place..<end, with: fragments[numbers.below(fragments.count)])
        case 4 where place < bytes.count: bytes[place] = UInt8(truncatingIfNeeded: numbers.next())
        default:
            let other = sources[numbers.below(sources.count)]
            let start = numbers.below(other.count)
            bytes.insert(contentsOf: other[start..<min(other.count, start + numbers.below(60))], at: place)
        }
    }
    return String(decoding: bytes, as: UTF8.self)
}

/// Broken templates end in text or in an error, never in a trap. `APUS_FUZZ` sets the count; with `APUS_TEMPLATES`
/// the templates of that corpus are broken instead of our own.
@Suite struct ChatTemplateFuzzTests {
    @Test func brokenTemplatesNeverTrap() throws {
        var sources: [[UInt8]] = []
        var chats: [JSONValue] = []
        if let folder = environment["APUS_TEMPLATES"] {
            let url = URL(fileURLWithPath: folder + "/corpus.json")
            let corpus = try JSONValue(parsing: [UInt8](Data(contentsOf: url)))
            sources = (corpus["templates"]?.arrayValue ?? []).map { Array(($0["source"]?.stringValue ?? "").utf8) }
            chats = corpus["cases"]?.arrayValue ?? []
        } else {
            for part in ChatTemplateTests.parts {
                let url = try #require(
                    Bundle.module.url(forResource: part, withExtension: "json", subdirectory: "Goldens/templates"))
                let golden = try JSONValue(parsing: [UInt8](Data(contentsOf: url)))
                let cases = golden["cases"]?.arrayValue ?? []
                sources += cases.map { Array(($0["template"]?.stringValue ?? "").utf8) }
                chats += golden["chats"]?.arrayValue ?? []
            }
        }
        var limits = TemplateLimits()
        (limits.steps, limits.memoryBytes, limits.outputBytes) = (20_000, 4 << 20, 1 << 20)
        var numbers = Numbers(state: environment["APUS_FUZZ_SEED"].flatMap(UInt64.init) ?? 1)
        let count = environment["APUS_FUZZ"].flatMap(Int.init) ?? 3000
        var (unreadable, failed, rendered) = (0, 0, 0)
        for _ in 0..<count {
            let source = mutated(sources, &numbers)
            let chat = chats[numbers.below(chats.count)]
            if let path = environment["APUS_FUZZ_LAST"] { try Data(source.utf8).write(to: URL(fileURLWithPath: path)) }
            guard let template = try? ChatTemplate(source, limits: limits) else {
                unreadable += 1
                continue
            }
            let text = try? template.render(
                messages: chat["messages"]?.arrayValue ?? [], tools: chat["tools"]?.arrayValue,
                documents: chat["documents"]?.arrayValue, variables: chat["variables"]?.objectValue ?? [])
            if text == nil { failed += 1 } else { rendered += 1 }
        }
        print("broken templates: \(unreadable) unreadable, \(failed) failed, \(rendered) rendered")
        #expect(unreadable + failed + rendered == count)
        #expect(min(unreadable, failed, rendered) > 0)
    }
}
