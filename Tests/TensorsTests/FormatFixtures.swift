import CKernels
import Foundation
import Testing

/// SplitMix64, so that a failing case comes back.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }

    mutating func gaussian() -> Float {
        (0..<12).reduce(-6) { sum, _ in sum + Float.random(in: 0..<1, using: &self) }
    }
}

/// One instruction set's kernels.
struct KernelTable: @unchecked Sendable {
    let kernels: apus_kernels

    var name: String { String(cString: kernels.name) }

    /// Every table of this machine; `portable` last.
    static let all: [KernelTable] = {
        var tables: [KernelTable] = []
        var next = apus_available_kernels()!
        while let table = next.pointee {
            tables.append(KernelTable(kernels: table.pointee))
            next += 1
        }
        return tables
    }()
    static var portable: KernelTable { all[all.count - 1] }

    func dequantize(_ weight: GuardedWeight, row: Int) -> [Float] {
        var c = weight.c
        return [Float](unsafeUninitializedCapacity: weight.inputs) { buffer, count in
            kernels.dequantize(&c, Int64(row), buffer.baseAddress)
            count = weight.inputs
        }
    }

    /// The product of `rows` of activations with a weight, quantized and computed by this table: [rows][outputs].
    /// `panels` says in which order and parts the panels of 32 outputs are computed.
    func product(_ weight: GuardedWeight, _ rows: [[Float]], panels: [Range<Int>]? = nil) -> [[Float]] {
        let inputs = weight.inputs
        let count = rows.count
        let panelCount = (weight.outputs + 31) / 32
        // A stride beyond the panels, filled with a value that must survive.
        let stride = 32 * panelCount + 3
        let mark = Float(bitPattern: 0x7FC0_1234)
        var x = rows.flatMap { $0 }
        var activations = [UInt8](repeating: 0xA5, count: count * ((inputs + 255) / 256) * Int(APUS_ACTIVATION_BYTES))
        var out = [Float](repeating: mark, count: count * stride)
        let scratch = UnsafeMutableRawPointer.allocate(byteCount: scratchBytes, alignment: 64)
        defer { scratch.deallocate() }
        let panelled = GuardedPanels(weight.c, kernels)
        x.withUnsafeMutableBufferPointer { x in
            activations.withUnsafeMutableBufferPointer { activations in
                out.withUnsafeMutableBufferPointer { out in
                    let items = kernels.activation_items(Int64(count), Int64(inputs))
                    var quantize = apus_quantize_arguments(
                        x: x.baseAddress, stride: Int64(inputs), rows: Int64(count), inputs: Int64(inputs),
                        activations: activations.baseAddress, order: nil)
                    kernels.quantize(&quantize, 0, items, scratch)
                    var prepare = apus_prepare_arguments(
                        rows: Int64(count), inputs: Int64(inputs), type: Int32(weight.format.type),
                        activations: activations.baseAddress)
                    kernels.prepare(&prepare, 0, items, scratch)
                    var product = apus_product_arguments()
                    product.parts.0 = panelled.part(into: out.baseAddress!, stride: stride)
                    product.part_count = 1
                    product.rows = Int64(count)
                    product.activations = UnsafePointer(activations.baseAddress)
                    for part in panels ?? [0..<panelCount] {
                        kernels.product(&product, Int64(part.lowerBound), Int64(part.upperBound), scratch)
                    }
                }
            }
        }
        withExtendedLifetime(panelled) {}
        return (0..<count).map { row in
            for column in 32 * panelCount..<stride {
                #expect(out[row * stride + column].bitPattern == mark.bitPattern, "\(name) wrote past its panels")
            }
            return Array(out[row * stride..<row * stride + weight.outputs])
        }
    }
}

/// APUS_SCRATCH_BYTES: a macro with a product does not reach Swift.
let scratchBytes = 80 * 1024

/// The panels of a weight, their last byte the last of a page with no page behind it.
final class GuardedPanels {
    let weight: apus_weight, panelBytes: Int64, panelCount: Int
    private let mapping: UnsafeMutableRawPointer, mapped: Int, base: UnsafeMutablePointer<UInt8>

