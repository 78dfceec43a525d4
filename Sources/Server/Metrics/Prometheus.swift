internal import CoreMetrics
internal import Synchronization

/// A series' labels, in order.
typealias Labels = [(String, String)]

/// Figures in Prometheus' text format (version 0.0.4). Counters, gauges and histograms are made once and kept here; libraries that
/// measure through swift-metrics arrive here too.
final class PrometheusRegistry: Sendable {
    private let families = Mutex<[any Family]>([])
    /// Those of libraries, by name.
    private let libraries = Mutex<[String: any Family]>([:])

    func counter(_ name: String, _ help: String) -> CounterFamily { register(CounterFamily(name, help)) }

    func histogram(_ name: String, _ help: String, bounds: [Double]) -> HistogramFamily {
        register(HistogramFamily(name, help, bounds: bounds))
    }

    private func register<Kind: Family>(_ family: Kind) -> Kind {
        families.withLock { $0.append(family) }
        return family
    }

    /// All figures as text.
    ///
    /// - Parameter gauges: further ones, taken at this moment.
    func text(_ gauges: [Snapshot] = []) -> String {
        var text = ""
        for family in families.withLock({ $0 }) { family.write(to: &text) }
        for gauge in gauges {
            text += "# HELP \(gauge.name) \(gauge.help)\n# TYPE \(gauge.name) \(gauge.isCounter ? "counter" : "gauge")\n"
            for (labels, value) in gauge.values { text += line(gauge.name, labels, value) }
        }
        return text
    }

    /// A figure that somebody else keeps.
    struct Snapshot {
        var name: String
        var help: String
        var isCounter = false
        var values: [(Labels, Double)]
    }
}

/// Series with one name.
protocol Family: Sendable {
    func write(to text: inout String)
}

private func key(_ labels: Labels) -> String {
    labels.map { "\($0.0)=\"\(escaped($0.1))\"" }.joined(separator: ",")
}

private func escaped(_ value: String) -> String {
    value.reduce(into: "") { text, letter in
        switch letter {
        case "\\": text += "\\\\"
        case "\"": text += "\\\""
        case "\n": text += "\\n"
        default: text.append(letter)
        }
    }
}

private func line(_ name: String, _ labels: Labels, _ value: Double) -> String {
    line(name, key: key(labels), value)
}

private func line(_ name: String, key: String, _ value: Double) -> String {
    let number = value == value.rounded() && value.magnitude < 1e15 ? String(Int(value)) : String(value)
    return key.isEmpty ? "\(name) \(number)\n" : "\(name){\(key)} \(number)\n"
}

/// A counter for each set of labels.
final class CounterFamily: Family {
    private let name: String
    private let help: String
    private let values = Mutex<[String: Double]>([:])

    init(_ name: String, _ help: String) {
        self.name = name
        self.help = help
    }

    func add(_ amount: Double = 1, labels: Labels) { values.withLock { $0[key(labels), default: 0] += amount } }

    func write(to text: inout String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) counter\n"
        for (key, value) in values.withLock({ $0 }).sorted(by: { $0.key < $1.key }) { text += line(name, key: key, value) }
    }
}

/// A gauge for each set of labels.
final class GaugeFamily: Family {
    private let name: String
    private let values = Mutex<[String: Double]>([:])

    init(_ name: String) { self.name = name }

    func change(labels: Labels, _ change: (Double) -> Double) {
        values.withLock { $0[key(labels)] = change($0[key(labels)] ?? 0) }
    }

    func write(to text: inout String) {
        text += "# TYPE \(name) gauge\n"
        for (key, value) in values.withLock({ $0 }).sorted(by: { $0.key < $1.key }) { text += line(name, key: key, value) }
    }
}

/// A histogram for each set of labels.
final class HistogramFamily: Family {
    private struct Series {
        var counts: [Int]
        var sum = 0.0
    }

    private let name: String
    private let help: String
    /// Upper bounds, ascending.
    private let bounds: [Double]
    private let series = Mutex<[String: Series]>([:])

    init(_ name: String, _ help: String, bounds: [Double]) {
        self.name = name
        self.help = help
        self.bounds = bounds
    }

