/// Methods that take texts apart and put them together.
extension StringMethods {
    static func split(fromEnd: Bool) -> Method {
        { (machine, text, arguments) throws(TemplateError) in
            let values = try arguments.bind("split", ["sep", "maxsplit"], required: 0, machine)
            let limit = try values[1].map { (value) throws(TemplateError) in try integer(value, machine) } ?? -1
            let most = limit < 0 ? Int.max : limit
            guard let separator = values[0], !separator.isNone else {
                return try machine.list(words(text, most, fromEnd: fromEnd).map { .string($0) })
            }
            let bytes = try string(separator, machine).bytes
            guard !bytes.isEmpty else { throw machine.failure("split needs a separator that is not empty") }
            try machine.step(text.bytes.count / 64)
            return try machine.list(pieces(text, bytes, most, fromEnd: fromEnd).map { .string($0) })
        }
    }

    private static func pieces(
        _ text: TemplateString, _ separator: [UInt8], _ most: Int, fromEnd: Bool
    ) -> [TemplateString] {
        var result: [TemplateString] = []
        var range = 0..<text.bytes.count
        if fromEnd {
            // Reversed once, so that many pieces cost no more than one search.
            let reversed = Array(text.bytes.reversed())
            let mirrored = pieces(TemplateString(bytes: reversed), Array(separator.reversed()), most, fromEnd: false)
            return mirrored.reversed().map { text.with($0.bytes.reversed()) }
        }
        while result.count < most, let offset = text.bytes.firstOffset(of: separator, in: range) {
            result.append(text.with(text.bytes[range.lowerBound..<offset]))
            range = offset + separator.count..<range.upperBound
        }
        result.append(text.with(text.bytes[range]))
        return result
    }

    /// Runs of scalars between white space, the rest unsplit once `most` splits are made.
    private static func words(_ text: TemplateString, _ most: Int, fromEnd: Bool) -> [TemplateString] {
        let bytes = text.bytes
        var result: [TemplateString] = []
        var range = 0..<bytes.count
        /// Moves the near end of `range` over scalars of one kind and returns what it passed.
        func take(space: Bool) -> Range<Int> {
            let start = fromEnd ? range.upperBound : range.lowerBound
            var end = start
            while fromEnd ? end > range.lowerBound : end < range.upperBound {
                let (scalar, length) = fromEnd ? bytes.scalar(before: end) : bytes.scalar(at: end)
                guard scalar.isTemplateSpace == space else { break }
                end += fromEnd ? -length : length
            }
            range = fromEnd ? range.lowerBound..<end : end..<range.upperBound
            return min(start, end)..<max(start, end)
        }
        while true {
            _ = take(space: true)
            if range.isEmpty { break }
            if result.count == most {
                result.append(text.with(bytes[range]))
                break
            }
            result.append(text.with(bytes[take(space: false)]))
        }
        return fromEnd ? result.reversed() : result
    }

    static let splitLines: Method = { (machine, text, arguments) throws(TemplateError) in
        let keepsEnds = try arguments.bind("splitlines", ["keepends"], required: 0, machine)[0]
        let lines = text.lines(keepingEnds: try machine.truth(keepsEnds ?? .none))
        return try machine.list(lines.map { .string($0) })
    }

    static func partition(fromEnd: Bool) -> Method {
        { (machine, text, arguments) throws(TemplateError) in
            let separator = try string(try arguments.positional("partition", 1...1, machine)[0], machine)
            guard !separator.isEmpty else { throw machine.failure("partition needs a separator that is not empty") }
            let all = 0..<text.bytes.count
            let found =
                fromEnd
                ? text.bytes.lastOffset(of: separator.bytes, in: all)
                : text.bytes.firstOffset(of: separator.bytes, in: all)
            guard let found else {
                let empty = Value.string(text.with([]))
                return try machine.tuple(fromEnd ? [empty, empty, .string(text)] : [.string(text), empty, empty])
            }
            let after = text.with(text.bytes[(found + separator.bytes.count)...])
            return try machine.tuple([
                .string(text.with(text.bytes[..<found])), .string(text.with(separator.bytes)), .string(after),
            ])
        }
    }

    static let replace: Method = { (machine, text, arguments) throws(TemplateError) in
        let values = try arguments.positional("replace", 2...3, machine)
        let (old, new) = (try string(values[0], machine), try string(values[1], machine))
        let most = values.count > 2 ? try integer(values[2], machine) : -1
        return try replaced(text, old, text.isMarkup ? new.escaped : new, most, machine)
    }

