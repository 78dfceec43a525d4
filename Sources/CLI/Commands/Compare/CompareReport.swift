internal import Evaluation
internal import Foundation
internal import Inference

/// A comparison as `--json` prints it, and as text.
struct CompareReport {
    /// One model; the base comes first.
    struct Row: Encodable {
        struct Divergence: Encodable {
            var mean: Double
            var stderr: Double
            var median: Double
            var p99: Double
            var max: Double
        }

        struct AtTemperature: Encodable {
            var temperature: Float
            var kl: Double
            /// The share of draws with equal noise that give the base's token.
            var same_draw: Double
        }

        struct Task: Encodable {
            var accuracy: Double
            /// Ends at 95 %.
            var accuracy_interval: [Double]
            var accuracy_normalised: Double?
            var n: Int
            /// Questions right in the base and wrong here, and the other way round.
            var lost: Int?
            var won: Int?
        }

        struct Rate: Encodable {
            var tokens_per_s: Double
            /// (highest − lowest) / median.
            var spread: Double
        }

        var model: String
        var label: String
        var is_base: Bool
        var bytes: Int
        var bpw: Double
        var memory_bytes: Int
        var tokens: Int
        var perplexity: Double
        var perplexity_stderr: Double
        var perplexity_ratio: Double
        var perplexity_ratio_stderr: Double
        var kl: Double
        var kl_details: Divergence
        var top1: Double
        var top1_stderr: Double
        var temperatures: [AtTemperature]
        var tasks: [String: Task]
        /// Tokens a second; null without measurement.
        var prefill: Double?
        var decode: Double?
        var prefill_spread: Double?
        var decode_spread: Double?
        var prefill_tokens: Int?
        var decode_context: Int?
        /// No model of the comparison has fewer bytes and no more divergence.
        var on_front: Bool
        /// What it is recommended for: faithful, everyday, small.
        var uses: [String]
        var window: Int
        var stride: Int
        /// The recommendation, the same in every object.
        var recommendation: String

        // A missing figure is null, so that every object has the same keys.
        func encode(to encoder: any Encoder) throws {
            var keyed = encoder.container(keyedBy: CodingKeys.self)
            try keyed.encode(model, forKey: .model)
            try keyed.encode(label, forKey: .label)
            try keyed.encode(is_base, forKey: .is_base)
            try keyed.encode(bytes, forKey: .bytes)
            try keyed.encode(bpw, forKey: .bpw)
            try keyed.encode(memory_bytes, forKey: .memory_bytes)
            try keyed.encode(tokens, forKey: .tokens)
            try keyed.encode(perplexity, forKey: .perplexity)
            try keyed.encode(perplexity_stderr, forKey: .perplexity_stderr)
            try keyed.encode(perplexity_ratio, forKey: .perplexity_ratio)
            try keyed.encode(perplexity_ratio_stderr, forKey: .perplexity_ratio_stderr)
            try keyed.encode(kl, forKey: .kl)
            try keyed.encode(kl_details, forKey: .kl_details)
            try keyed.encode(top1, forKey: .top1)
            try keyed.encode(top1_stderr, forKey: .top1_stderr)
            try keyed.encode(temperatures, forKey: .temperatures)
            try keyed.encode(tasks, forKey: .tasks)
            try keyed.encode(prefill, forKey: .prefill)
            try keyed.encode(decode, forKey: .decode)
            try keyed.encode(prefill_spread, forKey: .prefill_spread)
            try keyed.encode(decode_spread, forKey: .decode_spread)
            try keyed.encode(prefill_tokens, forKey: .prefill_tokens)
            try keyed.encode(decode_context, forKey: .decode_context)
            try keyed.encode(on_front, forKey: .on_front)
            try keyed.encode(uses, forKey: .uses)
            try keyed.encode(window, forKey: .window)
            try keyed.encode(stride, forKey: .stride)
            try keyed.encode(recommendation, forKey: .recommendation)
        }

        enum CodingKeys: String, CodingKey {
            case model, label, is_base, bytes, bpw, memory_bytes, tokens, perplexity, perplexity_stderr
            case perplexity_ratio, perplexity_ratio_stderr, kl, kl_details, top1, top1_stderr, temperatures, tasks
            case prefill, decode, prefill_spread, decode_spread, prefill_tokens, decode_context, on_front, uses
            case window, stride, recommendation
        }
    }

    let rows: [Row]
    /// For the picture: the base first.
    let figures: [ComparedFigures]
    private let taskNames: [String]

