/// The filters by name, as `value | name(arguments)` calls them.
enum Filters {
    typealias Filter = @Sendable (Machine, Value, CallArguments) throws(TemplateError) -> Value

    static let table: [String: Filter] = [
        "abs": absolute, "attr": attribute, "batch": batch, "capitalize": onText { $0.capitalized },
        "center": center, "count": length, "d": fallback, "default": fallback, "dictsort": dictionarySort,
        "e": escape, "escape": escape, "filesizeformat": fileSize, "first": first, "float": float,
        "forceescape": forceEscape, "format": format, "groupby": groupBy, "indent": indent, "int": integer,
        "items": items, "join": join, "last": last, "length": length, "list": list, "lower": onText { $0.lowercased },
        "map": map, "max": extreme("max", after: true), "min": extreme("min", after: false),
        "reject": select("reject", keeps: false, byAttribute: false),
        "rejectattr": select("rejectattr", keeps: false, byAttribute: true), "replace": replace, "reverse": reverse,
        "round": round, "safe": safe, "select": select("select", keeps: true, byAttribute: false),
        "selectattr": select("selectattr", keeps: true, byAttribute: true), "slice": slice, "sort": sort,
        "string": onText { $0 }, "sum": sum, "title": title, "tojson": toJSON, "trim": trim, "truncate": truncate,
        "unique": unique, "upper": onText { $0.uppercased }, "urlencode": urlEncode, "wordcount": wordCount,
        "xmlattr": xmlAttributes,
    ]

    /// Filters of the language that are refused: random, or made for web pages.
    static let refused: Set = ["pprint", "random", "striptags", "urlize", "wordwrap"]

    static func missing(_ name: String, line: Int) -> TemplateError {
        refused.contains(name)
            ? .unsupported("the filter '\(name)'", line: line) : .syntax("no filter named '\(name)'", line: line)
    }

    // MARK: Helpers

    /// The value as text, keeping markup.
    static func soft(_ value: Value, _ machine: Machine) throws(TemplateError) -> TemplateString {
        try machine.describe(value)
    }

    /// The value as text that is no markup.
    static func plain(_ value: Value, _ machine: Machine) throws(TemplateError) -> TemplateString {
        TemplateString(bytes: try machine.describe(value).bytes)
    }

    static func onText(_ change: @escaping @Sendable (TemplateString) -> TemplateString) -> Filter {
        { (machine, value, arguments) throws(TemplateError) in
            _ = try arguments.positional("the filter", 0...0, machine)
            return try machine.text(change(try soft(value, machine)))
        }
    }

    static func truth(_ value: Value?, _ machine: Machine) throws(TemplateError) -> Bool {
        try machine.truth(value ?? .none)
    }

    static func integer(_ value: Value?, _ fallback: Int, _ machine: Machine) throws(TemplateError) -> Int {
        guard let value else { return fallback }
        return try StringMethods.integer(value, machine)
    }

    /// One part of a path of attributes: a name, or an index where it is written in digits.
    static func path(_ attribute: Value, _ machine: Machine) throws(TemplateError) -> [Value] {
        guard case .string(let text) = attribute else { return attribute.isNone ? [] : [attribute] }
        var parts: [Value] = []
        for part in text.string.split(separator: ".", omittingEmptySubsequences: false) {
            let isNumber = !part.isEmpty && part.utf8.allSatisfy { (48...57).contains($0) }
            let index = isNumber ? Int(part) : nil
            parts.append(index.map { .integer($0) } ?? .text(String(part)))
        }
        return parts
    }

    static func follow(
        _ path: [Value], from value: Value, fallback: Value?, _ machine: Machine
    ) throws(TemplateError) -> Value {
        var value = value
        for part in path {
            value = try machine.item(value, part)
            if value.isUndefined, let fallback, !fallback.isNone { value = fallback }
        }
        return value
    }

    static func ignoringCase(_ value: Value, _ caseSensitive: Bool) -> Value {
        if !caseSensitive, case .string(let text) = value { return .string(text.lowercased) }
        return value
    }

    // MARK: Any value

    static let fallback: Filter = { (machine, value, arguments) throws(TemplateError) in
        let values = try arguments.bind("default", ["default_value", "boolean"], required: 0, machine)
        var isMissing = value.isUndefined
        if !isMissing, try truth(values[1], machine) { isMissing = !(try machine.truth(value)) }
        return isMissing ? values[0] ?? .string("") : value
    }

    static let length: Filter = { (machine, value, arguments) throws(TemplateError) in
        _ = try arguments.positional("length", 0...0, machine)
        guard let length = try machine.length(value) else {
            throw machine.failure("a value of type '\(value.typeName)' has no length")
        }
        return .integer(length)
    }

    static let attribute: Filter = { (machine, value, arguments) throws(TemplateError) in
        let name = try StringMethods.string(
            try arguments.bind("attr", ["name"], required: 1, machine)[0] ?? .none, machine)
        // Never a member of an object: only what its type has under that name.
        if case .dictionary = value, !machine.hasMethod(value, name.string) {
            return .undefined(.member(name.string, of: value.objectName))
        }
        return try machine.attribute(value, name.string, name)
    }

    static let toJSON: Filter = { (machine, value, arguments) throws(TemplateError) in
        let values = try arguments.bind(
            "tojson", ["ensure_ascii", "indent", "separators", "sort_keys"], required: 0, machine)
        var writer = JSONWriter(machine)
        writer.escapesNonASCII = try truth(values[0], machine)
        writer.sortsKeys = try truth(values[3], machine)
        try writer.setIndent(values[1] ?? .none, separators: values[2] ?? .none)
        try writer.write(value)
        return try machine.text(TemplateString(bytes: writer.bytes))
    }

    static let escape: Filter = { (machine, value, arguments) throws(TemplateError) in
        _ = try arguments.positional("escape", 0...0, machine)
        return try machine.text(try soft(value, machine).escaped)
    }

    static let forceEscape: Filter = { (machine, value, arguments) throws(TemplateError) in
        _ = try arguments.positional("forceescape", 0...0, machine)
        return try machine.text(try plain(value, machine).escaped)
    }

    static let safe: Filter = { (machine, value, arguments) throws(TemplateError) in
        _ = try arguments.positional("safe", 0...0, machine)
        return try machine.text(TemplateString(bytes: try soft(value, machine).bytes, isMarkup: true))
    }
}
