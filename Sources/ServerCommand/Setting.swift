internal import Inference
internal import Logging
internal import Server
internal import Tensors

/// One setting of the server: a flag `--name`, an environment variable `APUS_NAME`, a key `name` of the configuration file.
struct Setting: Sendable {
    enum Value: Sendable {
        /// One value, as text.
        case one(@Sendable (String, inout Draft) throws(ServerError) -> Void)
        /// Any number of values.
        case many(@Sendable ([String], inout Draft) throws(ServerError) -> Void)
        /// A flag that needs no value.
        case flag(@Sendable (Bool, inout Draft) -> Void)
    }

    let name: String
    /// What the value is, for the help.
    let placeholder: String?
    let help: String
    let value: Value

    init(_ name: String, _ placeholder: String? = nil, _ help: String, _ value: Value) {
        self.name = name
        self.placeholder = placeholder
        self.help = help
        self.value = value
    }

    var variable: String { "APUS_" + name.uppercased().replacing("-", with: "_") }
}

/// The settings while they are being read.
struct Draft: Sendable {
    var settings = ServerSettings(models: [.init(name: "builtin:stories", path: "builtin:stories")])
    var certificates: String?
    var key: String?
    var logLevel = Logger.Level.info
    var logsJSON = false
    var keepsState = true
}

// MARK: Kinds of values

extension Setting.Value {
    static func text(_ set: @escaping @Sendable (String, inout Draft) -> Void) -> Self {
        .one { text, draft throws(ServerError) in set(text, &draft) }
    }

    static func integer(_ range: ClosedRange<Int>, _ set: @escaping @Sendable (Int, inout Draft) -> Void) -> Self {
        .one { text, draft throws(ServerError) in
            guard let value = Int(text), range.contains(value) else {
                throw ServerError("is '\(text)'; it must be a whole number in \(range.lowerBound)...\(range.upperBound)")
            }
            set(value, &draft)
        }
    }

    static func number(_ range: ClosedRange<Double>, _ set: @escaping @Sendable (Double, inout Draft) -> Void) -> Self {
        .one { text, draft throws(ServerError) in
            guard let value = Double(text), range.contains(value) else {
                throw ServerError("is '\(text)'; it must be a number in \(range.lowerBound)...\(range.upperBound)")
            }
            set(value, &draft)
        }
    }

    static func bytes(_ set: @escaping @Sendable (Int, inout Draft) -> Void) -> Self {
        .one { text, draft throws(ServerError) in
            guard let value = Self.byteCount(text), value > 0 else {
                throw ServerError("is '\(text)'; it must be a number of bytes, such as 8Gi, 500M or 1000000")
            }
            set(value, &draft)
        }
    }

    static func choice<Name: RawRepresentable<String> & CaseIterable & Sendable>(
        _: Name.Type, _ set: @escaping @Sendable (Name, inout Draft) -> Void
    ) -> Self {
        .one { text, draft throws(ServerError) in
            guard let value = Name(rawValue: text) else {
                throw ServerError("is '\(text)'; it must be one of \(Name.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            set(value, &draft)
        }
    }

    private static func byteCount(_ text: String) -> Int? {
        let units = ["Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "K": 1000, "M": 1_000_000, "G": 1_000_000_000]
        for (unit, factor) in units.sorted(by: { $0.key.count > $1.key.count }) where text.hasSuffix(unit) {
            guard let number = Double(text.dropLast(unit.count)), number >= 0, number * Double(factor) < 9e18 else { return nil }
            return Int(number * Double(factor))
        }
        return Int(text)
    }
}

/// How keys and values are kept.
enum CacheTypeName: String, CaseIterable, Sendable {
    case f32, f16, bf16

    var type: CacheType {
        switch self {
        case .f32: .f32
        case .f16: .f16
        case .bf16: .bf16
        }
    }
}

enum LogFormat: String, CaseIterable, Sendable { case text, json }
enum LogLevel: String, CaseIterable, Sendable { case debug, info, warning, error }
