internal import Tensors

/// Rotary position embedding (RoFormer, section 3.2): the frequencies of one rotation, in up to two variants.
struct Rotation: Sendable {
    /// [variants, half]
    var variants: Vector
    var half: Int
    /// On cos and sin: the attention factor of YaRN and longrope.
    var factor: Float
    /// Sequences longer than this use the second variant; nil where there is one variant.
    var originalContext: Int?

    func isLong(_ length: Int) -> Bool { originalContext.map { length > $0 } ?? false }

    /// base^(-2i / width) for i < width / 2, each step rounded to a float as the training frameworks do.
    static func frequencies(base: Double, width: Int) -> [Float] {
        stride(from: 0, to: width, by: 2).map { index in
            let exponent = Float(index) / Float(width)
            return 1 / Float(ScalarMath.pow(base, Double(exponent)))
        }
    }

    /// The scaling of Llama 3.1: long waves slow down by `factor`, short ones stay, those between are blended.
    static func llama3(
        _ frequencies: [Float], factor: Float, low: Float, high: Float, originalContext: Float
    ) -> [Float] {
        let turn = 2 * Float.pi
        return frequencies.map { frequency in
            let wavelength = turn / frequency
            if wavelength > originalContext / low { return frequency / factor }
            if wavelength < originalContext / high { return frequency }
            let blend = (originalContext / wavelength - low) / (high - low)
            return (1 - blend) * frequency / factor + blend * frequency
        }
    }

    /// YaRN (section 3.2): interpolation for dimensions that turn less than `slow` times in the original
    /// context, none for those that turn more than `fast` times, a ramp between.
    static func yarn(
        base: Double, width: Int, factor: Float, fast: Double, slow: Double, originalContext: Double, truncate: Bool
    ) -> [Float] {
        func dimension(_ turns: Double) -> Double {
            Double(width) * ScalarMath.log(originalContext / (turns * 2 * Double.pi)) / (2 * ScalarMath.log(base))
        }
        var low = dimension(fast)
        var high = dimension(slow)
        if truncate {
            low.round(.down)
            high.round(.up)
        }
        low = max(low, 0)
        high = min(high, Double(width - 1))
        if low == high { high += 0.001 }
        return frequencies(base: base, width: width).enumerated().map { index, frequency in
            let ramp = Float(min(max((Double(index) - low) / (high - low), 0), 1))
            return frequency / factor * ramp + frequency * (1 - ramp)
        }
    }
}
