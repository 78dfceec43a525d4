import Testing

@testable import Apus

/// Stop texts in a stream against a search of the whole text.
@Suite struct StopMatcherTests {
    /// The text before the stop text that is complete first, the longest of those that are complete at once.
    private func reference(_ text: [UInt8], _ stops: [[UInt8]]) -> (before: [UInt8], found: Bool) {
        for end in text.indices.map({ $0 + 1 }) {
            let complete = stops.filter { text[..<end].suffix($0.count).elementsEqual($0) }
            if let longest = complete.max(by: { $0.count < $1.count }) {
                return (Array(text[..<(end - longest.count)]), true)
            }
        }
        return (text, false)
    }

    private func stream(_ pieces: [String], _ stops: [String]) -> (text: String, found: Bool) {
        var matcher = StopMatcher(stops)
        var text = ""
        for piece in pieces { text += matcher.push(piece) }
        let found = matcher.isComplete
        return (text + matcher.finish(), found)
    }

    @Test func findsTextsThatSpanPieces() {
        #expect(stream(["ab", "c", "def"], ["cd"]) == ("ab", true))
        #expect(stream(["ab", "c", "xdef"], ["cd"]) == ("abcxdef", false))
        #expect(stream(["aab", "aac"], ["aabaac"]) == ("", true))
        #expect(stream(["aaa", "aab"], ["aab"]) == ("aaa", true))
        #expect(stream(["half of the st"], ["stop"]) == ("half of the st", false))
        #expect(stream([], ["stop"]) == ("", false))
        #expect(stream(["as it is"], []) == ("as it is", false))
    }

    @Test func theFirstCompleteTextWins() {
        #expect(stream(["xabcd"], ["bc", "abcd"]) == ("xa", true))
        #expect(stream(["xab", "cd"], ["bc", "abc"]) == ("x", true))
        #expect(stream(["xab", "c"], ["b", "abc"]) == ("xa", true))
        // What is held for a longer text that does not come hides no shorter one.
        #expect(stream(["éb", "a"], ["a", "baéb"]) == ("éb", true))
        #expect(stream(["x\u{E9}y"], ["\u{E9}"]) == ("x", true))
        // Equal by canonical equivalence is not equal byte for byte.
        #expect(stream(["xe\u{301}y"], ["\u{E9}"]) == ("xe\u{301}y", false))
    }

    @Test func nothingFollowsAStop() {
        var matcher = StopMatcher(["."])
        #expect(matcher.push("One. Two") == "One")
        #expect(matcher.push("Three") == "")
        #expect(matcher.finish() == "")
    }

    /// A small alphabet makes near misses and overlaps common.
    @Test func agreesWithASearchOfTheWholeText() {
        var generator = Generator(state: 1)
        for _ in 0..<3000 {
            let text = String(
                (0..<Int.random(in: 0...24, using: &generator)).map { _ in "abé".randomElement(using: &generator)! })
            let stops = (0..<Int.random(in: 0...3, using: &generator)).map { _ in
                String(
                    (0..<Int.random(in: 1...4, using: &generator)).map { _ in "abé".randomElement(using: &generator)! })
            }
            var pieces: [String] = []
            var rest = Substring(text)
            while !rest.isEmpty {
                let count = Int.random(in: 0...5, using: &generator)
                pieces.append(String(rest.prefix(count)))
                rest = rest.dropFirst(count)
            }
            let found = stream(pieces, stops)
            let expected = reference(Array(text.utf8), stops.map { Array($0.utf8) })
            #expect(Array(found.text.utf8) == expected.before, "\(pieces) \(stops)")
            #expect(found.found == expected.found, "\(pieces) \(stops)")
        }
    }
}

/// SplitMix64: the same cases on each run.
struct Generator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
