internal import Text

/// The fields of a request's body. Each is asked for once by name; what nobody asked for is unknown, and an unknown
/// field is an error, or, where defaults say so, reported: nothing that a request says is passed over in silence. A field that
/// is null is absent.
struct RequestFields {
    private let members: [JSONValue.Member]
    private var known: Set<String> = []

    init(_ body: JSONValue) throws(APIError) {
        guard case .object(let members) = body else { throw APIError("the body is no JSON object; send {…}") }
        self.members = members
    }

    /// The value of a field, nil where it is absent or null. The last of several with one name counts.
    mutating func value(_ name: String) -> JSONValue? {
        known.insert(name)
        guard let value = members.last(where: { $0.key == name })?.value, !value.isNull else { return nil }
        return value
    }

    /// Takes note of fields that change nothing about an answer.
    mutating func accept(_ names: [String]) { known.formUnion(names) }

    /// Names of the fields that no one asked for, each as often as it occurs.
    ///
    /// - Throws: ``APIError`` for the first of them, unless defaults let them pass.
    func unknown(_ defaults: RequestDefaults) throws(APIError) -> [String] {
        guard defaults.ignoresUnknownFields else {
            try refuseUnknown()
            return []
        }
        return members.filter { !known.contains($0.key) && !$0.value.isNull }.map(\.key)
    }

    /// Refuses what no one asked for.
    func refuseUnknown() throws(APIError) {
        for member in members where !known.contains(member.key) {
            throw APIError(
                "the field '\(member.key)' is not known here; leave it out", parameter: member.key,
                code: "unknown_parameter")
        }
    }

    mutating func text(_ name: String) throws(APIError) -> String? {
        guard let value = value(name) else { return nil }
        guard let text = value.stringValue else { throw .invalid(name, "\(name) must be a text") }
        return text
    }

    mutating func flag(_ name: String) throws(APIError) -> Bool? {
        guard let value = value(name) else { return nil }
        guard let flag = value.boolValue else { throw .invalid(name, "\(name) must be true or false") }
        return flag
    }

    mutating func integer(_ name: String, _ range: ClosedRange<Int>? = nil) throws(APIError) -> Int? {
        guard let value = value(name) else { return nil }
        guard let integer = value.intValue else { throw .invalid(name, "\(name) must be a whole number") }
        if let range, !range.contains(integer) {
            throw .invalid(name, "\(name) is \(integer); it must lie in \(range.lowerBound)...\(range.upperBound)")
        }
        return integer
    }

    mutating func number(_ name: String) throws(APIError) -> Float? {
        guard let value = value(name) else { return nil }
        guard let number = value.doubleValue, Float(number).isFinite else {
            throw .invalid(name, "\(name) must be a number")
        }
        return Float(number)
    }

    /// One text, or a list of them.
    mutating func texts(_ name: String, atMost count: Int) throws(APIError) -> [String]? {
        guard let value = value(name) else { return nil }
        if let text = value.stringValue { return [text] }
        guard let list = value.arrayValue else { throw .invalid(name, "\(name) must be a text or a list of texts") }
        guard list.count <= count else {
            throw .invalid(name, "\(name) has \(list.count) texts; the most is \(count)")
        }
        var texts: [String] = []
        for element in list {
            guard let text = element.stringValue else { throw .invalid(name, "\(name) must hold texts only") }
            texts.append(text)
        }
        return texts
    }

    mutating func tokens(_ name: String) throws(APIError) -> [Int32]? {
        guard let value = value(name) else { return nil }
        guard let list = value.arrayValue, let tokens = Self.tokens(list) else {
            throw .invalid(name, "\(name) must be a list of token ids")
        }
        return tokens
    }

    /// Token ids; nil where something else is in the list.
    static func tokens(_ list: [JSONValue]) -> [Int32]? {
        var tokens: [Int32] = []
        tokens.reserveCapacity(list.count)
        for element in list {
            guard let integer = element.intValue, let token = Int32(exactly: integer) else { return nil }
            tokens.append(token)
        }
        return tokens
    }
}
