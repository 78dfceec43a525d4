internal import Foundation

/// Size against distance from the base as an SVG picture, for light and dark pages.
///
/// Bytes go to the right and divergence up, both on logarithmic scales; the Pareto front is joined by a line of steps. The base is a
/// vertical line, for its divergence is 0.
public struct ParetoPlot: Sendable {
    private let models: [ComparedFigures]
    private let base: Int
    private let title: String

    private static let (width, height) = (820.0, 520.0)
    private static let (left, right, top, bottom) = (72.0, 24.0, 56.0, 56.0)
    private static let (letter, line) = (6.2, 14.0)

    /// - Parameters:
    ///   - models: all of them, the base too.
    ///   - base: the index of the base.
    ///   - title: one line about what was compared.
    public init(_ models: [ComparedFigures], base: Int = 0, title: String) {
        self.models = models
        self.base = base
        self.title = title
    }

    public var svg: String {
        let others = models.indices.filter { $0 != base }
        let horizontal = LogScale(
            models.map { Double(max($0.bytes, 1)) }, from: Self.left, to: Self.width - Self.right, margin: 0.06)
        let positive = others.map { models[$0].kl }.filter { $0 > 0 }
        let vertical = LogScale(
            positive.isEmpty ? [0.001, 1] : positive, from: Self.height - Self.bottom, to: Self.top, margin: 0.08)
        // What equals the base stands on the axis.
        let floor = Self.height - Self.bottom
        let points = others.map { index in
            (
                x: horizontal.place(Double(max(models[index].bytes, 1))),
                y: models[index].kl > 0 ? vertical.place(models[index].kl) : floor
            )
        }
        let isFront = ComparedFigures.front(others.map { models[$0] })
        var parts = [Self.head(title)]
        parts += grid(horizontal, vertical)
        parts.append(baseLine(horizontal))
        parts.append(frontLine(points, isFront))
        for (place, point) in points.enumerated() {
            let about =
                "\(models[others[place]].label): \(Self.bytes(models[others[place]].bytes)), KL \(Recommendation.number(models[others[place]].kl))"
            parts.append(
                "<circle class=\"\(isFront[place] ? "front" : "rest")\" cx=\"\(Self.text(point.x))\" cy=\"\(Self.text(point.y))\" r=\"5\"><title>\(Self.escaped(about))</title></circle>"
            )
        }
        parts += labels(points, others.map { models[$0].label }, isFront, 
            apartFrom: [baseName(horizontal)] + frontBoxes(points, isFront))
        return parts.joined(separator: "\n") + "\n</svg>\n"
    }

    // MARK: Parts

    private static func head(_ title: String) -> String {
        """
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Int(width)) \(Int(height))" width="\(Int(width))" height="\(Int(height))" font-family="system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif" font-size="12">
        <title>\(escaped(title))</title>
        <style>
        .page { fill: #ffffff } .ink { fill: #1f2328 } .faint { fill: #59636e } .grid { stroke: #e4e8ec } .axis { stroke: #8b949e }
        .line { stroke: #0969da; fill: none } .front { fill: #0969da } .rest { fill: #ffffff; stroke: #6e7781; stroke-width: 1.5 }
        .lead { stroke: #8b949e } .base { stroke: #bc4c00; stroke-dasharray: 5 4 } .baseink { fill: #bc4c00 }
        @media (prefers-color-scheme: dark) {
        .page { fill: #0d1117 } .ink { fill: #e6edf3 } .faint { fill: #9198a1 } .grid { stroke: #252b33 } .axis { stroke: #6e7681 }
        .line { stroke: #58a6ff } .front { fill: #58a6ff } .rest { fill: #0d1117; stroke: #9198a1 } .lead { stroke: #6e7681 }
        .base { stroke: #f0883e } .baseink { fill: #f0883e } }
        </style>
        <rect class="page" width="100%" height="100%"/>
        <text class="ink" x="\(Int(left))" y="24" font-size="14" font-weight="600">\(escaped(title))</text>
        <circle class="front" cx="\(Int(left) + 5)" cy="40" r="5"/><text class="faint" x="\(Int(left) + 16)" y="44">nothing smaller is nearer</text>
        <circle class="rest" cx="\(Int(left) + 185)" cy="40" r="5"/><text class="faint" x="\(Int(left) + 196)" y="44">something no larger is nearer</text>
        """
    }