    func observe(_ value: Double, labels: Labels) {
        let place = bounds.firstIndex { value <= $0 } ?? bounds.count
        series.withLock { series in
            var one = series[key(labels)] ?? Series(counts: Array(repeating: 0, count: bounds.count + 1))
            one.counts[place] += 1
            one.sum += value
            series[key(labels)] = one
        }
    }

    func write(to text: inout String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) histogram\n"
        for (key, one) in series.withLock({ $0 }).sorted(by: { $0.key < $1.key }) {
            let comma = key.isEmpty ? "" : ","
            var total = 0
            for (bound, count) in zip(bounds + [.infinity], one.counts) {
                total += count
                let text_ = bound == .infinity ? "+Inf" : String(bound)
                text += "\(name)_bucket{\(key)\(comma)le=\"\(text_)\"} \(total)\n"
            }
            text += line("\(name)_sum", key: key, one.sum) + line("\(name)_count", key: key, Double(total))
        }
    }
}

// MARK: swift-metrics

extension PrometheusRegistry: MetricsFactory {
    func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        CounterOf(family: known(label, CounterFamily.init), labels: dimensions)
    }

    func makeFloatingPointCounter(label: String, dimensions: [(String, String)]) -> any FloatingPointCounterHandler {
        CounterOf(family: known(label, CounterFamily.init), labels: dimensions)
    }

    func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        MeterOf(family: known(label) { name, _ in GaugeFamily(name) }, labels: dimensions)
    }

    func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        RecorderOf(
            family: known(label) { HistogramFamily($0, $1, bounds: Self.seconds) }, labels: dimensions, scale: 1)
    }

    func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        RecorderOf(
            family: known(label + "_seconds") { HistogramFamily($0, $1, bounds: Self.seconds) }, labels: dimensions,
            scale: 1e-9)
    }

    func destroyCounter(_ handler: any CounterHandler) {}
    func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
    func destroyMeter(_ handler: any MeterHandler) {}
    func destroyRecorder(_ handler: any RecorderHandler) {}
    func destroyTimer(_ handler: any TimerHandler) {}

    static let seconds = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

    /// The family of a library's label: `a.b-c` is `a_b_c` here.
    private func known<Kind: Family>(_ label: String, _ make: (String, String) -> Kind) -> Kind {
        let name = label.map { $0.isLetter || $0.isNumber ? String($0) : "_" }.joined()
        return libraries.withLock { known in
            if let family = known[name] as? Kind { return family }
            let family = register(make(name, label))
            known[name] = family
            return family
        }
    }
}

private final class CounterOf: CounterHandler, FloatingPointCounterHandler {
    private let family: CounterFamily
    private let labels: Labels

    init(family: CounterFamily, labels: Labels) {
        self.family = family
        self.labels = labels
    }

    func increment(by amount: Int64) { family.add(Double(amount), labels: labels) }
    func increment(by amount: Double) { family.add(amount, labels: labels) }
    func reset() {}
}

private final class MeterOf: MeterHandler {
    private let family: GaugeFamily
    private let labels: Labels

    init(family: GaugeFamily, labels: Labels) {
        self.family = family
        self.labels = labels
    }

    func set(_ value: Int64) { family.change(labels: labels) { _ in Double(value) } }
    func set(_ value: Double) { family.change(labels: labels) { _ in value } }
    func increment(by amount: Double) { family.change(labels: labels) { $0 + amount } }
    func decrement(by amount: Double) { family.change(labels: labels) { $0 - amount } }
}

private final class RecorderOf: RecorderHandler, TimerHandler {
    private let family: HistogramFamily
    private let labels: Labels
    private let scale: Double

    init(family: HistogramFamily, labels: Labels, scale: Double) {
        self.family = family
        self.labels = labels
        self.scale = scale
    }

    func record(_ value: Int64) { family.observe(Double(value) * scale, labels: labels) }
    func record(_ value: Double) { family.observe(value * scale, labels: labels) }
    func recordNanoseconds(_ duration: Int64) { family.observe(Double(duration) * scale, labels: labels) }
}
