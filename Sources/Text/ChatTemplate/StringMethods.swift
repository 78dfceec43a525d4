/// The methods of texts. None changes its text; those that need a byte encoding are refused by name.
enum StringMethods {
    typealias Method = @Sendable (Machine, TemplateString, CallArguments) throws(TemplateError) -> Value

    static let refused: Set = ["encode", "maketrans", "translate"]

    static let table: [String: Method] = [
        "capitalize": plain { $0.capitalized }, "casefold": plain { $0.caseFolded },
        "lower": plain { $0.lowercased }, "upper": plain { $0.uppercased }, "title": plain { $0.titlecased },
        "swapcase": plain { $0.caseSwapped },
        "isalnum": test { $0.isAlphanumeric }, "isalpha": test { $0.isAlphabetic },
        "isascii": { (machine, text, arguments) throws(TemplateError) in
            _ = try arguments.positional("isascii", 0...0, machine)
            return .bool(text.isASCII)
        },
        "isdecimal": test { $0.properties.numericType == .decimal },
        "isdigit": test { $0.properties.numericType == .decimal || $0.properties.numericType == .digit },
        "isnumeric": test { $0.properties.numericType != nil }, "isspace": test { $0.isTemplateSpace },
        "isprintable": { (machine, text, arguments) throws(TemplateError) in
            _ = try arguments.positional("isprintable", 0...0, machine)
            return .bool(text.scalars.allSatisfy(\.isPrintable))
        },
        "islower": whole { $0.isLowercase }, "isupper": whole { $0.isUppercase }, "istitle": whole { $0.isTitlecase },
        "isidentifier": whole { $0.isIdentifier },
        "strip": strip(left: true, right: true), "lstrip": strip(left: true, right: false),
        "rstrip": strip(left: false, right: true),
        "split": split(fromEnd: false), "rsplit": split(fromEnd: true), "splitlines": splitLines,
        "partition": partition(fromEnd: false), "rpartition": partition(fromEnd: true),
        "startswith": affix("startswith") { $0.starts(with: $1) },
        "endswith": affix("endswith") { $0.count >= $1.count && $0.suffix($1.count).elementsEqual($1) },
        "removeprefix": { (machine, text, arguments) throws(TemplateError) in
            let prefix = try string(try arguments.positional("removeprefix", 1...1, machine)[0], machine)
            let has = text.bytes.starts(with: prefix.bytes)
            return .string(has ? text.with(text.bytes.dropFirst(prefix.bytes.count)) : text)
        },
        "removesuffix": { (machine, text, arguments) throws(TemplateError) in
            let suffix = try string(try arguments.positional("removesuffix", 1...1, machine)[0], machine).bytes
            let has = text.bytes.count >= suffix.count && text.bytes.suffix(suffix.count).elementsEqual(suffix)
            return .string(has ? text.with(text.bytes.dropLast(suffix.count)) : text)
        },
        "replace": replace, "join": join, "find": find("find", last: false), "rfind": find("rfind", last: true),
        "index": find("index", last: false), "rindex": find("rindex", last: true), "count": count,
        "center": pad("center"), "ljust": pad("ljust"), "rjust": pad("rjust"), "zfill": zeroFill,
        "expandtabs": expandTabs,
        "format": { (machine, text, arguments) throws(TemplateError) in
            try machine.braceFormat(text, arguments.positional, arguments.keyword)
        },
        "format_map": { (machine, text, arguments) throws(TemplateError) in
            guard case .dictionary(let members) = try arguments.positional("format_map", 1...1, machine)[0] else {
                throw machine.failure("format_map needs an object")
            }
            var named: [(name: String, value: Value)] = []
            for entry in members.entries { named.append((try machine.describe(entry.key).string, entry.value)) }
            return try machine.braceFormat(text, [], named)
        },
    ]

    static func string(_ value: Value, _ machine: Machine) throws(TemplateError) -> TemplateString {
        guard case .string(let text) = value else {
            if case .undefined(let undefined) = value { throw .undefined(undefined.message, line: machine.line) }
            throw machine.failure("expected a text, not a value of type '\(value.typeName)'")
        }
        return text
    }

    static func integer(_ value: Value, _ machine: Machine) throws(TemplateError) -> Int {
        guard let number = value.integerValue else {
            if case .undefined(let undefined) = value { throw .undefined(undefined.message, line: machine.line) }
            throw machine.failure("expected a whole number, not a value of type '\(value.typeName)'")
        }
        return number
    }

