extension Filters {
    static let trim: Filter = { (machine, value, arguments) throws(TemplateError) in
        let characters = try arguments.bind("trim", ["chars"], required: 0, machine)[0] ?? .none
        return try StringMethods.strip(try soft(value, machine), characters, left: true, right: true, machine)
    }

    static let replace: Filter = { (machine, value, arguments) throws(TemplateError) in
        let values = try arguments.bind("replace", ["old", "new", "count"], required: 2, machine)
        let count = values[2].flatMap { $0.isNone ? nil : $0 }
        return try StringMethods.replaced(
            try plain(value, machine), try plain(values[0] ?? .none, machine), try plain(values[1] ?? .none, machine),
            try integer(count, -1, machine), machine)
    }

    static let join: Filter = { (machine, value, arguments) throws(TemplateError) in
        let values = try arguments.bind("join", ["d", "attribute"], required: 0, machine)
        let separator = try plain(values[0] ?? .string(""), machine)
        let path = try path(values[1] ?? .none, machine)
        let iterator = try machine.iterate(value)
        var parts: [TemplateString] = []
        while let item = try iterator.next() {
            try machine.step()
            parts.append(try plain(try follow(path, from: item, fallback: nil, machine), machine))
        }
        return try StringMethods.joined(parts, separator, machine)
    }

    /// Upper case after white space, hyphens and opening brackets; lower case elsewhere.
    static let title: Filter = { (machine, value, arguments) throws(TemplateError) in
        _ = try arguments.positional("title", 0...0, machine)
        let text = try soft(value, machine)
        var bytes: [UInt8] = []
        var word: [Unicode.Scalar] = []
        func flush() {
            guard let first = word.first else { return }
            bytes += TemplateString(scalars: [first]).uppercased.bytes
            bytes += TemplateString(scalars: word.dropFirst()).lowercased.bytes
            word = []
        }
        for scalar in text.string.unicodeScalars {
            switch scalar {
            case "-", "(", "{", "[", "<":
                flush()
                bytes.append(scalar)
            case _ where scalar.isTemplateSpace:
                flush()
                bytes.append(scalar)
            default: word.append(scalar)
            }
        }
        flush()
        return try machine.text(TemplateString(bytes: bytes))
    }

    static let indent: Filter = { (machine, value, arguments) throws(TemplateError) in
        let values = try arguments.bind("indent", ["width", "first", "blank"], required: 0, machine)
        var text = try StringMethods.string(value, machine)
        var indention: [UInt8]
        if case .string(let given) = values[0] {
            indention = given.bytes
        } else {
            let width = max(try integer(values[0], 4, machine), 0)
            try machine.charge(width)
            indention = [UInt8](repeating: UInt8(ascii: " "), count: width)
        }
        let (indentsFirst, indentsBlank) = (try truth(values[1], machine), try truth(values[2], machine))
        text.bytes.append(UInt8(ascii: "\n"))
        var bytes: [UInt8] = []
        for (index, line) in text.lines(keepingEnds: false).enumerated() {
            try machine.charge(indention.count + line.bytes.count)
            if index > 0 { bytes.append(UInt8(ascii: "\n")) }
            if index == 0 ? indentsFirst : indentsBlank || !line.isEmpty { bytes += indention }
            bytes += line.bytes
        }
        return .string(text.with(bytes))
    }

    static let truncate: Filter = { (machine, value, arguments) throws(TemplateError) in
        let values = try arguments.bind("truncate", ["length", "killwords", "end", "leeway"], required: 0, machine)
        let text = value.isUndefined ? "" : try StringMethods.string(value, machine)
        let length = try integer(values[0], 255, machine)
        let end = try StringMethods.string(values[2] ?? .string("..."), machine)
        let leeway = try integer(values[3].flatMap { $0.isNone ? nil : $0 }, 5, machine)
        let endCount = end.count
        guard length >= endCount else { throw machine.failure("truncate needs a length of at least \(endCount)") }
        guard leeway >= 0 else { throw machine.failure("truncate needs a leeway of at least 0") }
        let (most, overflow) = length.addingReportingOverflow(leeway)
        if overflow || text.count <= most { return value }
        var kept = text.scalars(0..<length - endCount)
        if !(try truth(values[1], machine)), let space = kept.bytes.lastIndex(of: UInt8(ascii: " ")) {
            kept.bytes.removeSubrange(space...)
        }
        return try machine.text(kept.with(kept.bytes + end.bytes))
    }

    static let center: Filter = { (machine, value, arguments) throws(TemplateError) in
        let width = try arguments.bind("center", ["width"], required: 0, machine)[0] ?? .integer(80)
        let pad = StringMethods.pad("center")
        return try pad(machine, try soft(value, machine), CallArguments(positional: [width]))
    }

