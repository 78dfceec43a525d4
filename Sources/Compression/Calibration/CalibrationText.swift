public import Text

/// Rows of tokens that calibration runs a model on: a text's tokens from its beginning, in rows of one length.
public struct CalibrationText: Sendable {
    /// [samples][length]
    public let rows: [[Int32]]
    /// A hash of the text's bytes, as recipes keep it.
    public let hash: String

    public var tokens: Int { rows.reduce(0) { $0 + $1.count } }

    /// - Parameters:
    ///   - text: UTF-8.
    ///   - samples: rows to take, spread evenly over the text where it has more; fewer where it is short.
    ///   - length: tokens of a row, at least 2; one that begins with the tokenizer's beginning of text, where it has one.
    /// - Throws: ``CompressionError`` where the text does not fill one row.
    public init(_ text: String, tokenizer: Tokenizer, samples: Int, length: Int) throws {
        let ids = tokenizer.encode(text, special: false, addSpecialTokens: true)
        guard samples > 0, length >= 2, ids.count >= length else {
            throw CompressionError(
                "the calibration text has \(ids.count) tokens, and a row needs \(length): give a longer text with "
                    + "--calibration or shorter rows with --length")
        }
        let first = tokenizer.encode("", special: false, addSpecialTokens: true)
        let available = (ids.count - first.count) / (length - first.count)
        let count = min(samples, max(available, 1))
        rows = (0..<count).map { index in
            // Rows begin at whole multiples of their length, spread over the text.
            let place = count == available ? index : index * available / count
            let begin = first.count + place * (length - first.count)
            return first + ids[begin..<min(begin + length - first.count, ids.count)]
        }
        hash = contentHash(Array(text.utf8))
    }
}
