internal import CKernels
internal import Tensors

/// The peak loops of one instruction set.
struct PeakLoops: Sendable {
    nonisolated(unsafe) private let pointer: UnsafePointer<apus_limits>

    var name: String { String(cString: pointer.pointee.name) }

    /// Those this machine can run, fastest first; `portable` is the last.
    static let available: [PeakLoops] = {
        var all: [PeakLoops] = []
        var cursor = apus_available_limits()!
        while let pointer = cursor.pointee {
            all.append(PeakLoops(pointer: pointer))
            cursor += 1
        }
        return all
    }()

    /// The loops with a kernel table's name, or for a table without loops of its own the fastest this machine has.
    static func of(_ kernels: KernelTable) -> PeakLoops {
        available.first { $0.name == kernels.name } ?? available[0]
    }

    private enum Operation { case fma, dot }

    /// Thousand million floating-point operations a second; a multiply-add is two.
    func fmaRates(threads: Int, repeats: Int) -> Sample { rates(.fma, threads, repeats) }

    /// Thousand million operations on bytes a second; a multiply-add is two.
    func dotRates(threads: Int, repeats: Int) -> Sample { rates(.dot, threads, repeats) }

    private func rates(_ operation: Operation, _ threads: Int, _ repeats: Int) -> Sample {
        let loops = pointer.pointee
        let perIteration = Double(operation == .fma ? loops.fma_operations : loops.dot_operations)
        func seconds(_ iterations: Int64) -> Double {
            let loops = self
            return measureTogether(threads: threads) { _ in
                operation == .fma
                    ? loops.pointer.pointee.fma(iterations) : loops.pointer.pointee.dot(iterations)
            }
        }
        // About 20 ms each, after as long a run that wakes the wide units.
        let trial: Int64 = 1 << 19
        let iterations = max(trial, Int64(Double(trial) * 0.02 / max(seconds(trial), 1e-6)))
        _ = seconds(iterations)
        return Sample(
            (0..<repeats).map { _ in perIteration * Double(iterations) * Double(threads) / seconds(iterations) / 1e9 })
    }

    /// Reads `bytes` from `base`, shared out in equal parts; returns seconds.
    ///
    /// - Parameters:
    ///   - bytes: a multiple of threads × 4,096.
    ///   - streams: parts that a thread reads side by side: 1, 2, 4, 8 or 16.
    ///   - ahead: bytes from a read to its prefetch, 0 for none.
    func read(_ base: UnsafePointer<UInt8>, bytes: Int, threads: Int, streams: Int, ahead: Int) -> Double {
        let part = bytes / threads
        precondition(part % 4096 == 0)
        nonisolated(unsafe) let base = base
        return measureTogether(threads: threads) { number in
            pointer.pointee.read(base + number * part, Int64(part), Int32(streams), Int32(ahead))
        }
    }
}
