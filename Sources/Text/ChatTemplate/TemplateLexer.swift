/// A piece of a template's source.
struct TemplateToken {
    enum Kind: Equatable {
        case data(TemplateString)
        case variableBegin, variableEnd, blockBegin, blockEnd
        case name(String)
        case string(TemplateString)
        case integer(Int)
        case float(Double)
        case symbol(Symbol)
        case end
    }

    enum Symbol: String {
        case add = "+"
        case subtract = "-"
        case divide = "/"
        case floorDivide = "//"
        case multiply = "*"
        case remainder = "%"
        case power = "**"
        case tilde = "~"
        case openBracket = "["
        case closeBracket = "]"
        case openParenthesis = "("
        case closeParenthesis = ")"
        case openBrace = "{"
        case closeBrace = "}"
        case equal = "=="
        case notEqual = "!="
        case greater = ">"
        case greaterOrEqual = ">="
        case less = "<"
        case lessOrEqual = "<="
        case assign = "="
        case dot = "."
        case colon = ":"
        case pipe = "|"
        case comma = ","
        case semicolon = ";"
    }

    let kind: Kind
    let line: Int

    var description: String {
        switch kind {
        case .data: "text"
        case .variableBegin: "{{"
        case .variableEnd: "}}"
        case .blockBegin: "{%"
        case .blockEnd: "%}"
        case .name(let name): name
        case .string: "a text in quotes"
        case .integer, .float: "a number"
        case .symbol(let symbol): symbol.rawValue
        case .end: "the end of the template"
        }
    }
}

/// Cuts a template into tokens. A newline right after a tag belongs to the tag, and so does the blank start of a
/// line before a statement or a comment; `-` widens that to all white space, `+` keeps it.
struct TemplateLexer {
    fileprivate let source: [UInt8]
    fileprivate var position = 0
    private var line = 1
    private var tokens: [TemplateToken] = []
    /// Whether the text at `position` begins a line.
    private var isLineStart = true

