/// The 256 printable characters by which byte-level vocabularies write bytes: the bytes that are printable in Latin-1
/// stand for themselves, the others for U+0100 upwards in order (Radford et al., "Language Models are Unsupervised
/// Multitask Learners", 2019, section 2.2).
enum ByteAlphabet {
    static let scalars: [UInt32] = {
        var list: [UInt32] = []
        var next: UInt32 = 0x100
        for byte in UInt32(0)..<256 {
            if (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || (0xAE...0xFF).contains(byte) {
                list.append(byte)
            } else {
                list.append(next)
                next += 1
            }
        }
        return list
    }()

    /// The byte of each character of the alphabet, and 256 for the others, up to U+0143.
    static let bytes: [UInt16] = {
        var list = [UInt16](repeating: 256, count: 0x144)
        for (byte, scalar) in scalars.enumerated() { list[Int(scalar)] = UInt16(byte) }
        return list
    }()

    /// The bytes that a token written in the alphabet stands for, or nil where a character is not of the alphabet.
    static func decoded(_ token: some Collection<UInt8>) -> [UInt8]? {
        let copy = Array(token)
        return copy.withUnsafeBufferPointer { buffer -> [UInt8]? in
            guard let base = buffer.baseAddress else { return [] }
            var output: [UInt8] = []
            output.reserveCapacity(buffer.count)
            var position = 0
            while position < buffer.count {
                let (scalar, length) = UTF8Scalars.decode(base, position, buffer.count)
                guard scalar < 0x144, bytes[Int(scalar)] < 256 else { return nil }
                output.append(UInt8(bytes[Int(scalar)]))
                position += length
            }
            return output
        }
    }

    static func encoded(_ text: some Sequence<UInt8>) -> [UInt8] {
        var output: [UInt8] = []
        for byte in text { UTF8Scalars.append(scalars[Int(byte)], to: &output) }
        return output
    }
}