    init(
        _ models: [ComparedModel], _ run: DivergenceRun, scores: [[ComparisonTask.Score]], rates: ComparisonRates?,
        settings: DivergenceRun.Settings, configuration: EngineConfiguration
    ) throws {
        let labels = ComparedFigures.labels(models.map(\.name))
        let divergences = [nil] + run.divergences.map { Optional($0) }
        let figures = models.indices.map {
            ComparedFigures(
                label: labels[$0], bytes: models[$0].weightBytes, divergence: divergences[$0],
                decode: rates?.rates[$0].decode.median)
        }
        self.figures = figures
        let recommendation = Recommendation(figures)
        let front = ComparedFigures.front(figures)
        taskNames = scores[0].map(\.task)
        let parameters = Double(max(models[0].shape.parameters, 1))
        rows = try models.indices.map { index in
            let model = models[index]
            let own = divergences[index]
            let perplexity = own?.perplexity ?? run.basePerplexity
            return Row(
                model: model.name, label: labels[index], is_base: index == 0, bytes: model.weightBytes,
                bpw: Double(model.weightBytes) * 8 / parameters,
                memory_bytes: try model.runningBytes(positions: settings.window, configuration: configuration),
                tokens: run.tokens, perplexity: perplexity.value, perplexity_stderr: perplexity.standardError,
                perplexity_ratio: own?.perplexityRatio.value ?? 1,
                perplexity_ratio_stderr: own?.perplexityRatio.standardError ?? 0, kl: own?.kl.value ?? 0,
                kl_details: Row.Divergence(
                    mean: own?.kl.value ?? 0, stderr: own?.kl.standardError ?? 0, median: own?.klMedian ?? 0,
                    p99: own?.kl99 ?? 0, max: own?.klLargest ?? 0),
                top1: own?.top1.value ?? 1, top1_stderr: own?.top1.standardError ?? 0,
                temperatures: ([1] + settings.temperatures.filter { $0 != 1 }).enumerated().map { place, temperature in
                    Row.AtTemperature(
                        temperature: temperature, kl: own?.temperatures[place].kl ?? 0,
                        same_draw: own?.temperatures[place].sameDraw ?? 1)
                },
                tasks: Dictionary(
                    uniqueKeysWithValues: scores[index].map { score in
                        (
                            score.task,
                            Row.Task(
                                accuracy: score.accuracy,
                                accuracy_interval: [score.interval.lowerBound, score.interval.upperBound],
                                accuracy_normalised: score.normalised, n: score.right.count, lost: score.lost,
                                won: score.won)
                        )
                    }), prefill: rates?.rates[index].prefill.median, decode: rates?.rates[index].decode.median,
                prefill_spread: rates?.rates[index].prefill.spread, decode_spread: rates?.rates[index].decode.spread,
                prefill_tokens: rates?.prompt, decode_context: rates?.context, on_front: front[index],
                uses: Recommendation.Use.allCases.filter { recommendation.choices[$0] == index }.map(\.rawValue),
                window: settings.window, stride: settings.stride, recommendation: recommendation.sentence)
        }
    }

    // MARK: Text

    var text: String {
        var text = ""
        let main = TextTable(
            head: [
                "", "size", "bpw", "perplexity", "ratio to base", "KL", "median", "99 %", "largest", "top-1", "memory",
            ],
            rows: rows.map { row in
                [
                    row.label + (row.is_base ? " (base)" : row.on_front ? " *" : ""), Console.bytes(row.bytes),
                    String(format: "%.2f", row.bpw),
                    String(format: "%.4g ± %.2g", row.perplexity, row.perplexity_stderr),
                    row.is_base ? "" : String(format: "%.4f ± %.4f", row.perplexity_ratio, row.perplexity_ratio_stderr),
                    row.is_base ? "" : String(format: "%.5f ± %.5f", row.kl, row.kl_details.stderr),
                    row.is_base ? "" : String(format: "%.5f", row.kl_details.median),
                    row.is_base ? "" : String(format: "%.4f", row.kl_details.p99),
                    row.is_base ? "" : String(format: "%.3f", row.kl_details.max),
                    row.is_base ? "" : String(format: "%.2f %%", 100 * row.top1), Console.bytes(row.memory_bytes),
                ]
            })
        text += main.text
        text += "* nothing smaller is nearer; \(rows[0].tokens) tokens scored, windows of \(rows[0].window) every \(rows[0].stride)\n"
        if rows[0].temperatures.count > 1 { text += "\n" + temperatureTable.text }
        if !taskNames.isEmpty { text += "\n" + taskTable.text }
        if rows[0].decode != nil { text += "\n" + rateTable.text }
        return text + "\n" + rows[0].recommendation + "\n"
    }

    private var temperatureTable: TextTable {
        TextTable(
            head: ["at temperature"]
                + rows[0].temperatures.map { String(format: "%.4g: KL, same draw", Double($0.temperature)) },
            rows: rows.dropFirst().map { row in
                [row.label]
                    + row.temperatures.map { String(format: "%.5f  %.2f %%", $0.kl, 100 * $0.same_draw) }
            })
    }

    private var taskTable: TextTable {
        TextTable(
            head: ["right answers"] + taskNames,
            rows: rows.map { row in
                [row.label]
                    + taskNames.map { name in
                        guard let task = row.tasks[name] else { return "" }
                        var cell = String(
                            format: "%.1f %% (%.1f to %.1f)", 100 * task.accuracy, 100 * task.accuracy_interval[0],
                            100 * task.accuracy_interval[1])
                        if let lost = task.lost, let won = task.won { cell += "  -\(lost) +\(won)" }
                        return cell
                    }
            })
    }

    private var rateTable: TextTable {
        let decode = rows[0].decode ?? 1
        let prefill = rows[0].prefill ?? 1
        return TextTable(
            head: [
                "tokens/s", "prefill of \(rows[0].prefill_tokens ?? 0)", "to base",
                "decode after \(rows[0].decode_context ?? 0)", "to base",
            ],
            rows: rows.map { row in
                [
                    row.label, String(format: "%.0f", row.prefill ?? 0),
                    String(format: "%.2f", (row.prefill ?? 0) / prefill), String(format: "%.1f", row.decode ?? 0),
                    String(format: "%.2f", (row.decode ?? 0) / decode),
                ]
            })
    }
}

/// Columns of text: the first to the left, the others to the right.
struct TextTable {
    let head: [String]
    let rows: [[String]]

    var text: String {
        let all = [head] + rows
        let widths = head.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        return all.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                let space = String(repeating: " ", count: widths[column] - cell.count)
                line += column == 0 ? cell + space : "   " + space + cell
            }
            return line + "\n"
        }.joined()
    }
}