    init(_ text: String) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            // \r\n and a lone \r are line ends like \n.
            if byte == UInt8(ascii: "\n"), bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
            bytes.append(byte)
        }
        for index in bytes.indices where bytes[index] == UInt8(ascii: "\r") { bytes[index] = UInt8(ascii: "\n") }
        if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        source = bytes
    }

    mutating func tokenize() throws(TemplateError) -> [TemplateToken] {
        while position < source.count { try lexRoot() }
        emit(.end)
        return tokens
    }

    private func failure(_ text: String) -> TemplateError { .syntax(text, line: line) }

    private mutating func emit(_ kind: TemplateToken.Kind) { tokens.append(TemplateToken(kind: kind, line: line)) }

    private mutating func advance(to end: Int) {
        for byte in source[position..<end] where byte == UInt8(ascii: "\n") { line += 1 }
        position = end
    }

    private func has(_ text: StaticString, at offset: Int) -> Bool {
        let count = text.utf8CodeUnitCount
        guard offset + count <= source.count else { return false }
        return (0..<count).allSatisfy { source[offset + $0] == text.utf8Start[$0] }
    }

    private func skipSpace(_ start: Int) -> Int {
        var offset = start
        while offset < source.count {
            let (scalar, length) = source.scalar(at: offset)
            guard scalar.isTemplateSpace else { break }
            offset += length
        }
        return offset
    }

    private mutating func emitData(upTo end: Int, sign: UInt8?, stripsLineStart: Bool) {
        var text = TemplateString(source[position..<end])
        if sign == UInt8(ascii: "-") {
            text = text.stripped(left: false, right: true)
        } else if sign == nil, stripsLineStart {
            let lineStart = text.bytes.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
            let blank = TemplateString(text.bytes[lineStart...])
            if lineStart > 0 || isLineStart, blank.stripped(left: true, right: false).isEmpty {
                text.bytes.removeSubrange(lineStart...)
            }
        }
        if !text.isEmpty { emit(.data(text)) }
        advance(to: end)
    }

    private func sign(at offset: Int) -> UInt8? {
        guard offset < source.count else { return nil }
        return source[offset] == UInt8(ascii: "-") || source[offset] == UInt8(ascii: "+") ? source[offset] : nil
    }

    private mutating func lexRoot() throws(TemplateError) {
        var tag = position
        while tag < source.count, !has("{{", at: tag), !has("{%", at: tag), !has("{#", at: tag) { tag += 1 }
        guard tag < source.count else { return emitData(upTo: tag, sign: UInt8(ascii: "+"), stripsLineStart: false) }
        let sign = sign(at: tag + 2)
        let content = tag + (sign == nil ? 2 : 3)
        let isVariable = has("{{", at: tag)
        emitData(upTo: tag, sign: sign, stripsLineStart: !isVariable)
        if has("{#", at: tag) {
            advance(to: content)
            try lexComment()
        } else if let begin = rawBegin(content), !isVariable {
            advance(to: begin)
            isLineStart = source[begin - 1] == UInt8(ascii: "\n")
            try lexRaw()
        } else {
            emit(isVariable ? .variableBegin : .blockBegin)
            advance(to: content)
            try lexTag(isVariable: isVariable)
        }
    }

    /// Where the content of a raw section begins, if the tag at `offset` opens one.
    private func rawBegin(_ offset: Int) -> Int? {
        var offset = skipSpace(offset)
        guard has("raw", at: offset) else { return nil }
        offset = skipSpace(offset + 3)
        if has("-%}", at: offset) { return skipSpace(offset + 3) }
        return has("%}", at: offset) ? offset + 2 : nil
    }

    private func tagEnd(_ offset: Int, _ close: StaticString, keepsNewline: Bool) -> Int? {
        func follows(_ sign: UInt8) -> Bool {
            offset < source.count && source[offset] == sign && has(close, at: offset + 1)
        }
        if follows(UInt8(ascii: "-")) { return skipSpace(offset + 3) }
        if !keepsNewline, follows(UInt8(ascii: "+")) { return offset + 3 }
        guard has(close, at: offset) else { return nil }
        return !keepsNewline && has("\n", at: offset + 2) ? offset + 3 : offset + 2
    }

    private mutating func finishTag(_ end: Int) {
        advance(to: end)
        isLineStart = source[end - 1] == UInt8(ascii: "\n")
    }

    private mutating func lexComment() throws(TemplateError) {
        for offset in position..<source.count {
            if let end = tagEnd(offset, "#}", keepsNewline: false) { return finishTag(end) }
        }
        // A tag that opens at the very end of the template is let pass.
        guard position == source.count else { throw failure("a comment without its end '#}'") }
    }

    private mutating func lexRaw() throws(TemplateError) {
        for offset in position..<source.count where has("{%", at: offset) {
            let sign = sign(at: offset + 2)
            var end = skipSpace(offset + (sign == nil ? 2 : 3))
            guard has("endraw", at: end) else { continue }
            end = skipSpace(end + 6)
            guard let after = tagEnd(end, "%}", keepsNewline: false) else { continue }
            emitData(upTo: offset, sign: sign, stripsLineStart: true)
            return finishTag(after)
        }
        guard position == source.count else { throw failure("a raw section without its end '{% endraw %}'") }
    }

    private mutating func lexTag(isVariable: Bool) throws(TemplateError) {
        var open: [TemplateToken.Symbol] = []
        while position < source.count {
            if open.isEmpty, let end = tagEnd(position, isVariable ? "}}" : "%}", keepsNewline: isVariable) {
                emit(isVariable ? .variableEnd : .blockEnd)
                return finishTag(end)
            }
            let afterSpace = skipSpace(position)
            if afterSpace > position {
                advance(to: afterSpace)
            } else if let (kind, end) = try number() {
                emit(kind)
                advance(to: end)
            } else if let (name, end) = try name() {
                emit(.name(name))
                advance(to: end)
            } else if let (text, end) = try string() {
                emit(.string(text))
                advance(to: end)
            } else {
                let symbol = try symbol()
                try balance(symbol, &open)
                emit(.symbol(symbol))
                advance(to: position + symbol.rawValue.utf8.count)
            }
        }
    }

    private func symbol() throws(TemplateError) -> TemplateToken.Symbol {
        for length in [2, 1] where position + length <= source.count {
            let text = String(decoding: source[position..<position + length], as: UTF8.self)
            if let symbol = TemplateToken.Symbol(rawValue: text) { return symbol }
        }
        let (scalar, _) = source.scalar(at: position)
        throw failure("unexpected character '\(scalar)' inside a tag")
    }

    private func balance(
        _ symbol: TemplateToken.Symbol, _ open: inout [TemplateToken.Symbol]
    ) throws(TemplateError) {
        switch symbol {
        case .openBrace: open.append(.closeBrace)
        case .openParenthesis: open.append(.closeParenthesis)
        case .openBracket: open.append(.closeBracket)
        case .closeBrace, .closeParenthesis, .closeBracket:
            guard let expected = open.popLast() else { throw failure("unexpected '\(symbol.rawValue)'") }
            guard expected == symbol else {
                throw failure("unexpected '\(symbol.rawValue)', expected '\(expected.rawValue)'")
            }
        default: break
        }
    }

    private func name() throws(TemplateError) -> (String, end: Int)? {
        var end = position
        var isValid = true
        while end < source.count {
            let (scalar, length) = source.scalar(at: end)
            let isDigit = scalar.properties.numericType != nil
            guard scalar == "_" || scalar.properties.isXIDContinue || isDigit else { break }
            isValid = isValid && (scalar == "_" || scalar.properties.isXIDContinue)
            if end == position, scalar != "_", !scalar.properties.isXIDStart { isValid = false }
            end += length
        }
        guard end > position else { return nil }
        guard isValid else { throw failure("invalid character in a name") }
        return (String(decoding: source[position..<end], as: UTF8.self), end)
    }
}

extension TemplateLexer {
    private func isDigit(_ offset: Int, radix: Int = 10) -> Bool {
        guard offset < source.count, source[offset] < 0x80 else { return false }
        return Character(Unicode.Scalar(source[offset])).hexDigitValue.map { $0 < radix } ?? false
    }

