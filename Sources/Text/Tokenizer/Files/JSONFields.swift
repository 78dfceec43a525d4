/// A JSON object of a tokenizer's description and where it stands, so that mistakes can be named.
struct JSONFields {
    let value: JSONValue
    let path: String

    init(_ value: JSONValue, _ path: String) {
        self.value = value
        self.path = path
    }

    func failure(_ reason: String) -> TokenizerError { TokenizerError(part: path, reason: reason) }

    private func wrong(_ key: String, _ kind: String) -> TokenizerError {
        TokenizerError(part: "\(path).\(key)", reason: "this must be \(kind); mend the file or fetch it anew")
    }

    /// The member, or nil where it is missing or null.
    subscript(key: String) -> JSONFields? {
        guard let member = value[key], !member.isNull else { return nil }
        return JSONFields(member, "\(path).\(key)")
    }

    func optionalString(_ key: String) throws(TokenizerError) -> String? {
        guard let member = self[key] else { return nil }
        guard let text = member.value.stringValue else { throw wrong(key, "a string") }
        return text
    }

    func string(_ key: String) throws(TokenizerError) -> String {
        guard let text = try optionalString(key) else { throw wrong(key, "a string") }
        return text
    }

    func bytes(_ key: String) throws(TokenizerError) -> [UInt8] { Array(try string(key).utf8) }

    func bool(_ key: String, default fallback: Bool) throws(TokenizerError) -> Bool {
        guard let member = self[key] else { return fallback }
        guard let flag = member.value.boolValue else { throw wrong(key, "true or false") }
        return flag
    }

    func integer(_ key: String, default fallback: Int) throws(TokenizerError) -> Int {
        guard let member = self[key] else { return fallback }
        guard let number = member.value.intValue else { throw wrong(key, "a whole number") }
        return number
    }

    func list(_ key: String) throws(TokenizerError) -> [JSONFields] {
        guard let items = self[key]?.value.arrayValue else { throw wrong(key, "a list") }
        return items.enumerated().map { JSONFields($1, "\(path).\(key)[\($0)]") }
    }

    var type: String { value["type"]?.stringValue ?? "" }

    /// Ids are counted from 0 and bounded, so that a damaged id cannot ask for a huge table.
    static let idLimit = 1 << 24

    func id(_ value: JSONValue) throws(TokenizerError) -> Int32 {
        guard let number = value.intValue, number >= 0, number < Self.idLimit else {
            throw failure("an id must be a whole number from 0 to \(Self.idLimit - 1)")
        }
        return Int32(number)
    }
}