    static let format: Filter = { (machine, value, arguments) throws(TemplateError) in
        guard arguments.positional.isEmpty || arguments.keyword.isEmpty else {
            throw machine.failure("format takes arguments by place or by name, not both")
        }
        let text = try soft(value, machine)
        guard !arguments.keyword.isEmpty else {
            return try machine.percentFormat(text, try machine.tuple(arguments.positional))
        }
        var builder = DictionaryBuilder()
        for (name, value) in arguments.keyword { try builder.set(.text(name), value, line: machine.line) }
        return try machine.percentFormat(text, try builder.build(machine))
    }

    static let wordCount: Filter = { (machine, value, arguments) throws(TemplateError) in
        _ = try arguments.positional("wordcount", 0...0, machine)
        var count = 0
        var isInWord = false
        for scalar in try soft(value, machine).string.unicodeScalars {
            let isWord = scalar == "_" || scalar.isAlphanumeric
            if isWord, !isInWord { count += 1 }
            isInWord = isWord
        }
        return .integer(count)
    }

    static let urlEncode: Filter = { (machine, value, arguments) throws(TemplateError) in
        _ = try arguments.positional("urlencode", 0...0, machine)
        var pairs: [Value] = []
        switch value {
        case .dictionary(let members):
            pairs = try machine.elements(Value.DictionaryView(kind: .items, dictionary: members))
        case .list, .tuple, .view, .iterator, .range, .undefined: pairs = try machine.elements(value)
        default: return try machine.text(quoted(try plain(value, machine), inQuery: false))
        }
        var bytes: [UInt8] = []
        for (index, pair) in pairs.enumerated() {
            let parts = try machine.elements(pair)
            guard parts.count == 2 else { throw machine.failure("urlencode needs pairs of key and value") }
            if index > 0 { bytes.append(text: "&") }
            bytes += quoted(try plain(parts[0], machine), inQuery: true).bytes
            bytes.append(text: "=")
            bytes += quoted(try plain(parts[1], machine), inQuery: true).bytes
        }
        return try machine.text(TemplateString(bytes: bytes))
    }

    private static func quoted(_ text: TemplateString, inQuery: Bool) -> TemplateString {
        var bytes: [UInt8] = []
        for byte in text.bytes {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"),
                UInt8(ascii: "~"):
                bytes.append(byte)
            case UInt8(ascii: "/") where !inQuery: bytes.append(byte)
            case UInt8(ascii: " ") where inQuery: bytes.append(text: "+")
            default: bytes += Array(("%" + NumberText.padded(String(byte, radix: 16, uppercase: true), 2)).utf8)
            }
        }
        return TemplateString(bytes: bytes)
    }

    static let fileSize: Filter = { (machine, value, arguments) throws(TemplateError) in
        let isBinary = try truth(try arguments.bind("filesizeformat", ["binary"], required: 0, machine)[0], machine)
        guard case .float(let size) = try float(machine, value, .none), size.isFinite else {
            throw machine.failure("filesizeformat needs a number")
        }
        let base: Double = isBinary ? 1024 : 1000
        if size == 1 { return .string("1 Byte") }
        if size < base { return .text("\(Int(max(size, -1e15))) Bytes") }
        var unit = base
        var prefix = ""
        for letter in isBinary ? "KMGTPEZY" : "kMGTPEZY" {
            unit *= base
            prefix = String(letter) + (isBinary ? "iB" : "B")
            if size < unit { break }
        }
        return .text(NumberText.fixed(base * size / unit, places: 1) + " " + prefix)
    }

    static let xmlAttributes: Filter = { (machine, value, arguments) throws(TemplateError) in
        let spaced = try arguments.bind("xmlattr", ["autospace"], required: 0, machine)[0] ?? .bool(true)
        guard case .dictionary(let members) = value else { throw machine.failure("xmlattr needs an object") }
        var bytes: [UInt8] = []
        for (key, value) in members.entries where !value.isNone && !value.isUndefined {
            let name = try StringMethods.string(key, machine)
            let isBroken = name.bytes.contains { "/>= \t\n\r\u{C}\u{B}".utf8.contains($0) }
            guard !isBroken else { throw machine.failure("'\(name.string)' cannot be the name of an attribute") }
            if !bytes.isEmpty { bytes.append(text: " ") }
            bytes += name.escaped.bytes
            bytes.append(text: "=\"")
            bytes += try soft(value, machine).escaped.bytes
            bytes.append(text: "\"")
        }
        let isSpaced = try machine.truth(spaced)
        if isSpaced, !bytes.isEmpty { bytes.insert(UInt8(ascii: " "), at: 0) }
        return try machine.text(TemplateString(bytes: bytes))
    }
}
