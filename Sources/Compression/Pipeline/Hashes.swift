internal import Tensors

/// A hash of bytes as text, as recipes keep it.
func contentHash(_ bytes: [UInt8]) -> String {
    var hash = ContentHash()
    bytes.withUnsafeBytes { hash.add($0) }
    return hash.text
}
