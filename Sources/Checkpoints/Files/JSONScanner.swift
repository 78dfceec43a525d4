/// Reads JSON piece by piece, in one pass and without building a tree: the header of a safetensors file has up to
/// 100 MB, must not repeat a key and needs exact integers, which Foundation's decoder does not promise.
///
/// Pieces are asked for in the order of the text. What does not fit throws, naming the byte.
struct JSONScanner {
    let file: String
    /// What the text is, as errors call it: `header`, `config`.
    let part: String
    let bytes: UnsafeRawBufferPointer
    /// The position of `bytes` in the file, for errors.
    let origin: Int
    var position = 0
    private var depth = 0

    static let depthLimit = 128

    init(_ bytes: UnsafeRawBufferPointer, origin: Int = 0, file: String, part: String) {
        self.bytes = bytes
        self.origin = origin
        self.file = file
        self.part = part
    }

    func failure(_ reason: String, at position: Int? = nil) -> CheckpointError {
        CheckpointError(
            file: file, field: part,
            reason: "at byte \(origin + (position ?? self.position)): \(reason); the file is damaged")
    }

    private mutating func skipSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return
            }
        }
    }

    /// The next byte that is not white space, which stays unread; 0 at the end.
    mutating func peek() -> UInt8 {
        skipSpace()
        return position < bytes.count ? bytes[position] : 0
    }

    mutating func take(_ byte: UInt8) -> Bool {
        guard peek() == byte, position < bytes.count else { return false }
        position += 1
        return true
    }

    private mutating func expect(_ character: Unicode.Scalar, _ place: String) throws(CheckpointError) {
        guard take(UInt8(ascii: character)) else { throw failure("expected \(character) \(place)") }
    }

    mutating func end() throws(CheckpointError) {
        skipSpace()
        guard position == bytes.count else { throw failure("text after the end of the value") }
    }

    /// Reads an object, calling `member` with each key; `member` must read the value. A key that occurs twice
    /// throws.
    mutating func object(
        _ member: (inout JSONScanner, String) throws(CheckpointError) -> Void
    ) throws(CheckpointError) {
        try expect("{", "where an object is expected")
        try enter()
        defer { depth -= 1 }
        if take(UInt8(ascii: "}")) { return }
        var keys: Set<String> = []
        repeat {
            _ = peek()
            let start = position
            let key = try string()
            guard keys.insert(key).inserted else {
                throw failure("the key \"\(key)\" occurs twice in one object", at: start)
            }
            try expect(":", "after a key")
            try member(&self, key)
        } while take(UInt8(ascii: ","))
        try expect("}", "or a comma after a member")
    }

    /// Reads an array, calling `element` before each one; it must read the element.
    mutating func array(_ element: (inout JSONScanner) throws(CheckpointError) -> Void) throws(CheckpointError) {
        try expect("[", "where an array is expected")
        try enter()
        defer { depth -= 1 }
        if take(UInt8(ascii: "]")) { return }
        repeat { try element(&self) } while take(UInt8(ascii: ","))
        try expect("]", "or a comma after an element")
    }

    /// Reads a value of any kind and keeps nothing of it.
    mutating func skipValue() throws(CheckpointError) {
        switch peek() {
        case UInt8(ascii: "{"): try object { (scanner, _) throws(CheckpointError) in try scanner.skipValue() }
        case UInt8(ascii: "["): try array { (scanner) throws(CheckpointError) in try scanner.skipValue() }
        case UInt8(ascii: "\""): _ = try string()
        default: if !takeWord("null"), !takeWord("true"), !takeWord("false") { _ = try number() }
        }
    }

    private mutating func enter() throws(CheckpointError) {
        depth += 1
        guard depth <= Self.depthLimit else {
            depth -= 1
            throw failure("nested deeper than \(Self.depthLimit)")
        }
    }

    /// One of the words `true`, `false`, `null` and, where they are asked for, others.
    mutating func takeWord(_ word: StaticString) -> Bool {
        skipSpace()
        let length = word.utf8CodeUnitCount
        guard length <= bytes.count - position,
            (0..<length).allSatisfy({ bytes[position + $0] == word.utf8Start[$0] })
        else { return false }
        position += length
        return true
    }

    /// The characters of a number by the grammar of JSON, and whether it has neither fraction nor exponent.
    mutating func number() throws(CheckpointError) -> (text: String, isInteger: Bool) {
        skipSpace()
        let start = position
        func digits(_ scanner: inout JSONScanner) -> Int {
            let start = scanner.position
            while scanner.position < scanner.bytes.count, (0x30...0x39).contains(scanner.bytes[scanner.position]) {
                scanner.position += 1
            }
            return scanner.position - start
        }
        func next(isOneOf characters: StaticString) -> Bool {
            position < bytes.count
                && (0..<characters.utf8CodeUnitCount).contains { characters.utf8Start[$0] == bytes[position] }
        }
        if next(isOneOf: "-") { position += 1 }
        let isZero = next(isOneOf: "0")
        let whole = digits(&self)
        guard whole > 0, !(isZero && whole > 1) else { throw failure("expected a value", at: start) }
        var isInteger = true
        if next(isOneOf: ".") {
            position += 1
            isInteger = false
            guard digits(&self) > 0 else { throw failure("a number without digits after its point", at: start) }
        }
        if next(isOneOf: "eE") {
            position += 1
            isInteger = false
            if next(isOneOf: "+-") { position += 1 }
            guard digits(&self) > 0 else { throw failure("a number without digits in its exponent", at: start) }
        }
        return (String(decoding: bytes[start..<position], as: UTF8.self), isInteger)
    }

    /// A whole number that is not negative.
    mutating func size() throws(CheckpointError) -> Int {
        _ = peek()
        let start = position
        let (text, isInteger) = try number()
        guard isInteger, let value = Int(text), value >= 0 else {
            throw failure("\(text.prefix(40)) stands where a whole number from 0 to \(Int.max) is expected", at: start)
        }
        return value
    }

    mutating func string() throws(CheckpointError) -> String {
        try expect("\"", "where a string is expected")
        let start = position
        while position < bytes.count, bytes[position] != UInt8(ascii: "\""), bytes[position] != UInt8(ascii: "\\"),
            bytes[position] >= 0x20
        {
            position += 1
        }
        if position < bytes.count, bytes[position] == UInt8(ascii: "\"") {
            position += 1
            return try text(bytes[start..<position - 1], at: start)
        }
        var decoded = Array(bytes[start..<position])
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return try text(decoded, at: start)
            case UInt8(ascii: "\\"): try escape(into: &decoded)
            case 0..<0x20: throw failure("a control character inside a string", at: position - 1)
            default: decoded.append(byte)
            }
        }
        throw failure("a string without its closing quote", at: start)
    }

    private func text(_ bytes: some Collection<UInt8>, at start: Int) throws(CheckpointError) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw failure("a string that is not valid UTF-8", at: start)
        }
        return text
    }

    private mutating func escape(into decoded: inout [UInt8]) throws(CheckpointError) {
        guard position < bytes.count else { throw failure("a string without its closing quote") }
        let byte = bytes[position]
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): decoded.append(byte)
        case UInt8(ascii: "b"): decoded.append(0x08)
        case UInt8(ascii: "f"): decoded.append(0x0C)
        case UInt8(ascii: "n"): decoded.append(0x0A)
        case UInt8(ascii: "r"): decoded.append(0x0D)
        case UInt8(ascii: "t"): decoded.append(0x09)
        case UInt8(ascii: "u"): decoded.append(contentsOf: Array(String(try unicodeEscape()).utf8))
        default: throw failure("an unknown escape in a string", at: position - 1)
        }
    }

    private mutating func unicodeEscape() throws(CheckpointError) -> Unicode.Scalar {
        let start = position
        let high = try hexadecimal()
        if let scalar = Unicode.Scalar(UInt32(high)) { return scalar }
        guard high < 0xDC00, position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
            bytes[position + 1] == UInt8(ascii: "u")
        else { throw failure("half of a surrogate pair", at: start) }
        position += 2
        let low = try hexadecimal()
        guard (0xDC00...0xDFFF).contains(low) else { throw failure("half of a surrogate pair", at: start) }
        return Unicode.Scalar(0x10000 + (UInt32(high) - 0xD800) << 10 + (UInt32(low) - 0xDC00))!
    }

    private mutating func hexadecimal() throws(CheckpointError) -> UInt16 {
        guard bytes.count - position >= 4 else { throw failure("a \\u escape needs four hexadecimal digits") }
        var value: UInt16 = 0
        for offset in 0..<4 {
            let digit: UInt8
            switch bytes[position + offset] {
            case let byte where (0x30...0x39).contains(byte): digit = byte - 0x30
            case let byte where (0x41...0x46).contains(byte): digit = byte - 0x41 + 10
            case let byte where (0x61...0x66).contains(byte): digit = byte - 0x61 + 10
            default: throw failure("a \\u escape needs four hexadecimal digits")
            }
            value = value << 4 | UInt16(digit)
        }
        position += 4
        return value
    }
}