    private func grid(_ horizontal: LogScale, _ vertical: LogScale) -> [String] {
        let (floor, end) = (Self.height - Self.bottom, Self.width - Self.right)
        var parts: [String] = []
        for tick in horizontal.ticks {
            let x = Self.text(horizontal.place(tick))
            parts.append("<line class=\"grid\" x1=\"\(x)\" x2=\"\(x)\" y1=\"\(Int(Self.top))\" y2=\"\(Int(floor))\"/>")
            parts.append(
                "<text class=\"faint\" x=\"\(x)\" y=\"\(Int(floor) + 18)\" text-anchor=\"middle\">\(Self.bytes(Int(tick)))</text>"
            )
        }
        for tick in vertical.ticks {
            let y = vertical.place(tick)
            parts.append(
                "<line class=\"grid\" x1=\"\(Int(Self.left))\" x2=\"\(Int(end))\" y1=\"\(Self.text(y))\" y2=\"\(Self.text(y))\"/>"
            )
            parts.append(
                "<text class=\"faint\" x=\"\(Int(Self.left) - 8)\" y=\"\(Self.text(y + 4))\" text-anchor=\"end\">\(Self.tick(tick))</text>"
            )
        }
        parts.append(
            "<path class=\"axis\" fill=\"none\" d=\"M\(Int(Self.left)) \(Int(Self.top))V\(Int(floor))H\(Int(end))\"/>")
        parts.append(
            "<text class=\"ink\" x=\"\(Self.text((Self.left + end) / 2))\" y=\"\(Int(Self.height) - 14)\" text-anchor=\"middle\">size of the weights</text>"
        )
        let middle = Self.text((Self.top + floor) / 2)
        parts.append(
            "<text class=\"ink\" transform=\"translate(18 \(middle)) rotate(-90)\" text-anchor=\"middle\">KL divergence from the base (nats a token)</text>"
        )
        return parts
    }

    private func baseLine(_ horizontal: LogScale) -> String {
        let place = Self.text(horizontal.place(Double(max(models[base].bytes, 1))))
        let box = baseName(horizontal)
        return
            "<line class=\"base\" x1=\"\(place)\" x2=\"\(place)\" y1=\"\(Int(Self.top))\" y2=\"\(Int(Self.height - Self.bottom))\"/>"
            + "<text class=\"baseink\" transform=\"translate(\(Self.text(box.x + 11)) \(Self.text(box.y))) rotate(-90)\" text-anchor=\"end\">base: \(Self.escaped(models[base].label))</text>"
    }

    /// Where the base's name stands: along its line, on the side where there is room.
    private func baseName(_ horizontal: LogScale) -> Box {
        let x = horizontal.place(Double(max(models[base].bytes, 1)))
        return Box(
            x: x > Self.width / 2 ? x - 17 : x + 3, y: Self.top + 6, width: 14,
            height: Double(models[base].label.count + 6) * Self.letter)
    }

    private func frontLine(_ points: [(x: Double, y: Double)], _ isFront: [Bool]) -> String {
        let front = points.indices.filter { isFront[$0] }.map { points[$0] }.sorted { $0.x < $1.x }
        guard let first = front.first, front.count > 1 else { return "" }
        let steps = front.dropFirst().map { "H\(Self.text($0.x))V\(Self.text($0.y))" }.joined()
        return
            "<path class=\"line\" stroke-width=\"1.5\" opacity=\"0.6\" d=\"M\(Self.text(first.x)) \(Self.text(first.y))\(steps)\"/>"
    }

    /// The front's line as narrow rectangles.
    private func frontBoxes(_ points: [(x: Double, y: Double)], _ isFront: [Bool]) -> [Box] {
        let front = points.indices.filter { isFront[$0] }.map { points[$0] }.sorted { $0.x < $1.x }
        return zip(front, front.dropFirst()).flatMap { from, to in
            [
                Box(x: from.x, y: from.y - 1, width: to.x - from.x, height: 2),
                Box(x: to.x - 1, y: min(from.y, to.y), width: 2, height: abs(from.y - to.y)),
            ]
        }
    }

    /// Of more models than this only the front's names may stand away from their points; where that leaves no room for another one's, its
    /// circle's title alone has it.
    private static let manyModels = 30

