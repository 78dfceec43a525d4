import Apus
import Conversation
import Inference
import Testing

private func settings(_ options: GenerationOptions = GenerationOptions()) throws -> ChatSettings {
    try ChatSettings(options, vocabulary: SamplingVocabulary(size: 100, endOfGeneration: [1]))
}

private typealias Turn = Transcript.Turn

@Suite struct TranscriptTests {
    private let transcript = Transcript(
        system: "Be brief.",
        turns: [
            Turn(role: "user", content: "a"), Turn(role: "assistant", content: "b", sample: 2),
            Turn(role: "user", content: "c"), Turn(role: "assistant", content: "d", isStopped: true, sample: 4),
        ])

    @Test func messages() {
        #expect(transcript.messages.map(\.role) == ["system", "user", "assistant", "user", "assistant"])
        #expect(transcript.messages.map(\.content) == ["Be brief.", "a", "b", "c", "d"])
        #expect(transcript.text == "system: Be brief.\n\nyou: a\n\nmodel: b\n\nyou: c\n\nmodel: d [stopped]")
    }

    @Test func undoes() {
        var shorter = transcript
        #expect(shorter.undo().map(\.content) == ["c", "d"])
        #expect(shorter.undo().map(\.content) == ["a", "b"])
        #expect(shorter.undo().isEmpty && shorter.system == "Be brief.")
    }

    @Test func nextSample() throws {
        let next = try #require(transcript.beforeNextSample())
        #expect(next.sample == 5 && next.transcript.turns.map(\.content) == ["a", "b", "c"])
        let unanswered = try #require(next.transcript.beforeNextSample())
        #expect(unanswered.sample == 0 && unanswered.transcript == next.transcript)
        #expect(Transcript(system: "x").beforeNextSample() == nil)
    }
}

@Suite struct ConversationFileTests {
    @Test func roundTrip() throws {
        let transcript = Transcript(
            system: "quotes \" and \\ and\nlines\t\u{1}\u{7F}",
            turns: [
                Turn(role: "user", content: "漢字 👨‍👩‍👧‍👦 e\u{301} \u{2028} </s>"),
                Turn(role: "assistant", content: "", isStopped: true, sample: 3), Turn(role: "user", content: "{}"),
            ])
        var options = GenerationOptions(maximumTokens: 12, seed: UInt64.max)
        options.sampling.temperature = 0.1
        options.sampling.topP = 0.95
        options.sampling.penaltyLastN = 64
        options.sampling.adaptiveTarget = nil
        options.sampling.order = [.topP, .penalties, .temperature]
        options.sampling.ignoresEndOfGeneration = true
        let saved = try settings(options)
        let file = try ConversationFile(
            parsing: ConversationFile.bytes(model: "a\"b", transcript, saved), file: "f")
        #expect(file.model == "a\"b" && file.transcript == transcript)
        var loaded = try settings()
        try loaded.set(file.settings.map { ($0.name, $0.value) })
        #expect(loaded.listings == saved.listings)
        #expect(loaded.options.sampling == saved.options.sampling && loaded.options.seed == .max)
        #expect(loaded.options.maximumTokens == 12)
    }

    @Test func systemAsFirstMessage() throws {
        let text = #"{"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]}"#
        let file = try ConversationFile(parsing: Array(text.utf8), file: "f")
        #expect(file.transcript == Transcript(system: "s", turns: [Turn(role: "user", content: "u")]))
        #expect(file.model == nil && file.settings.isEmpty)
    }

