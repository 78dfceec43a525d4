/// Reads the wire format of protocol buffers, field by field, every length checked against what is left.
struct ProtobufReader {
    private let bytes: ArraySlice<UInt8>
    private var position: Int
    private let path: String

    init(_ bytes: ArraySlice<UInt8>, _ path: String) {
        self.bytes = bytes
        self.path = path
        position = bytes.startIndex
    }

    enum Value {
        case varint(UInt64)
        case fixed64(UInt64)
        case fixed32(UInt32)
        case delimited(ArraySlice<UInt8>)
    }

    struct Field {
        let number: Int
        let value: Value
        let path: String

        private func wrong(_ kind: String) -> TokenizerError {
            TokenizerError(
                part: path, reason: "field \(number) must be \(kind); the file is damaged or of another kind")
        }

        func message() throws(TokenizerError) -> ProtobufReader { ProtobufReader(try bytes(), "\(path).\(number)") }

        func bytes() throws(TokenizerError) -> ArraySlice<UInt8> {
            guard case .delimited(let slice) = value else { throw wrong("a string of bytes") }
            return slice
        }

        /// Negative numbers are stored in 64 bits.
        func integer() throws(TokenizerError) -> Int {
            guard case .varint(let number) = value else { throw wrong("a whole number") }
            return Int(truncatingIfNeeded: number)
        }

        func float() throws(TokenizerError) -> Float {
            guard case .fixed32(let bits) = value else { throw wrong("a 32-bit number") }
            return Float(bitPattern: bits)
        }
    }

    private func truncated(_ what: String) -> TokenizerError {
        TokenizerError(
            part: path,
            reason: "the file ends inside \(what) at byte \(position); it is cut short or no protocol buffer")
    }

    mutating func next() throws(TokenizerError) -> Field? {
        guard position < bytes.endIndex else { return nil }
        let key = try varint()
        let number = Int(truncatingIfNeeded: key >> 3 & 0x1FFF_FFFF)
        let value: Value
        switch key & 7 {
        case 0: value = .varint(try varint())
        case 1: value = .fixed64(try fixed(8))
        case 5: value = .fixed32(UInt32(truncatingIfNeeded: try fixed(4)))
        case 2:
            let length = try varint()
            guard length <= UInt64(bytes.endIndex - position) else { throw truncated("field \(number)") }
            let end = position + Int(length)
            value = .delimited(bytes[position..<end])
            position = end
        case let kind:
            throw TokenizerError(
                part: path, reason: "a field of wire type \(kind) at byte \(position); this is no SentencePiece model")
        }
        return Field(number: number, value: value, path: path)
    }

    private mutating func varint() throws(TokenizerError) -> UInt64 {
        var value: UInt64 = 0
        for shift in 0..<UInt64(10) {
            guard position < bytes.endIndex else { throw truncated("a number") }
            let byte = bytes[position]
            position += 1
            value |= UInt64(byte & 0x7F) << (shift * 7)
            if byte < 0x80 { return value }
        }
        throw TokenizerError(part: path, reason: "a number of more than ten bytes before byte \(position)")
    }

    private mutating func fixed(_ count: Int) throws(TokenizerError) -> UInt64 {
        guard bytes.endIndex - position >= count else { throw truncated("a number") }
        var value: UInt64 = 0
        for offset in 0..<count { value |= UInt64(bytes[position + offset]) << UInt64(8 * offset) }
        position += count
        return value
    }
}
