#if canImport(Glibc)
    internal import Glibc
#endif

/// Owns memory for rows of floats, aligned to 64 bytes and zeroed. Allocated once per engine, never in a step.
///
/// A row's stride covers whole panels of outputs and is kept off large powers of two, which would
/// put the same column of successive rows into one set of the first-level cache.
public struct Buffer: ~Copyable {
    let base: UnsafeMutablePointer<Float>
    /// Rows that fit.
    public let capacity: Int
    /// Meaningful elements of a row.
    public let width: Int
    let stride: Int

    /// - Parameters:
    ///   - capacity: the most rows it will hold, at least 1.
    ///   - width: elements of a row, at least 1.
    public init(capacity: Int, width: Int) {
        precondition(capacity > 0 && width > 0)
        self.capacity = capacity
        self.width = width
        stride = roundedUp(width, to: 32) + 16
        base = allocateAligned(bytes: capacity * stride * MemoryLayout<Float>.stride).assumingMemoryBound(
            to: Float.self)
    }

    /// A view of the first `count` rows. Valid while the buffer lives.
    public func rows(_ count: Int) -> Rows {
        precondition(count >= 0 && count <= capacity)
        return Rows(base: base, count: count, width: width, stride: stride)
    }

    public var bytes: Int { capacity * stride * MemoryLayout<Float>.stride }

    deinit { free(base) }
}

/// A view of rows of floats: `count` × `width`. The memory belongs to a ``Buffer`` or an arena that outlives every use
/// of the view; an engine owns both for its whole life, so a view is never stored beyond a step.
public struct Rows {
    let base: UnsafeMutablePointer<Float>
    public let count: Int
    public let width: Int
    let stride: Int

    /// The elements `first ..< first + width` of every row.
    public func columns(_ first: Int, width: Int) -> Rows {
        precondition(first >= 0 && width > 0 && first + width <= self.width)
        return Rows(base: base + first, count: count, width: width, stride: stride)
    }

    /// One row's elements. For the sampler and for tests; the layers work on whole rows.
    public func elements(of row: Int) -> UnsafeMutableBufferPointer<Float> {
        precondition(row >= 0 && row < count)
        return UnsafeMutableBufferPointer(start: base + row * stride, count: width)
    }

    /// Copies the rows of `source` named by `indices` here, in their order.
    public func gather(_ source: Rows, indices: UnsafeBufferPointer<Int32>) {
        precondition(indices.count == count && source.width == width)
        for (row, index) in indices.enumerated() {
            precondition(index >= 0 && Int(index) < source.count)
            (base + row * stride).update(from: source.base + Int(index) * source.stride, count: width)
        }
    }
}

/// A float vector of a model: a norm's weight or a bias. The memory belongs to the model's ``VectorArena``.
public struct Vector: @unchecked Sendable {
    let base: UnsafePointer<Float>
    public let count: Int

    public var elements: UnsafeBufferPointer<Float> { UnsafeBufferPointer(start: base, count: count) }
}

/// Owns the small float vectors of a model. Filled while the model loads, read-only afterwards.
public final class VectorArena: @unchecked Sendable {
    private var blocks: [UnsafeMutableRawPointer] = []

    public init() {}

    /// Copies floats in. O(count).
    public func store(_ values: [Float]) -> Vector {
        let block = allocateAligned(bytes: max(values.count, 1) * MemoryLayout<Float>.stride)
        blocks.append(block)
        let base = block.assumingMemoryBound(to: Float.self)
        values.withUnsafeBufferPointer { source in
            if let address = source.baseAddress { base.update(from: address, count: source.count) }
        }
        return Vector(base: base, count: values.count)
    }

    deinit { for block in blocks { free(block) } }
}

func roundedUp(_ value: Int, to multiple: Int) -> Int { (value + multiple - 1) / multiple * multiple }

/// Zeroed memory aligned to a cache line. Running out of memory here ends the process: sizes are planned before.
func allocateAligned(bytes: Int) -> UnsafeMutableRawPointer {
    var pointer: UnsafeMutableRawPointer?
    let status = posix_memalign(&pointer, 64, max(roundedUp(bytes, to: 64), 64))
    guard status == 0, let pointer else { fatalError("out of memory: \(bytes) bytes") }
    memset(pointer, 0, bytes)
    return pointer
}
