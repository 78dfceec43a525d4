/// A benchmark that cannot run, in one sentence.
public enum BenchmarkError: Error, Sendable, Equatable, CustomStringConvertible {
    case noMemory(bytes: Int, purpose: String)
    case noRoom(bytes: Int, free: Int, folder: String)
    case unknownShape(String)
    case unknownFormat(String)
    case contextTooSmall(needed: Int, context: Int)
    case badFolder(String, reason: String)

    public var description: String {
        switch self {
        case .noMemory(let bytes, let purpose):
            "\(purpose) needs \(bytes / 1_000_000) MB that the system does not give; free some memory and try again"
        case .noRoom(let bytes, let free, let folder):
            "the model's file needs \(bytes / 1_000_000) MB and \(folder) has \(free / 1_000_000) MB free; "
                + "name another folder with --keep, or a smaller shape"
        case .unknownShape(let name):
            "there is no shape '\(name)'; choose one of \(ModelSize.all.map(\.name).joined(separator: ", "))"
        case .unknownFormat(let name):
            "there is no format '\(name)'; choose one of \(WeightFormats.names.joined(separator: ", ")), "
                + "or one made of parts such as int4_g128; --format list lists them"
        case .contextTooSmall(let needed, let context):
            "the measurement needs \(needed) positions and the model has \(context); "
                + "lower --prompt, --generate or --context"
        case .badFolder(let folder, let reason):
            "\(folder) cannot hold the model's file: \(reason); name another folder with --keep"
        }
    }
}