    /// End of a run of digits with single underscores between them, or nil where none begins at `offset`.
    private func digits(_ offset: Int, radix: Int = 10) -> Int? {
        guard isDigit(offset, radix: radix) else { return nil }
        var end = offset + 1
        while true {
            if isDigit(end, radix: radix) {
                end += 1
            } else if has("_", at: end), isDigit(end + 1, radix: radix) {
                end += 2
            } else {
                return end
            }
        }
    }

    private func number() throws(TemplateError) -> (TemplateToken.Kind, end: Int)? {
        guard isDigit(position) else { return nil }
        func literal(_ range: Range<Int>) -> String {
            String(decoding: source[range].filter { $0 != UInt8(ascii: "_") }, as: UTF8.self)
        }
        let afterDot = position > 0 && source[position - 1] == UInt8(ascii: ".")
        if !afterDot, let whole = digits(position) {
            var end = whole
            if has(".", at: end), let fraction = digits(end + 1) { end = fraction }
            if has("e", at: end) || has("E", at: end) {
                let signed = has("+", at: end + 1) || has("-", at: end + 1)
                if let power = digits(end + (signed ? 2 : 1)) { end = power }
            }
            if end > whole, let value = Double(literal(position..<end)) { return (.float(value), end) }
        }
        var radix = 10
        var start = position
        if source[position] == UInt8(ascii: "0"), position + 1 < source.count {
            switch source[position + 1] | 0x20 {
            case UInt8(ascii: "b"): radix = 2
            case UInt8(ascii: "o"): radix = 8
            case UInt8(ascii: "x"): radix = 16
            default: break
            }
            if radix != 10 {
                let underscored = has("_", at: position + 2) ? position + 3 : position + 2
                if isDigit(underscored, radix: radix) { start = underscored } else { radix = 10 }
            }
        }
        // A decimal number that begins with 0 is only zeros.
        let isZero = radix == 10 && source[position] == UInt8(ascii: "0")
        let end = digits(start, radix: isZero ? 1 : radix) ?? position + 1
        guard let value = Int(literal(start..<end), radix: radix) else {
            throw .unsupported("whole numbers past 64 bits", line: line)
        }
        return (.integer(value), end)
    }

    private func string() throws(TemplateError) -> (TemplateString, end: Int)? {
        let quote = source[position]
        guard quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"") else { return nil }
        var end = position + 1
        while end < source.count, source[end] != quote { end += source[end] == UInt8(ascii: "\\") ? 2 : 1 }
        guard end < source.count else { throw failure("a text without its closing quote") }
        return (try unescape(position + 1, end), end + 1)
    }

    private func unescape(_ start: Int, _ end: Int) throws(TemplateError) -> TemplateString {
        var bytes: [UInt8] = []
        var offset = start
        while offset < end {
            guard source[offset] == UInt8(ascii: "\\") else {
                bytes.append(source[offset])
                offset += 1
                continue
            }
            let (scalar, length) = source.scalar(at: offset + 1)
            offset += 1 + length
            switch scalar {
            case "\n": break
            case "\\", "'", "\"": bytes.append(scalar)
            case "a": bytes.append(7)
            case "b": bytes.append(8)
            case "f": bytes.append(12)
            case "n": bytes.append(10)
            case "r": bytes.append(13)
            case "t": bytes.append(9)
            case "v": bytes.append(11)
            case "0"..."7":
                var value = scalar.value - 48
                var count = 1
                while count < 3, offset < end, (48...55).contains(source[offset]) {
                    value = value * 8 + UInt32(source[offset] - 48)
                    offset += 1
                    count += 1
                }
                bytes.append(Unicode.Scalar(value) ?? "\u{FFFD}")
            case "x": bytes.append(try hexadecimal(&offset, end, 2))
            case "u": bytes.append(try hexadecimal(&offset, end, 4))
            case "U": bytes.append(try hexadecimal(&offset, end, 8))
            case "N": throw .unsupported("characters by name in a text", line: line)
            default:
                // An escape that means nothing stays as it is; past ASCII its number takes the character's place.
                if scalar.isASCII {
                    bytes += [UInt8(ascii: "\\"), UInt8(scalar.value)]
                } else {
                    bytes += Array(NumberText.escape(scalar).utf8)
                }
            }
        }
        return TemplateString(bytes: bytes)
    }

    private func hexadecimal(_ offset: inout Int, _ end: Int, _ count: Int) throws(TemplateError) -> Unicode.Scalar {
        guard offset + count <= end, (offset..<offset + count).allSatisfy({ isDigit($0, radix: 16) }),
            let value = UInt32(String(decoding: source[offset..<offset + count], as: UTF8.self), radix: 16)
        else { throw failure("an escape in a text needs \(count) hexadecimal digits") }
        guard let scalar = Unicode.Scalar(value) else {
            throw .unsupported("an escape that is half of a surrogate pair or past U+10FFFF", line: line)
        }
        offset += count
        return scalar
    }
}
