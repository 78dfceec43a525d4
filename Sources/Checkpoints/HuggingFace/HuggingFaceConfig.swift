/// `config.json` or `generation_config.json` of a model folder, or an object nested in one.
///
/// Each accessor comes twice: `int("key")` throws where the key is missing, `int(ifPresent: "key")` returns nil
/// then. A `null` counts as missing. A value of another type throws, naming the file and the key; the keys of
/// nested objects are named with a dot, as in `rope_scaling.factor`.
public struct HuggingFaceConfig: Sendable {
    /// The file, as it was opened.
    public let file: String
    /// The keys that led here from the top of the file, each followed by a dot; empty at the top.
    private let prefix: String
    private let members: [String: JSONNode]
    /// The keys whose value is not `null`, in the order of the file.
    public let keys: [String]

    /// - Throws: ``CheckpointError`` where the bytes are not one JSON object, or an object repeats a key.
    package init(_ file: MappedFile) throws(CheckpointError) {
        guard file.bytes.count <= Self.byteLimit else {
            throw CheckpointError(
                file: file.path,
                reason: "it has \(file.bytes.count) bytes; a configuration of at most \(Self.byteLimit) is read")
        }
        // The scanner points into the file without keeping it.
        let members = try withExtendedLifetime(file) { () throws(CheckpointError) in
            var scanner = JSONScanner(file.bytes, file: file.path, part: "config")
            let members = try JSONNode.members(&scanner)
            try scanner.end()
            return members
        }
        self.init(file: file.path, prefix: "", members)
    }

    private init(file: String, prefix: String, _ members: [(key: String, value: JSONNode)]) {
        let present = members.filter { if case .null = $0.value { false } else { true } }
        self.file = file
        self.prefix = prefix
        self.members = Dictionary(uniqueKeysWithValues: present.map { ($0.key, $0.value) })
        keys = present.map(\.key)
    }

    /// Far more than any configuration has; the values in memory take some twenty times the bytes of the worst text.
    static let byteLimit = 16 << 20

    /// True where the object has this key with a value other than `null`.
    public func has(_ key: String) -> Bool { members[key] != nil }

    /// True where the value is an object, which ``object(_:)`` would return.
    public func isObject(_ key: String) -> Bool { if case .object = members[key] { true } else { false } }

    // MARK: Scalars

    /// A whole number; `4096.0` counts as one.
    public func int(_ key: String) throws(CheckpointError) -> Int { try required(key, int(ifPresent: key)) }

    public func int(ifPresent key: String) throws(CheckpointError) -> Int? {
        try convert(key, "a whole number", \.int)
    }

    /// Any number; configurations written by Python may hold `Infinity` and `NaN`.
    public func double(_ key: String) throws(CheckpointError) -> Double { try required(key, double(ifPresent: key)) }

    public func double(ifPresent key: String) throws(CheckpointError) -> Double? {
        try convert(key, "a number", \.double)
    }

    /// A truth value.
    public func bool(_ key: String) throws(CheckpointError) -> Bool { try required(key, bool(ifPresent: key)) }

    public func bool(ifPresent key: String) throws(CheckpointError) -> Bool? {
        try convert(key, "true or false", \.bool)
    }

    /// A text.
    public func string(_ key: String) throws(CheckpointError) -> String { try required(key, string(ifPresent: key)) }

    public func string(ifPresent key: String) throws(CheckpointError) -> String? {
        try convert(key, "a string", \.string)
    }

    // MARK: Lists and objects

    /// A list of whole numbers; a single one counts as a list of one, as in `eos_token_id`.
    public func ints(_ key: String) throws(CheckpointError) -> [Int] { try required(key, ints(ifPresent: key)) }

    public func ints(ifPresent key: String) throws(CheckpointError) -> [Int]? {
        try convertList(key, "a list of whole numbers", \.int)
    }

    /// A list of numbers; a single one counts as a list of one.
    public func doubles(_ key: String) throws(CheckpointError) -> [Double] {
        try required(key, doubles(ifPresent: key))
    }

    public func doubles(ifPresent key: String) throws(CheckpointError) -> [Double]? {
        try convertList(key, "a list of numbers", \.double)
    }

    /// A list of truth values; a single one counts as a list of one.
    public func bools(_ key: String) throws(CheckpointError) -> [Bool] { try required(key, bools(ifPresent: key)) }

    public func bools(ifPresent key: String) throws(CheckpointError) -> [Bool]? {
        try convertList(key, "a list of true and false", \.bool)
    }

    /// A list of strings; a single one counts as a list of one, as in `architectures` of some files.
    public func strings(_ key: String) throws(CheckpointError) -> [String] {
        try required(key, strings(ifPresent: key))
    }

    public func strings(ifPresent key: String) throws(CheckpointError) -> [String]? {
        try convertList(key, "a list of strings", \.string)
    }

    /// A nested object, such as `rope_scaling`, `rope_parameters` or `text_config`.
    public func object(_ key: String) throws(CheckpointError) -> HuggingFaceConfig {
        try required(key, object(ifPresent: key))
    }

    public func object(ifPresent key: String) throws(CheckpointError) -> HuggingFaceConfig? {
        guard let members = try convert(key, "an object", \.object) else { return nil }
        return HuggingFaceConfig(file: file, prefix: prefix + key + ".", members)
    }

    /// A list of nested objects.
    public func objects(ifPresent key: String) throws(CheckpointError) -> [HuggingFaceConfig]? {
        guard let list = try convertList(key, "a list of objects", \.object) else { return nil }
        return list.enumerated().map { index, members in
            HuggingFaceConfig(file: file, prefix: "\(prefix)\(key)[\(index)].", members)
        }
    }

    /// An error about the value of `key`, for whoever reads it and finds it wrong.
    public func failure(_ key: String, _ reason: String) -> CheckpointError {
        CheckpointError(file: file, field: prefix + key, reason: reason)
    }

    private func convert<T>(_ key: String, _ wanted: String, _ value: (JSONNode) -> T?) throws(CheckpointError) -> T? {
        guard let node = members[key] else { return nil }
        guard let value = value(node) else { throw failure(key, "it is \(node.kind); \(wanted) is wanted") }
        return value
    }

    private func convertList<T>(
        _ key: String, _ wanted: String, _ value: (JSONNode) -> T?
    ) throws(CheckpointError) -> [T]? {
        guard let node = members[key] else { return nil }
        guard case .array(let elements) = node else { return [try convert(key, wanted, value)!] }
        var values: [T] = []
        for (index, element) in elements.enumerated() {
            guard let value = value(element) else {
                throw failure("\(key)[\(index)]", "it is \(element.kind); \(wanted) is wanted")
            }
            values.append(value)
        }
        return values
    }

    private func required<T>(_ key: String, _ value: T?) throws(CheckpointError) -> T {
        if let value { return value }
        throw failure(key, "this key is missing\(suggestion(for: key, among: keys))")
    }
}
