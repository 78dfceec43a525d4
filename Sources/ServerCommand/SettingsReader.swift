internal import Configuration
internal import Foundation
internal import Server
internal import SystemPackage

/// Puts the settings together: command line before environment before file.
struct SettingsReader {
    private let reader: ConfigReader

    /// - Throws: ``ServerError`` where the file cannot be read or holds what is not known.
    init(_ arguments: Arguments, environment: [String: String] = ProcessInfo.processInfo.environment) async throws {
        var flags: [AbsoluteConfigKey: ConfigValue] = [:]
        for (name, values) in arguments.values {
            guard let setting = Settings.all.first(where: { $0.name == name }) else { continue }
            if case .many = setting.value {
                flags[AbsoluteConfigKey([name])] = ConfigValue(.stringArray(values), isSecret: false)
            } else {
                flags[AbsoluteConfigKey([name])] = ConfigValue(.string(values[0]), isSecret: false)
            }
        }
        var providers: [any ConfigProvider] = [
            InMemoryProvider(name: "arguments", values: flags),
            KeyMappingProvider(upstream: EnvironmentVariablesProvider(environmentVariables: environment)) { key in
                AbsoluteConfigKey(["apus"] + key.components.map { $0.replacing("-", with: "_") })
            },
        ]
        for name in environment.keys where name.hasPrefix("APUS_") && !Self.others.contains(name) {
            guard Settings.all.contains(where: { $0.variable == name }) else {
                throw ServerError("the variable \(name) is not known. See 'apus serve --help'.")
            }
        }
        if let file = arguments.configurationFile ?? environment["APUS_CONFIG"] {
            try Self.check(file)
            do {
                providers.append(try await FileProvider<JSONSnapshot>(filePath: FilePath(file)))
            } catch {
                throw ServerError("\(file): the configuration file cannot be used: \(error)")
            }
        }
        reader = ConfigReader(providers: providers)
    }

    /// Variables of other parts of Apus.
    private static let others: Set<String> = ["APUS_MODELS", "APUS_CONFIG", "APUS_SERVE"]

    /// Refuses keys that mean nothing.
    private static func check(_ file: String) throws(ServerError) {
        guard let data = FileManager.default.contents(atPath: file) else {
            throw ServerError("\(file): there is no such configuration file, or it cannot be read")
        }
        guard let object = try? JSONSerialization.jsonObject(with: data) as? [String: Any] else {
            throw ServerError("\(file): the configuration file is no JSON object")
        }
        for name in object.keys.sorted() where !Settings.all.contains(where: { $0.name == name }) {
            throw ServerError("\(file): '\(name)' is not known. See 'apus serve --help'.")
        }
    }

    /// - Throws: ``ServerError`` for a value that is not allowed, with its setting's name.
    func draft() throws(ServerError) -> Draft {
        var draft = Draft()
        draft.settings.engine.maximumRunning = 256
        for setting in Settings.all {
            do throws(ServerError) {
                switch setting.value {
                case .one(let set): if let text = text(setting.name) { try set(text, &draft) }
                case .many(let set): if let texts = texts(setting.name) { try set(texts, &draft) }
                case .flag(let set):
                    guard let text = text(setting.name)?.lowercased() else { continue }
                    guard ["true", "false", "1", "0", "yes", "no"].contains(text) else {
                        throw ServerError("is '\(text)'; it must be true or false")
                    }
                    set(["true", "1", "yes"].contains(text), &draft)
                }
            } catch {
                throw ServerError("--\(setting.name) \(error). See 'apus serve --help'.")
            }
        }
        return draft
    }

    /// A value of any type, as text.
    private func text(_ name: String) -> String? {
        let key = ConfigKey([name])
        if let text = reader.string(forKey: key) { return text }
        if let value = reader.int(forKey: key) { return String(value) }
        if let value = reader.double(forKey: key) { return String(value) }
        return reader.bool(forKey: key).map { String($0) }
    }

    private func texts(_ name: String) -> [String]? {
        if let texts = reader.stringArray(forKey: ConfigKey([name])), !texts.isEmpty { return texts }
        return text(name).map { [$0] }
    }
}