    @Test(arguments: [
        ("[]", "f: this is no saved conversation: it is not a JSON object."),
        ("{}", "f: this is no saved conversation: it has no messages."),
        (#"{"messages": 1}"#, "f: messages is no array."), (#"{"messages": [1]}"#, "f: messages[0] is no object."),
        (#"{"messages": [{"content": "x"}]}"#, "f: messages[0] has no role."),
        (#"{"messages": [{"role": "user"}]}"#, "f: messages[0] has no content."),
        (#"{"messages": [{"role": "user", "content": 3}]}"#, "f: messages[0].content is no text."),
        (
            #"{"messages": [{"role": "robot", "content": ""}]}"#,
            "f: messages[0].role is 'robot', but must be user or assistant (or system, for a first message)."
        ),
        (
            #"{"messages": [{"role": "user", "content": "", "stopped": 1}]}"#,
            "f: messages[0].stopped is neither true nor false."
        ),
        (
            #"{"messages": [{"role": "user", "content": "", "sample": -1}]}"#,
            "f: messages[0].sample is no whole number from 0 to 4294967295."
        ),
        (#"{"messages": [], "system": []}"#, "f: system is no text."),
        (#"{"messages": [], "settings": []}"#, "f: settings is no object."),
        (#"{"messages": [], "settings": {"top-k": []}}"#, "f: settings.top-k is neither a number nor a text."),
    ])
    func broken(_ text: String, _ sentence: String) {
        #expect(throws: ChatError(sentence)) { try ConversationFile(parsing: Array(text.utf8), file: "f") }
    }

    /// No prefix of a file is taken for the whole.
    @Test func cutShort() throws {
        let bytes = ConversationFile.bytes(
            model: "m", Transcript(turns: [Turn(role: "user", content: "漢")]), try settings())
        for length in 0..<(bytes.count - 2) {
            #expect(throws: ChatError.self) { try ConversationFile(parsing: Array(bytes[..<length]), file: "f") }
        }
    }
}

@Suite struct ChatSettingsTests {
    @Test func changes() throws {
        var changed = try settings()
        try changed.set("temperature", to: "0.5")
        try changed.set("top-k", to: "40")
        try changed.set("max-tokens", to: "7")
        try changed.set("ignore-eos", to: "on")
        try changed.set("samplers", to: "top_k, temperature")
        try changed.set("seed", to: "18446744073709551615")
        #expect(changed.options.sampling.temperature == 0.5 && changed.options.sampling.topK == 40)
        #expect(changed.options.maximumTokens == 7 && changed.options.sampling.ignoresEndOfGeneration)
        #expect(changed.options.sampling.order == [.topK, .temperature] && changed.options.seed == .max)
        try changed.set("max-tokens", to: "off")
        #expect(changed.options.maximumTokens == nil)
        #expect(changed.listings.map(\.name) == ChatSettings.names)
    }

    @Test(arguments: [
        ("temperature", "-1", "temperature is -1.0, but must be 0, or from 0.000001 to 1000000."),
        ("temperature", "nan", "temperature is nan, but must be 0, or from 0.000001 to 1000000."),
        ("top-p", "0", "topP is 0.0, but must be above 0 and at most 1 (1 is off)."),
        ("top-k", "many", "top-k takes a whole number, not 'many'."),
        ("top-k", "99999999999999999999", "top-k takes a whole number, not '99999999999999999999'."),
        ("max-tokens", "-1", "max-tokens is -1, but must be at least 0."),
        ("seed", "-1", "seed takes a whole number from 0, or random, not '-1'."),
        ("ignore-eos", "maybe", "ignore-eos takes true or false, not 'maybe'."),
        ("temprature", "1", "There is no setting 'temprature'; did you mean temperature?"),
        ("zzzzzzzz", "1", "There is no setting 'zzzzzzzz'; /set lists them."),
    ])
    func refuses(_ name: String, _ value: String, _ sentence: String) throws {
        var changed = try settings()
        let before = changed.listings
        #expect(throws: ChatError(sentence)) { try changed.set(name, to: value) }
        #expect(changed.listings == before)
    }

    /// Several values come in together or not at all.
    @Test func together() throws {
        var changed = try settings()
        let before = changed.listings
        #expect(throws: ChatError.self) { try changed.set([("top-k", "5"), ("top-p", "2")]) }
        #expect(changed.listings == before)
        // Each alone contradicts what is there; both together do not.
        try changed.set([("samplers", "temperature")])
        #expect(throws: ChatError.self) { try changed.set("top-k", to: "5") }
        try changed.set([("top-k", "5"), ("samplers", "top_k,temperature")])
        #expect(changed.options.sampling.topK == 5)
    }
}
