internal import Tensors

/// Rows of activations with memory of their own, filled with numbers between -1 and 1.
final class RandomRows {
    private let buffer: Buffer
    private let count: Int

    init(_ count: Int, width: Int) {
        buffer = Buffer(capacity: count, width: width)
        self.count = count
        fill()
    }

    var all: Rows { buffer.rows(count) }
    func first(_ count: Int) -> Rows { buffer.rows(count) }

    /// Numbers that in-place operations may have changed become what they were.
    func fill() {
        var noise = SplitMix64(state: 3)
        for row in 0..<count {
            let elements = buffer.rows(count).elements(of: row)
            for index in elements.indices { elements[index] = Float.random(in: -1...1, using: &noise) }
        }
    }
}

/// Fills a page with small numbers of either sign, whatever the cache's type; a page that was never written would be
/// read from one page of zeros.
func fillPage(_ cache: CacheStorage, _ page: Int) {
    let type: ElementType =
        switch cache.type {
        case .f32: .f32
        case .f16: .f16
        case .bf16: .bf16
        }
    var random = RandomWeights(type: type, deviation: 0.5, seed: UInt64(page + 1))
    random.fill(cache.pageContents(page))
}
