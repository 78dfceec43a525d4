public import Tensors

/// A way to keep quantized projections in safetensors files, for writing: the field's layouts, and Apus's own for what they lack.
public enum QuantizedContainer: String, Sendable, CaseIterable {
    /// GPTQ's: integers of 2, 3, 4 and 8 bits with half-precision scales; activation order.
    case gptq
    /// AWQ's GEMM layout: integers of 4 bits with half-precision scales.
    case awq
    /// compressed-tensors: integers of 2 to 8 bits as streams of bits, FP8, MXFP4.
    case compressedTensors = "compressed-tensors"
    /// Rows of any format as Apus reads them, named by config.json.
    case apus

    /// Whether it can hold a format.
    public func holds(_ type: ElementType) -> Bool {
        guard self != .apus else { return type.blockSize > 1 }
        guard let format = type.groupFormat else { return false }
        switch self {
        case .gptq: return [.int2, .int3, .int4, .int8].contains(format.coding) && format.scale == .f16 && format.group > 16
        case .awq: return format.coding == .int4 && format.scale == .f16 && format.group > 16
        case .compressedTensors:
            switch format.coding {
            case .int2, .int3, .int4, .int5, .int6, .int8: return format.scale != .e8m0 && format.group > 16
            case .fp8_E4M3: return format.scale != .e8m0
            case .fp4_E2M1: return format.scale == .e8m0 && format.group == 32
            default: return false
            }
        case .apus: return true
        }
    }

    /// The tensors that a projection becomes, in the order in which ``bytes(_:)`` makes them.
    ///
    /// - Parameter inOrder: whether its columns are in another order than its inputs.
    public func tensors(
        _ stem: String, type: ElementType, outputs: Int, inputs: Int, inOrder: Bool = false
    ) throws(CheckpointError) -> [SafetensorsWriter.TensorInfo] {
        try check(stem, type, outputs, inputs, inOrder)
        func info(_ part: String, _ shape: [Int], _ type: SafetensorsType) -> SafetensorsWriter.TensorInfo {
            SafetensorsWriter.TensorInfo(name: "\(stem).\(part)", shape: shape, type: type)
        }
        guard self != .apus, let format = type.groupFormat else {
            return [info("weight", [outputs, type.byteCount(elements: inputs)!], .u8)]
                + (inOrder ? [info("weight_order", [inputs], .i32)] : [])
        }
        let groups = inputs / format.group
        let bits = format.coding.bits
        switch self {
        case .gptq:
            return [
                info("qweight", [inputs / 32 * bits, outputs], .i32), info("qzeros", [groups, outputs / 32 * bits], .i32),
                info("g_idx", [inputs], .i32), info("scales", [groups, outputs], .f16),
            ]
        case .awq:
            return [
                info("qweight", [inputs, outputs / 8], .i32), info("qzeros", [groups, outputs / 8], .i32),
                info("scales", [groups, outputs], .f16),
            ]
        default: break
        }
        let scale: SafetensorsType = format.scale == .f16 ? .f16 : format.scale == .bf16 ? .bf16 : .f32
        switch format.coding {
        case .fp4_E2M1: return [info("weight_packed", [outputs, inputs / 2], .u8), info("weight_scale", [outputs, groups], .u8)]
        case .fp8_E4M3: return [info("weight_scale", [outputs, groups], scale), info("weight", [outputs, inputs], .f8_E4M3)]
        default:
            return [info("weight_shape", [2], .i64), info("weight_packed", [outputs, inputs / 32 * bits], .i32)]
                + (format.hasZeroPoints ? [info("weight_zero_point", [(outputs * bits + 31) / 32, groups], .i32)] : [])
                + (inOrder ? [info("weight_g_idx", [inputs], .i32)] : [])
                + [info("weight_scale", [outputs, groups], scale)]
        }
    }