    private static func plain(_ change: @escaping @Sendable (TemplateString) -> TemplateString) -> Method {
        { (machine, text, arguments) throws(TemplateError) in
            _ = try arguments.positional("the method", 0...0, machine)
            return try machine.text(change(text))
        }
    }

    /// True where there are scalars and all of them pass.
    private static func test(_ accepts: @escaping @Sendable (Unicode.Scalar) -> Bool) -> Method {
        { (machine, text, arguments) throws(TemplateError) in
            _ = try arguments.positional("the method", 0...0, machine)
            return .bool(!text.isEmpty && text.string.unicodeScalars.allSatisfy(accepts))
        }
    }

    private static func whole(_ accepts: @escaping @Sendable (TemplateString) -> Bool) -> Method {
        { (machine, text, arguments) throws(TemplateError) in
            _ = try arguments.positional("the method", 0...0, machine)
            return .bool(accepts(text))
        }
    }

    static func strip(
        _ text: TemplateString, _ characters: Value, left: Bool, right: Bool, _ machine: Machine
    ) throws(TemplateError) -> Value {
        if characters.isNone { return .string(text.stripped(left: left, right: right)) }
        let set = Set(try string(characters, machine).string.unicodeScalars)
        return .string(text.stripped(left: left, right: right) { set.contains($0) })
    }

    private static func strip(left: Bool, right: Bool) -> Method {
        { (machine, text, arguments) throws(TemplateError) in
            let values = try arguments.positional("strip", 0...1, machine)
            return try strip(text, values.first ?? .none, left: left, right: right, machine)
        }
    }

    /// The bounds given after the first argument, as a range of byte offsets; nil where they cross or lie past the end.
    private static func range(
        _ text: TemplateString, _ values: [Value], _ machine: Machine
    ) throws(TemplateError) -> (bytes: Range<Int>, offsets: [Int]?)? {
        guard values.count > 1 else { return (0..<text.bytes.count, nil) }
        let offsets = text.offsets
        let count = offsets.map { $0.count - 1 } ?? text.bytes.count
        var bounds = [0, count]
        for (place, value) in values.dropFirst().enumerated() where !value.isNone {
            let bound = try integer(value, machine)
            bounds[place] = bound < 0 ? max(bound + count, 0) : place == 0 ? bound : min(bound, count)
        }
        guard bounds[0] <= bounds[1] else { return nil }
        return ((offsets?[bounds[0]] ?? bounds[0])..<(offsets?[bounds[1]] ?? bounds[1]), offsets)
    }

    private static func affix(
        _ name: String, _ matches: @escaping @Sendable (ArraySlice<UInt8>, [UInt8]) -> Bool
    ) -> Method {
        { (machine, text, arguments) throws(TemplateError) in
            let values = try arguments.positional(name, 1...3, machine)
            var candidates = [values[0]]
            if case .tuple(let sequence) = values[0] { candidates = sequence.items }
            let range = try range(text, values, machine)
            for candidate in candidates {
                let affix = try string(candidate, machine)
                if let range, matches(text.bytes[range.bytes], affix.bytes) { return .bool(true) }
            }
            return .bool(false)
        }
    }

    private static func find(_ name: String, last: Bool) -> Method {
        { (machine, text, arguments) throws(TemplateError) in
            let values = try arguments.positional(name, 1...3, machine)
            let needle = try string(values[0], machine).bytes
            try machine.step(text.bytes.count / 64)
            if let (range, _) = try range(text, values, machine),
                let offset = last
                    ? text.bytes.lastOffset(of: needle, in: range) : text.bytes.firstOffset(of: needle, in: range)
            {
                return .integer(TemplateString(text.bytes[..<offset]).count)
            }
            guard !name.hasSuffix("index") else { throw machine.failure("\(name): the text does not occur") }
            return .integer(-1)
        }
    }

    private static let count: Method = { (machine, text, arguments) throws(TemplateError) in
        let values = try arguments.positional("count", 1...3, machine)
        let needle = try string(values[0], machine).bytes
        try machine.step(text.bytes.count / 64)
        guard let (range, _) = try range(text, values, machine) else { return .integer(0) }
        if needle.isEmpty { return .integer(TemplateString(text.bytes[range]).count + 1) }
        var count = 0
        var start = range.lowerBound
        while let offset = text.bytes.firstOffset(of: needle, in: start..<range.upperBound) {
            count += 1
            start = offset + needle.count
        }
        return .integer(count)
    }
}
