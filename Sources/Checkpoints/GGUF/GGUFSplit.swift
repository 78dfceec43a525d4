/// A model in several GGUF files: their names, and what must agree between them.
enum GGUFSplit {
    /// What a file name such as `model-00002-of-00003.gguf` says.
    struct Name: Equatable {
        var stem: String
        /// From 1 to `count`.
        var number: Int
        var count: Int

        /// Nil where `fileName` does not end in `-<5 digits>-of-<5 digits><suffix>` with numbers that make sense.
        init?(_ fileName: String, suffix: String) {
            let bytes = Array(fileName.utf8)
            let ending = Array(suffix.utf8)
            let length = 1 + 5 + 4 + 5
            guard bytes.count >= length + ending.count, bytes.suffix(ending.count).elementsEqual(ending) else {
                return nil
            }
            let start = bytes.count - ending.count - length
            let tail = bytes[start..<start + length]
            guard tail.first == UInt8(ascii: "-"), tail[start + 6..<start + 10].elementsEqual("-of-".utf8),
                let number = Self.decimal(tail[start + 1..<start + 6]),
                let count = Self.decimal(tail[start + 10..<start + 15]),
                number >= 1, number <= count
            else { return nil }
            stem = String(decoding: bytes[..<start], as: UTF8.self)
            self.number = number
            self.count = count
        }

        private static func decimal(_ digits: ArraySlice<UInt8>) -> Int? {
            guard digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
            return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
        }

        /// The name of the part `number`, which must have at most five digits.
        func part(_ number: Int, suffix: String) -> String {
            func padded(_ value: Int) -> String {
                let digits = String(value)
                return String(repeating: "0", count: 5 - digits.utf8.count) + digits
            }
            return "\(stem)-\(padded(number))-of-\(padded(count))\(suffix)"
        }
    }

    /// Checks that `files` are the parts of one model, in order.
    ///
    /// - Throws: ``CheckpointError`` naming the part whose `split.no`, `split.count` or `split.tensors.count` is
    ///   missing or differs.
    static func check(_ files: [GGUFFile]) throws(CheckpointError) {
        let total = files.reduce(0) { $0 + $1.tensors.count }
        for (index, file) in files.enumerated() {
            guard files.count > 1 || file.metadata.has("split.count") else { return }
            try expect(file.metadata, "split.count", files.count, "the number of files of this name")
            guard files.count > 1 else { return }
            try expect(file.metadata, "split.no", index, "the place in the file's name, counted from 0")
            if file.metadata.has("split.tensors.count") || index == 0 {
                try expect(file.metadata, "split.tensors.count", total, "the number of tensors in all parts")
            }
        }
    }

    private static func expect(
        _ metadata: GGUFMetadata, _ key: String, _ wanted: Int, _ meaning: String
    ) throws(CheckpointError) {
        let found = try metadata.int(key)
        guard found == wanted else {
            throw CheckpointError(
                file: metadata.file.path, field: key,
                reason: "it is \(found) and must be \(wanted), \(meaning); "
                    + "put all parts of one download in one folder under their original names")
        }
    }
}
