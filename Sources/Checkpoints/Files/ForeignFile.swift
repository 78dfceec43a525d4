/// True where a file is evidently one of the kinds that ``foreignFile(_:expected:)`` knows by name.
func isForeign(_ bytes: UnsafeRawBufferPointer) -> Bool {
    ["version https://git-lfs", "<!DOCTYPE", "<!doctype", "<html", "GGUF", "PK\u{3}\u{4}"]
        .contains { bytes.prefix($0.utf8.count).elementsEqual($0.utf8) }
}

/// Why a file does not start as `expected` files do, guessed from its first bytes: the mistakes people meet most.
func foreignFile(_ bytes: UnsafeRawBufferPointer, expected: String) -> String {
    func starts(with text: String) -> Bool { bytes.prefix(text.utf8.count).elementsEqual(text.utf8) }
    if starts(with: "version https://git-lfs") {
        return "this is a pointer of Git LFS, not the model itself; fetch the file with `git lfs pull`"
    }
    if starts(with: "<!DOCTYPE") || starts(with: "<!doctype") || starts(with: "<html") {
        return "this is a web page, not a model; download the file itself"
    }
    if ["tjgg", "fmgg", "lmgg"].contains(where: starts(with:)) {
        return "this is a file of the older GGML formats, which are not read; convert the model to GGUF"
    }
    if starts(with: "GGUF") { return "this is a GGUF file; give it a name that ends in .gguf" }
    if starts(with: "PK\u{3}\u{4}") || bytes.prefix(2).elementsEqual([0x80, 0x02]) {
        return "this is a pickled or zipped file, which is not read; convert the model to safetensors"
    }
    let found = bytes.prefix(8).map { byte in
        let digits = String(byte, radix: 16)
        return digits.count == 1 ? "0" + digits : digits
    }
    return "this is not a \(expected) file: it starts with the bytes \(found.joined(separator: " "))"
}