    init(_ weight: apus_weight, _ kernels: apus_kernels) {
        self.weight = weight
        panelBytes = apus_panel_bytes(weight.type, weight.inputs)
        panelCount = (Int(weight.outputs) + 31) / 32
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let count = panelCount * Int(panelBytes)
        let filled = (count + page - 1) / page * page
        mapped = filled + page
        mapping = mmap(nil, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        base = (mapping + (filled - count)).assumingMemoryBound(to: UInt8.self)
        mprotect(mapping + filled, page, PROT_NONE)
        var arguments = apus_pack_arguments(weight: weight, panels: base, panel_bytes: panelBytes)
        let scratch = UnsafeMutableRawPointer.allocate(byteCount: scratchBytes, alignment: 64)
        defer { scratch.deallocate() }
        kernels.pack(&arguments, 0, Int64(panelCount), scratch)
    }

    deinit { munmap(mapping, mapped) }

    var bytes: [UInt8] { Array(UnsafeBufferPointer(start: base, count: panelCount * Int(panelBytes))) }

    func part(into out: UnsafeMutablePointer<Float>, stride: Int) -> apus_product_part {
        apus_product_part(
            panels: base, panel_bytes: panelBytes, panel_count: Int64(panelCount), inputs: weight.inputs,
            type: weight.type, out: out, out_stride: Int64(stride))
    }
}

/// A weight whose last byte is the last of a page with no page behind it: reading past its end stops the test.
final class GuardedWeight: @unchecked Sendable {
    let format: FormatReference, outputs: Int, inputs: Int, bytes: [UInt8]
    /// Each row as the element-wise reference reads it.
    private(set) lazy var decodedRows = (0..<outputs).map { format.decodeRow(row($0)) }
    private let mapping: UnsafeMutableRawPointer, mapped: Int

    init(_ format: FormatReference, outputs: Int, inputs: Int, bytes: [UInt8]) {
        (self.format, self.outputs, self.inputs, self.bytes) = (format, outputs, inputs, bytes)
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let filled = (bytes.count + page - 1) / page * page
        mapped = filled + page
        mapping = mmap(nil, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        (mapping + (filled - bytes.count)).copyMemory(from: bytes, byteCount: bytes.count)
        mprotect(mapping + filled, page, PROT_NONE)
    }

    deinit { munmap(mapping, mapped) }

    var rowBytes: Int { inputs / format.inputs * format.bytes }
    var c: apus_weight {
        let data = mapping + (mapped - Int(sysconf(Int32(_SC_PAGESIZE))) - bytes.count)
        return apus_weight(
            data: data.assumingMemoryBound(to: UInt8.self), outputs: Int64(outputs), inputs: Int64(inputs),
            row_bytes: Int64(rowBytes), type: Int32(format.type))
    }
    func row(_ index: Int) -> ArraySlice<UInt8> { bytes[index * rowBytes..<(index + 1) * rowBytes] }

    /// Random codes under scales of the size of real ones, both signs.
    convenience init(_ format: FormatReference, outputs: Int, inputs: Int, random: inout SeededGenerator) {
        let blocks = outputs * inputs / format.inputs
        var bytes = (0..<blocks * format.bytes).map { _ in UInt8.random(in: 0...255, using: &random) }
        for block in 0..<blocks { format.setScales(&bytes, block: block) { 0.02 * random.gaussian() } }
        self.init(format, outputs: outputs, inputs: inputs, bytes: bytes)
    }
}

extension FormatReference {
    func setScales(_ bytes: inout [UInt8], block: Int, _ scale: () -> Float) {
        for at in zeroPoints { bytes[block * self.bytes + at] &= largestZeroPoint }
        for at in halves {
            if scaleType != 0 { GroupReference.put(scale(), scaleType, &bytes, block * self.bytes + at); continue }
            let bits = Float16(scale()).bitPattern
            bytes[block * self.bytes + at] = UInt8(bits & 255)
            bytes[block * self.bytes + at + 1] = UInt8(bits >> 8)
        }
        if type == APUS_MXFP4 { bytes[block * self.bytes] = UInt8(clamping: 127 + Int(scale() * 100)) }
    }

    /// The numbers of inputs to try: part-filled steps of 256 where the format has such.
    var inputCounts: [Int] { [32, 64, 96, 256, 288, 512].filter { $0 % inputs == 0 } }
}

/// Equal bits, or both NaN: no law fixes the bits of a NaN.
func sameBits(_ a: [Float], _ b: [Float]) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { $0.bitPattern == $1.bitPattern || $0.isNaN && $1.isNaN }
}

func sameRows(_ a: [[Float]], _ b: [[Float]]) -> Bool { a.count == b.count && zip(a, b).allSatisfy(sameBits) }

func gaussianRows(_ count: Int, _ width: Int, _ random: inout SeededGenerator) -> [[Float]] {
    (0..<count).map { _ in (0..<width).map { _ in random.gaussian() } }
}
