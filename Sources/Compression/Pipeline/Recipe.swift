/// What a compression was made from and how: enough to make it again bit for bit, and a record of what came of it.
public struct Recipe: Codable, Sendable, Equatable {
    /// What the caller asked for, and what it was applied to: these fields decide every bit of the result.
    public struct Request: Codable, Sendable, Equatable {
        /// The method's name.
        public var method: String
        public var settings = MethodSettings()
        /// The format of projections: `Q4_K`, `INT4_G128`.
        public var format: String
        /// The format of the embedding and the projection to scores; nil to leave them as they are.
        public var embeddingFormat: String?
        /// Formats of single tensors, by their names in the source.
        public var formats: [String: String] = [:]
        /// Rows of calibration and tokens of each.
        public var samples = 64
        public var length = 512
        /// The rank of what takes back part of every projection's error; nil for none.
        public var lowRank: Int?
        /// The share of every projection's numbers that are kept at full precision beside it, 0 ..< 1; nil for none.
        public var sparse: Double?

        public init(method: String, format: String, embeddingFormat: String?) {
            self.method = method
            self.format = format
            self.embeddingFormat = embeddingFormat
        }
    }

    /// A file that went in.
    public struct Source: Codable, Sendable, Equatable {
        public var path: String
        /// Of its contents; a model's is that of all its tensors.
        public var hash: String

        public init(path: String, hash: String) {
            self.path = path
            self.hash = hash
        }
    }

    /// What became of a tensor.
    public struct TensorRecord: Codable, Sendable, Equatable {
        public var name: String
        public var format: String
        public var bytes: Int
        /// The squared error in its outputs as a share of the outputs' own, over the calibration rows; of the weight itself where
        /// the method read no calibration text.
        public var error: Double
        /// What the method chose for it.
        public var choices: [String: String]
    }

    /// The version of this file's layout and of the methods behind it: another one may give other bits.
    public static let version = 1

    public var version = Recipe.version
    public var request: Request
    public var model: Source
    public var calibration: Source?
    /// `gguf`, or the layout of a folder.
    public var container: String
    public var tensors: [TensorRecord] = []

    public init(request: Request, model: Source, calibration: Source?, container: String) {
        self.request = request
        self.model = model
        self.calibration = calibration
        self.container = container
    }
}
