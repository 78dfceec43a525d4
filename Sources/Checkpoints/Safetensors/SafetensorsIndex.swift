/// `model.safetensors.index.json`: which file of a folder holds which tensor.
package struct SafetensorsIndex: Sendable {
    package static let fileName = "model.safetensors.index.json"

    /// The index file, as it was opened.
    package let file: String
    /// The names of the shards, each once, sorted: `-00001-of-…` comes before `-00002-of-…`.
    package let shards: [String]
    /// The shard of each tensor.
    package let shardOfTensor: [String: String]

    package init(_ file: MappedFile) throws(CheckpointError) {
        self.file = file.path
        guard file.bytes.count <= SafetensorsFile.headerLimit else {
            throw CheckpointError(
                file: file.path,
                reason: "it has \(file.bytes.count) bytes; an index of at most \(SafetensorsFile.headerLimit) is read")
        }
        // The scanner points into the file without keeping it.
        guard let map = try withExtendedLifetime(file, { () throws(CheckpointError) in try Self.weightMap(file) })
        else {
            throw CheckpointError(
                file: file.path, field: "weight_map", reason: "this key is missing; download the index again")
        }
        guard !map.isEmpty else {
            throw CheckpointError(
                file: file.path, field: "weight_map", reason: "it lists no tensor; download the index again")
        }
        shardOfTensor = map
        shards = Set(map.values).sorted()
    }

    private static func weightMap(_ file: MappedFile) throws(CheckpointError) -> [String: String]? {
        var scanner = JSONScanner(file.bytes, file: file.path, part: "index")
        var map: [String: String]?
        try scanner.object { (scanner, key) throws(CheckpointError) in
            guard key == "weight_map" else {
                try scanner.skipValue()
                return
            }
            var shards: [String: String] = [:]
            try scanner.object { (scanner, tensor) throws(CheckpointError) in
                let shard = try scanner.string()
                try check(shard, tensor: tensor, file: file.path)
                shards[tensor] = shard
            }
            map = shards
        }
        try scanner.end()
        return map
    }

    /// A shard lies beside its index: a name that leads elsewhere could make a model read any file of the user's.
    private static func check(_ shard: String, tensor: String, file: String) throws(CheckpointError) {
        let isPlain = !shard.utf8.contains { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") || $0 == 0 }
        guard isPlain, shard.utf8.count <= 255, shard.utf8.count > ".safetensors".utf8.count,
            shard.hasSuffix(".safetensors")
        else {
            throw CheckpointError(
                file: file, tensor: tensor, field: "weight_map",
                reason: "\"\(shard.prefix(80))\" must be the plain name of a .safetensors file in the same folder")
        }
    }
}
