/// Why a chat template could not be read or rendered. Every case carries one sentence and the line of the template,
/// counted from 1.
public enum TemplateError: Error, Sendable, Equatable {
    /// The source is not a template: a broken tag, an unknown filter, a block without its end.
    case syntax(String, line: Int)
    /// The template uses a construct of the language that this evaluator names and refuses (inheritance, inclusion,
    /// randomness, whole numbers past 64 bits, …).
    case unsupported(String, line: Int)
    /// The template used a value that is not there, in a way that a missing value does not allow.
    case undefined(String, line: Int)
    /// The template asked for what its values cannot do (`1 + "a"`, a division by zero, a wrong argument).
    case operation(String, line: Int)
    /// The template itself refused the conversation with `raise_exception`; the text is the template's own.
    case raised(String, line: Int)
    /// A limit of ``TemplateLimits`` was reached.
    case limit(String, line: Int)

    /// The sentence alone; for ``raised(_:line:)`` exactly what the template said.
    public var message: String {
        switch self {
        case .syntax(let text, _), .unsupported(let text, _), .undefined(let text, _), .operation(let text, _),
            .raised(let text, _), .limit(let text, _):
            text
        }
    }

    /// The line of the template, counted from 1.
    public var line: Int {
        switch self {
        case .syntax(_, let line), .unsupported(_, let line), .undefined(_, let line), .operation(_, let line),
            .raised(_, let line), .limit(_, let line):
            line
        }
    }
}

extension TemplateError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .syntax: "chat template, line \(line): \(message)"
        case .unsupported: "chat template, line \(line): not supported: \(message)"
        case .undefined: "chat template, line \(line): undefined value: \(message)"
        case .operation: "chat template, line \(line): \(message)"
        case .raised: "the chat template refuses this conversation (line \(line)): \(message)"
        case .limit: "chat template, line \(line): limit reached: \(message)"
        }
    }
}

/// What a template may use up. A template comes with a model file and is therefore input, not code of ours: each of
/// these ends in ``TemplateError/limit(_:line:)`` instead of an endless loop or a full memory.
public struct TemplateLimits: Sendable {
    /// Length of the template's source in bytes.
    public var sourceBytes = 1 << 20
    /// How deeply tags and expressions of the source may nest.
    public var syntaxDepth = 96
    /// Units of work in one rendering: statements run, elements visited, calls made.
    public var steps = 20_000_000
    /// Nesting of macro calls and recursive loops, weighed with the nesting of what they run.
    public var callDepth = 800
    /// How deeply lists and objects may nest, in the conversation and in what the template builds.
    public var valueDepth = 128
    /// Length of the rendered text in bytes.
    public var outputBytes = 64 << 20
    /// Bytes of all text and lists made during one rendering, also of those dropped on the way.
    public var memoryBytes = 1 << 30
    /// Elements of one `range`.
    public var rangeLength = 100_000

    public init() {}
}