    static func replaced(
        _ text: TemplateString, _ old: TemplateString, _ new: TemplateString, _ most: Int, _ machine: Machine
    ) throws(TemplateError) -> Value {
        try machine.step(text.bytes.count / 64)
        let most = most < 0 ? Int.max : most
        var result: [UInt8] = []
        var count = 0
        if old.isEmpty {
            for element in text.elements {
                if count < most {
                    try machine.charge(new.bytes.count)
                    result += new.bytes
                    count += 1
                }
                result += element.bytes
            }
            if count < most { result += new.bytes }
            return try machine.text(text.with(result))
        }
        var range = 0..<text.bytes.count
        while count < most, let offset = text.bytes.firstOffset(of: old.bytes, in: range) {
            try machine.charge(new.bytes.count)
            result += text.bytes[range.lowerBound..<offset]
            result += new.bytes
            range = offset + old.bytes.count..<range.upperBound
            count += 1
        }
        result += text.bytes[range]
        return try machine.text(text.with(result))
    }

    static let join: Method = { (machine, text, arguments) throws(TemplateError) in
        let items = try machine.elements(try arguments.positional("join", 1...1, machine)[0])
        var parts: [TemplateString] = []
        for item in items {
            let part = try string(item, machine)
            parts.append(text.isMarkup ? part.escaped : part)
        }
        return try joined(parts, text, machine)
    }

    static func joined(
        _ parts: [TemplateString], _ separator: TemplateString, _ machine: Machine
    ) throws(TemplateError) -> Value {
        var bytes: [UInt8] = []
        for (index, part) in parts.enumerated() {
            try machine.charge(part.bytes.count + separator.bytes.count)
            if index > 0 { bytes += separator.bytes }
            bytes += part.bytes
        }
        return .string(separator.with(bytes))
    }

    static func pad(_ name: String) -> Method {
        { (machine, text, arguments) throws(TemplateError) in
            let values = try arguments.positional(name, 1...2, machine)
            let width = try integer(values[0], machine)
            let fill = values.count > 1 ? try string(values[1], machine) : " "
            guard fill.count == 1 else { throw machine.failure("\(name) needs one character to fill with") }
            let count = text.count
            guard width > count else { return .string(text) }
            let missing = width - count
            let left =
                name == "ljust" ? 0 : name == "rjust" ? missing : missing / 2 + (missing & width & 1)
            return try padded(text, fill, left: left, right: missing - left, machine)
        }
    }

    static func padded(
        _ text: TemplateString, _ fill: TemplateString, left: Int, right: Int, _ machine: Machine
    ) throws(TemplateError) -> Value {
        try machine.charge(fill.bytes.count, times: left)
        try machine.charge(fill.bytes.count, times: right)
        var bytes: [UInt8] = []
        for _ in 0..<left { bytes += fill.bytes }
        bytes += text.bytes
        for _ in 0..<right { bytes += fill.bytes }
        return try machine.text(text.with(bytes))
    }

    static let zeroFill: Method = { (machine, text, arguments) throws(TemplateError) in
        let width = try integer(try arguments.positional("zfill", 1...1, machine)[0], machine)
        let missing = width > text.count ? width - text.count : 0
        let isSigned = text.bytes.first == UInt8(ascii: "-") || text.bytes.first == UInt8(ascii: "+")
        try machine.charge(missing)
        let sign = isSigned ? Array(text.bytes.prefix(1)) : []
        return try machine.text(
            text.with(sign + [UInt8](repeating: UInt8(ascii: "0"), count: missing) + text.bytes.dropFirst(sign.count)))
    }

    static let expandTabs: Method = { (machine, text, arguments) throws(TemplateError) in
        let value = try arguments.bind("expandtabs", ["tabsize"], required: 0, machine)[0]
        let width = try value.map { (value) throws(TemplateError) in try integer(value, machine) } ?? 8
        var bytes: [UInt8] = []
        var column = 0
        for scalar in text.string.unicodeScalars {
            switch scalar {
            case "\t":
                guard width > 0 else { continue }
                let count = width - column % width
                try machine.charge(count)
                bytes += [UInt8](repeating: UInt8(ascii: " "), count: count)
                column = 0
            case "\n", "\r":
                bytes.append(scalar)
                column = 0
            default:
                bytes.append(scalar)
                column += 1
            }
        }
        return try machine.text(text.with(bytes))
    }
}

extension TemplateString {
    /// The lines of the text, by every line end that Unicode knows.
    func lines(keepingEnds: Bool) -> [TemplateString] {
        var result: [TemplateString] = []
        var start = 0
        var offset = 0
        while offset < bytes.count {
            let (scalar, length) = bytes.scalar(at: offset)
            switch scalar.value {
            case 0x0A...0x0D, 0x1C...0x1E, 0x85, 0x2028, 0x2029:
                var end = offset + length
                if scalar == "\r", end < bytes.count, bytes[end] == 0x0A { end += 1 }
                result.append(with(bytes[start..<(keepingEnds ? end : offset)]))
                start = end
                offset = end
            default: offset += length
            }
        }
        if start < bytes.count { result.append(with(bytes[start...])) }
        return result
    }
}
