/// One operation on two whole numbers, exact: sums, differences, products, and quotients without a remainder.
public struct IntegerOperation: Sendable, Hashable {
    public enum Symbol: Character, Sendable, Hashable, CaseIterable {
        case plus = "+"
        case minus = "-"
        case times = "*"
        case over = "/"

        /// Whether the operands may be exchanged.
        public var isCommutative: Bool { self == .plus || self == .times }
    }

    public let left: Int
    public let symbol: Symbol
    public let right: Int

    public init(_ left: Int, _ symbol: Symbol, _ right: Int) {
        self.left = left
        self.symbol = symbol
        self.right = right
    }

    /// The exact result; nil where it is no whole number that 64 bits hold: a division by 0 or with a remainder, an
    /// overflow.
    public var result: Int? {
        switch symbol {
        case .plus:
            let (sum, isTooLarge) = left.addingReportingOverflow(right)
            return isTooLarge ? nil : sum
        case .minus:
            let (difference, isTooLarge) = left.subtractingReportingOverflow(right)
            return isTooLarge ? nil : difference
        case .times:
            let (product, isTooLarge) = left.multipliedReportingOverflow(by: right)
            return isTooLarge ? nil : product
        case .over:
            guard right != 0 else { return nil }
            let (quotient, isTooLarge) = left.dividedReportingOverflow(by: right)
            return isTooLarge || quotient * right != left ? nil : quotient
        }
    }

    /// `12 + 30`.
    public var text: String { "\(left) \(symbol.rawValue) \(right)" }

    /// The same operation with the operands of sums and products in ascending order, so that 3 * 4 and 4 * 3 are one.
    var normalized: IntegerOperation {
        symbol.isCommutative && left > right ? IntegerOperation(right, symbol, left) : self
    }

    /// Reads `12 + 30`: two whole numbers, perhaps negative, around a symbol; spaces do not count. Nil for anything else.
    public init?(parsing text: some StringProtocol) {
        guard let (operation, rest) = Self.read(Array(text.utf8)[...]), rest.isEmpty else { return nil }
        self = operation
    }

    /// Reads an operation from the beginning of bytes and returns it with what follows.
    static func read(_ bytes: ArraySlice<UInt8>) -> (IntegerOperation, ArraySlice<UInt8>)? {
        guard let (left, afterLeft) = IntegerText.read(bytes) else { return nil }
        var rest = IntegerText.skipSpaces(afterLeft)
        guard let first = rest.popFirst(), let symbol = Symbol(rawValue: Character(UnicodeScalar(first))),
            let (right, afterRight) = IntegerText.read(rest)
        else { return nil }
        return (IntegerOperation(left, symbol, right), IntegerText.skipSpaces(afterRight))
    }
}

/// Whole numbers in text.
enum IntegerText {
    static func skipSpaces(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        bytes.drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
    }

    /// Whether nothing follows but spaces, and a full stop where it may.
    static func isEnd(_ bytes: ArraySlice<UInt8>, mayHaveStop: Bool = false) -> Bool {
        var rest = skipSpaces(bytes)
        if mayHaveStop, rest.first == UInt8(ascii: ".") { rest = skipSpaces(rest.dropFirst()) }
        return rest.isEmpty || rest.elementsEqual([UInt8(ascii: "\r")])
    }

    /// Spaces, perhaps a minus, digits. Nil where there is no number or 64 bits do not hold it.
    static func read(_ bytes: ArraySlice<UInt8>) -> (Int, ArraySlice<UInt8>)? {
        var rest = skipSpaces(bytes)
        let isNegative = rest.first == UInt8(ascii: "-")
        if isNegative { rest = rest.dropFirst() }
        let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard let number = Int((isNegative ? "-" : "") + String(decoding: digits, as: UTF8.self)) else { return nil }
        return (number, rest[digits.endIndex...])
    }
}
