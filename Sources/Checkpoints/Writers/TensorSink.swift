/// The data section of a file being written: tensors in the order its header promised, each with the promised
/// number of bytes.
struct TensorSink: ~Copyable {
    struct Part {
        var name: String
        var byteCount: Int
        /// Zero bytes that follow the tensor.
        var padding: Int
    }

    private let file: AtomicFile
    private let parts: [Part]
    private var next = 0
    private var written = 0

    init(file: AtomicFile, parts: [Part]) {
        self.file = file
        self.parts = parts
    }

    private func failure(_ tensor: String, _ reason: String) -> CheckpointError {
        CheckpointError(file: file.path, tensor: tensor, reason: reason)
    }

    /// Adds bytes to the tensor `name`, which must be the one being written or, where that is complete, the next.
    mutating func append(_ bytes: UnsafeRawBufferPointer, to name: String) throws(CheckpointError) {
        while next < parts.count, parts[next].byteCount == 0, parts[next].name != name { try advance() }
        guard next < parts.count else {
            throw failure(name, "all \(parts.count) tensors of this file are written already")
        }
        let part = parts[next]
        guard part.name == name else {
            throw failure(
                name,
                "it cannot be written now: tensor \(part.name) comes next and has \(written) of its \(part.byteCount) bytes"
            )
        }
        guard bytes.count <= part.byteCount - written else {
            throw failure(
                name, "\(written) + \(bytes.count) bytes are more than the \(part.byteCount) its shape and type take")
        }
        try file.append(bytes)
        written += bytes.count
        if written == part.byteCount { try advance() }
    }

    private mutating func advance() throws(CheckpointError) {
        try file.append(zeros: parts[next].padding)
        next += 1
        written = 0
    }

    mutating func finish() throws(CheckpointError) {
        while next < parts.count, parts[next].byteCount == 0 { try advance() }
        if next < parts.count {
            throw failure(
                parts[next].name,
                "it has \(written) of its \(parts[next].byteCount) bytes; write all tensors before finishing")
        }
        try file.commit()
    }
}
