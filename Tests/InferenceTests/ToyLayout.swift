import Foundation
import Tensors

/// A cache layout that has nothing in common with the plain one: slot after slot, each head's key and value in bytes with a
/// scale of their own, attention in double precision from the first slot to the last.
struct ToyLayout: CacheLayout {
    let name = "toy"

    func pageBytes(_ layers: [CacheLayerShape], pageSize: Int) -> Int {
        layers.reduce(0) { $0 + pageSize * Self.slotBytes($1) }
    }

    static func slotBytes(_ layer: CacheLayerShape) -> Int { layer.heads * (8 + layer.keyWidth + layer.valueWidth) }

    func allocate(_ layers: [CacheLayerShape], pageSize: Int, pageCount: Int) -> (any PagedCache)? {
        ToyCache(layers, pageSize: pageSize, pageCount: pageCount, pageBytes: pageBytes(layers, pageSize: pageSize))
    }
}

private final class ToyCache: PagedCache {
    let pageSize: Int
    let pageCount: Int
    let pageBytes: Int
    private let layers: [CacheLayerShape]
    private let base: UnsafeMutableRawPointer

    init(_ layers: [CacheLayerShape], pageSize: Int, pageCount: Int, pageBytes: Int) {
        (self.layers, self.pageSize, self.pageCount, self.pageBytes) = (layers, pageSize, pageCount, pageBytes)
        base = .allocate(byteCount: pageCount * pageBytes, alignment: 64)
        // Whoever reads what was not stored gets nonsense.
        base.initializeMemory(as: UInt8.self, repeating: 0xA5, count: pageCount * pageBytes)
    }

    deinit { base.deallocate() }

    private func head(_ layer: Int, _ head: Int, page: Int, slot: Int) -> UnsafeMutableRawPointer {
        let shape = layers[layer]
        let before = layers.prefix(layer).reduce(0) { $0 + pageSize * ToyLayout.slotBytes($1) }
        let width = 8 + shape.keyWidth + shape.valueWidth
        return base + page * pageBytes + before + slot * ToyLayout.slotBytes(shape) + head * width
    }

    private func pack(
        _ numbers: some Collection<Float>, scale: UnsafeMutableRawPointer, to codes: UnsafeMutableRawPointer
    ) {
        let largest = numbers.reduce(0) { max($0, abs($1)) }
        scale.storeBytes(of: largest / 127, as: Float.self)
        for (index, number) in numbers.enumerated() {
            let code = largest > 0 ? (number / largest * 127).rounded() : 0
            codes.storeBytes(of: Int8(code), toByteOffset: index, as: Int8.self)
        }
    }

    func store(keys: Rows, values: Rows, batch: BatchRows, layer: Int, _ ops: Ops) {
        let shape = layers[layer]
        for row in 0..<batch.count {
            let place = batch.place(of: row, pageSize: pageSize)
            for number in 0..<shape.heads {
                let target = head(layer, number, page: place.page, slot: place.slot)
                let key = keys.elements(of: row)[number * shape.keyWidth..<(number + 1) * shape.keyWidth]
                let value = values.elements(of: row)[number * shape.valueWidth..<(number + 1) * shape.valueWidth]
                pack(key, scale: target, to: target + 8)
                pack(value, scale: target + 4, to: target + 8 + shape.keyWidth)
            }
        }
    }

    func attend(
        _ queries: Rows, batch: BatchRows, layer: Int, window: Int?, scale: Float, softCap: Float, into out: Rows,
        _ ops: Ops
    ) {
        let shape = layers[layer]
        let queryHeads = queries.width / shape.keyWidth
        for row in 0..<batch.count {
            let query = queries.elements(of: row)
            let result = out.elements(of: row)
            for number in 0..<queryHeads {
                var heads: [UnsafeMutableRawPointer] = []
                var scores: [Double] = []
                for slot in batch.visible(to: row, window: window) {
                    let page = batch.page(slot / pageSize, of: row)
                    let entry = head(layer, number * shape.heads / queryHeads, page: page, slot: slot % pageSize)
                    var sum = 0.0
                    for d in 0..<shape.keyWidth {
                        sum +=
                            Double(query[number * shape.keyWidth + d])
                            * Double(entry.load(fromByteOffset: 8 + d, as: Int8.self))
                    }
                    let score = sum * Double(entry.load(as: Float.self)) * Double(scale)
                    scores.append(softCap > 0 ? Double(softCap) * tanh(score / Double(softCap)) : score)
                    heads.append(entry)
                }
                let largest = scores.max()!
                let weights = scores.map { exp($0 - largest) }
                let total = weights.reduce(0, +)
                for d in 0..<shape.valueWidth {
                    var sum = 0.0
                    for (entry, weight) in zip(heads, weights) {
                        let code = entry.load(fromByteOffset: 8 + shape.keyWidth + d, as: Int8.self)
                        sum += weight * Double(code) * Double(entry.load(fromByteOffset: 4, as: Float.self))
                    }
                    result[number * shape.valueWidth + d] = Float(sum / total)
                }
            }
        }
    }

    func copyPage(_ source: Int, to target: Int) {
        (base + target * pageBytes).copyMemory(from: base + source * pageBytes, byteCount: pageBytes)
    }

    func discard(_ page: Int) {
        (base + page * pageBytes).initializeMemory(as: UInt8.self, repeating: 0xA5, count: pageBytes)
    }

    func pageContents(_ page: Int) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: base + page * pageBytes, count: pageBytes)
    }
}