    private func check(
        _ stem: String, _ type: ElementType, _ outputs: Int, _ inputs: Int, _ inOrder: Bool
    ) throws(CheckpointError) {
        func failure(_ reason: String) -> CheckpointError { CheckpointError(file: rawValue, tensor: stem, reason: reason) }
        guard holds(type) else { throw failure("\(type.name) has no place in this layout; the layout `apus` holds every format") }
        guard inputs % type.blockSize == 0 else {
            throw failure("\(inputs) inputs are no whole number of \(type.name)'s blocks of \(type.blockSize)")
        }
        let takesOrder = self == .apus || self != .awq && type.groupFormat?.coding.isInteger == true
        guard !inOrder || takesOrder else {
            throw failure("this layout has no place for an activation order")
        }
        guard self != .gptq || outputs % 32 == 0, self != .awq || outputs % 8 == 0 else {
            throw failure("\(outputs) outputs do not fill this layout's words")
        }
    }

    /// The bytes of each of ``tensors(_:type:outputs:inputs:inOrder:)``.
    ///
    /// - Parameters:
    ///   - rows: as a ``Tensors/Weight`` has them.
    ///   - order: which input each column multiplies; nil where each is in its place.
    /// - Complexity: O(bytes), on one thread.
    public func bytes(
        _ rows: UnsafeRawBufferPointer, type: ElementType, outputs: Int, inputs: Int, order: [Int32]? = nil
    ) -> [[UInt8]] {
        guard self != .apus, let format = type.groupFormat else { return [Array(rows)] + (order.map { [littleEndian($0)] } ?? []) }
        let parts = CodedRows(rows, format, outputs: outputs, inputs: inputs)
        switch self {
        case .gptq: return parts.gptq(order)
        case .awq: return parts.awq()
        default: return parts.compressed(order)
        }
    }

    /// `quantization_config` for config.json.
    ///
    /// - Parameters:
    ///   - types: the format of each projection, by its tensors' stem.
    ///   - plain: stems of projections that are kept as they are.
    /// - Throws: where a layout has one format for all and these are several.
    public func configuration(types: [String: ElementType], plain: [String]) throws(CheckpointError) -> String {
        if self == .apus {
            let formats = types.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \"\($0.value.name)\"" }
            return "{\"quant_method\": \"apus\", \"version\": 1, \"formats\": {\(formats.joined(separator: ", "))}}"
        }
        guard let format = types.values.first?.groupFormat, types.values.allSatisfy({ $0 == .group(format) }) else {
            let names = Set(types.values.map(\.name)).sorted().joined(separator: ", ")
            throw CheckpointError(
                file: "config.json", field: "quantization_config",
                reason: "the layout \(rawValue) has one format for all projections, and these have \(names); the layout apus holds both")
        }
        let ignored = plain.sorted().map { "\"\($0)\"" }.joined(separator: ", ")
        let symmetric = !format.hasZeroPoints
        switch self {
        case .gptq:
            return """
                {"quant_method": "gptq", "bits": \(format.coding.bits), "group_size": \(format.group), "sym": \(symmetric), \
                "desc_act": true, "checkpoint_format": "\(symmetric ? "gptq" : "gptq_v2")", "lm_head": false}
                """
        case .awq:
            return """
                {"quant_method": "awq", "bits": 4, "group_size": \(format.group), "zero_point": true, "version": "gemm", \
                "modules_to_not_convert": [\(ignored)]}
                """
        default:
            let isFloat = !format.coding.isInteger
            let name = format.coding == .fp4_E2M1 ? "mxfp4-pack-quantized" : isFloat ? "float-quantized" : "pack-quantized"
            return """
                {"quant_method": "compressed-tensors", "format": "\(name)", "quantization_status": "compressed", \
                "ignore": [\(ignored)], "config_groups": {"group_0": {"targets": ["Linear"], "weights": \
                {"num_bits": \(format.coding.bits), "type": "\(isFloat ? "float" : "int")", "symmetric": \(symmetric), \
                "strategy": "group", "group_size": \(format.group)}}}}
                """
        }
    }
}

func littleEndian<Number: FixedWidthInteger>(_ numbers: [Number]) -> [UInt8] {
    numbers.withUnsafeBytes { Array($0) }
}
