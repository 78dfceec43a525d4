internal import Tensors

/// A way to compress a model, by the name that the command takes: perhaps scales folded in first, then a rounding.
public struct Method: Sendable {
    public let name: String
    /// One line of what it does, for the command's help.
    public let summary: String
    let scaler: (any Scaler)?
    let makeQuantizer: @Sendable (MethodSettings) -> any Quantizer

    /// What it reads of the calibration text.
    public var need: CalibrationNeed {
        max(scaler?.need ?? .nothing, makeQuantizer(MethodSettings()).need)
    }

    /// Every method, the simplest first.
    public static let all: [Method] = [
        Method(name: "rtn", summary: "each number to the nearest of its grid, scales clipped by search; no calibration", scaler: nil) { _ in
            RoundToNearest()
        },
        Method(name: "importance", summary: "the same with inputs weighted by their mean square, as an importance matrix does", scaler: nil) {
            _ in RoundToNearest(usesImportance: true, emphasizesLarge: true)
        },
        Method(name: "finequant", summary: "to the nearest, every weight with the group size that suits it; folders only", scaler: nil) {
            _ in FineQuant()
        },
        Method(name: "squeezellm", summary: "levels of each row's own, by weighted k-means (LUT3, LUT4); folders only", scaler: nil) {
            _ in SqueezeLLM()
        },
        Method(name: "gptq", summary: "column by column with error feedback, then sweeps over the codes", scaler: nil) { settings in
            GPTQ(order: settings.order, damping: settings.damping, sweeps: settings.sweeps)
        },
        Method(name: "awq", summary: "scales of salient inputs folded in, then rounding by importance", scaler: AWQ()) { _ in
            RoundToNearest(usesImportance: true)
        },
        Method(name: "awq+gptq", summary: "scales of salient inputs folded in, then error feedback", scaler: AWQ()) { settings in
            GPTQ(order: settings.order, damping: settings.damping, sweeps: settings.sweeps)
        },
        Method(name: "smoothquant", summary: "outliers moved from activations to weights, then rounding", scaler: SmoothQuant()) { _ in
            RoundToNearest(usesImportance: true)
        },
        Method(name: "os+", summary: "the same with scales searched for by the error in the outputs", scaler: OutlierSuppression()) { _ in
            RoundToNearest(usesImportance: true)
        },
    ]

    public static func named(_ name: String) -> Method? { all.first { $0.name == name.lowercased() } }
}

/// What can be set of the methods that have something to set.
public struct MethodSettings: Sendable, Codable, Equatable {
    public var order: GPTQ.Order = .best
    public var damping: Float = 0.01
    public var sweeps = 8

    public init() {}
}

extension GPTQ.Order: Codable {}