    /// Names beside their points, where they cover no point, no other name and not the base's; with a thin line where that is farther off.
    private func labels(
        _ points: [(x: Double, y: Double)], _ names: [String], _ isFront: [Bool], apartFrom others: [Box]
    ) -> [String] {
        var taken =
            others
            + points.map { Box(x: $0.x - 6, y: $0.y - 6, width: 12, height: 12) }
        let frame = Box(
            x: Self.left + 2, y: Self.top + 2, width: Self.width - Self.left - Self.right - 2,
            height: Self.height - Self.top - Self.bottom - 4)
        var parts: [String] = []
        // The front's names have the first choice.
        for place in points.indices.sorted(by: { (isFront[$0] ? 0 : 1, points[$0].x) < (isFront[$1] ? 0 : 1, points[$1].x) })
        {
            let point = points[place]
            let size = (width: Double(names[place].count) * Self.letter + 4, height: Self.line)
            var best: (box: Box, cost: Double, reach: Double)?
            let mustStand = isFront[place] || points.count <= Self.manyModels
            for reach in [4.0, 12, 22, 34, 48, 64, 84, 110, 140] where mustStand || reach <= 12 {
                for step in 0..<16 {
                    let angle = Double(step) * .pi / 8
                    let (dx, dy) = (cos(angle), sin(angle))
                    // The box touches the circle of this reach from outside.
                    let box = Box(
                        x: point.x + dx * (6 + reach) + (dx - 1) / 2 * size.width,
                        y: point.y + dy * (6 + reach) + (dy - 1) / 2 * size.height, width: size.width,
                        height: size.height)
                    let overlap = taken.reduce(0) { $0 + $1.overlap(box) } + frame.outside(box) * 4
                    let cost = overlap * 1000 + reach
                    if best == nil || cost < best!.cost { best = (box, cost, reach) }
                }
                if let best, best.cost < 1000 { break }
            }
            guard let best, mustStand || best.cost < 1000 else { continue }
            taken.append(best.box)
            if best.reach > 12 {
                let (x, y) = best.box.nearest(to: point)
                parts.append(
                    "<line class=\"lead\" x1=\"\(Self.text(point.x))\" y1=\"\(Self.text(point.y))\" x2=\"\(Self.text(x))\" y2=\"\(Self.text(y))\" stroke-width=\"0.8\"/>"
                )
            }
            parts.append(
                "<text class=\"\(isFront[place] ? "ink" : "faint")\" x=\"\(Self.text(best.box.x + 2))\" y=\"\(Self.text(best.box.y + 11))\" textLength=\"\(Self.text(size.width - 4))\" lengthAdjust=\"spacingAndGlyphs\">\(Self.escaped(names[place]))</text>"
            )
        }
        return parts
    }

    // MARK: Texts

    private static func text(_ value: Double) -> String { String(format: "%.1f", value) }

    private static func tick(_ value: Double) -> String { String(format: "%.3g", value) }

    private static func bytes(_ count: Int) -> String {
        let units = ["B", "KB", "MB", "GB", "TB"]
        var (value, unit) = (Double(count), 0)
        while value >= 1000, unit < units.count - 1 { (value, unit) = (value / 1000, unit + 1) }
        return String(format: "%.3g ", value) + units[unit]
    }

    private static func escaped(_ text: String) -> String {
        text.reduce(into: "") { result, character in
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            default: result.append(character)
            }
        }
    }
}

/// A logarithmic axis.
struct LogScale {
    private let low: Double
    private let high: Double
    private let from: Double
    private let to: Double

    /// - Parameters:
    ///   - values: above 0, at least one.
    ///   - margin: the part of the axis that stays free at each end.
    init(_ values: [Double], from: Double, to: Double, margin: Double) {
        let (least, most) = (log(values.min()!), log(values.max()!))
        // One value alone gets a factor of 2 to each side.
        let room = max((most - least) * margin / (1 - 2 * margin), most - least < 0.1 ? log(2) : 0)
        (low, high) = (least - room, most + room)
        self.from = from
        self.to = to
    }

    func place(_ value: Double) -> Double { from + (log(value) - low) / (high - low) * (to - from) }

    /// Round numbers on the axis, three to about ten of them where there are so many.
    var ticks: [Double] {
        for steps in [[1.0], [1, 3], [1, 2, 5], [1, 1.5, 2, 3, 4, 5, 6, 8]] {
            let found = multiples(steps)
            if found.count >= 3 { return found }
        }
        // A narrow range: even steps of a round size.
        let (bottom, top) = (exp(low), exp(high))
        let size = pow(10, (log10((top - bottom) / 3)).rounded(.down))
        let step = [1.0, 2, 5].map { $0 * size }.last { (top - bottom) / $0 >= 3 } ?? size
        return stride(from: (bottom / step).rounded(.up) * step, through: top, by: step).map { $0 }
    }

    private func multiples(_ steps: [Double]) -> [Double] {
        var found: [Double] = []
        for power in Int((low / log(10)).rounded(.down))...Int((high / log(10)).rounded(.up)) {
            for step in steps {
                let value = step * pow(10, Double(power))
                if log(value) >= low, log(value) <= high { found.append(value) }
            }
        }
        return found
    }
}

/// A rectangle of a picture.
struct Box {
    var x: Double
    var y: Double
    var width: Double
    var height: Double

    /// The area that both cover.
    func overlap(_ other: Box) -> Double {
        let across = min(x + width, other.x + other.width) - max(x, other.x)
        let down = min(y + height, other.y + other.height) - max(y, other.y)
        return across > 0 && down > 0 ? across * down : 0
    }

    /// The area of another that lies outside of this.
    func outside(_ other: Box) -> Double { other.width * other.height - overlap(other) }

    /// The point of its edge or inside that is nearest to another.
    func nearest(to point: (x: Double, y: Double)) -> (x: Double, y: Double) {
        (min(max(point.x, x), x + width), min(max(point.y, y), y + height))
    }
}
