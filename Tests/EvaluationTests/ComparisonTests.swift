import Foundation
import Testing

@testable import Evaluation

/// The front, the recommendation and the picture.
@Suite struct ComparisonTests {
    static func figures(_ label: String, _ bytes: Int, kl: Double?, decode: Double? = nil) -> ComparedFigures {
        let divergence = kl.map {
            Divergence(
                tokens: 1000, perplexity: Estimate(value: 10, standardError: 0.1),
                perplexityRatio: Estimate(value: 1, standardError: 0), kl: Estimate(value: $0, standardError: $0 / 100),
                klMedian: $0, kl99: $0, klLargest: $0, top1: Estimate(value: 0.9, standardError: 0), temperatures: [])
        }
        return ComparedFigures(label: label, bytes: bytes, divergence: divergence, decode: decode)
    }

    static let models = [
        figures("base", 1000, kl: nil, decode: 10), figures("q8", 500, kl: 0.001, decode: 18),
        figures("q4", 260, kl: 0.03, decode: 30), figures("q4bad", 270, kl: 0.04, decode: 29),
        figures("q3", 200, kl: 0.2, decode: 35), figures("q2", 140, kl: 1.5, decode: 40),
    ]

    @Test func theFrontIsWhatNothingBeats() {
        #expect(ComparedFigures.front(Self.models) == [true, true, true, false, true, true])
        let equal = [Self.figures("a", 10, kl: 0.1), Self.figures("b", 10, kl: 0.1), Self.figures("c", 10, kl: 0.2)]
        #expect(ComparedFigures.front(equal) == [true, true, false])
    }

    @Test func theSmallestThatKeepsADistanceIsTaken() {
        let found = Recommendation(Self.models)
        #expect(found.choices == [.faithful: 1, .everyday: 2, .small: 4])
        for part in [
            "Take q8 where answers must stay the base's (KL 0.001,", "q4 for everyday use (KL 0.03,",
            "q3 where memory is short (KL 0.2,", "q2 (KL 1.5) is too far from the base",
            "q4bad is no smaller than a nearer one",
        ] {
            #expect(found.sentence.contains(part), "\(found.sentence)")
        }
        #expect(found.sentence.hasSuffix(".") && !found.sentence.dropLast().contains(". "))
        let one = Recommendation([Self.models[0], Self.models[1]])
        #expect(one.choices == [.faithful: 1, .everyday: 1, .small: 1])
        let none = Recommendation([Self.models[0], Self.models[5]])
        #expect(none.choices.isEmpty && none.sentence.contains("base itself"))
        // Larger than the base is never taken.
        #expect(Recommendation([Self.models[1], Self.models[0]]).choices.isEmpty)
    }

    @Test func labelsTellModelsApart() {
        #expect(
            ComparedFigures.labels(["builtin:stories", "a/q4.gguf", "b/q4.gguf", "c/d/", "x.y"]) == [
                "stories", "a/q4", "b/q4", "d", "x.y",
            ])
        #expect(ComparedFigures.labels(["m", "m"]) == ["m", "m"])
    }

    /// Names cover no point and no other name, also where many models lie close together.
    @Test func labelsDoNotCollide() throws {
        var models = [Self.figures("model-bf16", 8_400_000, kl: nil)]
        for index in 0..<24 {
            let bytes = 1_200_000 + index % 8 * 300_000 + index * 7_000
            models.append(
                Self.figures("method-\(index)-with-\(index % 5)-bits", bytes, kl: 3.0 / Double(1 << (index % 8)) * (1 + Double(index) / 40)))
        }
        models.append(Self.figures("a<b&\"c\"", 1_500_000, kl: 0))
        let document = try XMLScan(ParetoPlot(models, title: "one & all").svg)
        #expect(document.texts.contains("a<b&\"c\"") && document.texts.contains("one & all"))
        #expect(Self.namesApart(document, models) == models.count - 1)
    }

    /// Of a hundred models the front keeps its names and the others have theirs where there is room; the sentence counts.
    @Test func manyModelsAreStillRead() throws {
        var models = [Self.figures("base", 8_400_000, kl: nil)]
        for index in 0..<100 {
            models.append(Self.figures("method-\(index)", 1_000_000 + index * 60_000, kl: 2 * exp(-Double(index) / 12) * (index % 10 == 0 ? 1 : 9)))
        }
        let document = try XMLScan(ParetoPlot(models, title: "many").svg)
        let named = Self.namesApart(document, models)
        let front = zip(models, ComparedFigures.front(models)).filter { $1 && $0.label != "base" }.map(\.0.label)
        #expect(front.allSatisfy(document.texts.contains) && front.count < named && named < 100)
        #expect(document.points.count >= 100)
        let sentence = Recommendation(models).sentence
        #expect(sentence.contains(" others are no smaller than nearer ones") && sentence.count < 800, "\(sentence)")
    }

    /// How many of the models have their names in the picture; none may cover a point or another.
    private static func namesApart(_ document: XMLScan, _ models: [ComparedFigures]) -> Int {
        let names = Set(models.dropFirst().map(\.label))
        let boxes = document.labels.filter { names.contains($0.text) }
        for (index, a) in boxes.enumerated() {
            #expect(a.x >= 0 && a.x + a.width <= 820 && a.y - 11 >= 0 && a.y <= 520)
            for b in boxes[(index + 1)...] {
                let across = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
                let down = min(a.y, b.y) - max(a.y, b.y) + 11
                #expect(across <= 0.3 || down <= 0.3, "\(a.text) covers \(b.text)")
            }
            for point in document.points {
                let isInside =
                    point.x > a.x - 3 && point.x < a.x + a.width + 3 && point.y > a.y - 11 && point.y < a.y + 2
                #expect(!isInside, "\(a.text) covers a point")
            }
        }
        return boxes.count
    }

    @Test func axesHaveTicks() {
        for (low, high) in [(1.0, 1.05), (1, 3), (0.002, 5), (1e6, 9e6), (1, 1)] {
            let scale = LogScale([low, high], from: 0, to: 100, margin: 0.05)
            #expect((2...14).contains(scale.ticks.count), "\(low) \(high): \(scale.ticks)")
            #expect(scale.ticks.allSatisfy { (0...100).contains(scale.place($0)) })
            #expect(scale.place(low) >= 0 && scale.place(high) <= 100)
        }
    }
}

/// As much of an SVG file as the tests need; fails where it is not well-formed.
private final class XMLScan {
    struct Label {
        var text: String
        var x: Double
        var y: Double
        var width: Double
    }

    var texts: Set<String> = []
    var labels: [Label] = []
    var points: [(x: Double, y: Double)] = []

    struct Malformed: Error {}

    init(_ text: String) throws {
        var open: [String] = []
        var rest = text[...]
        var attributes: [String: String] = [:]
        var content = ""
        while let start = rest.firstIndex(of: "<") {
            content += rest[..<start]
            guard let end = rest[start...].firstIndex(of: ">") else { throw Malformed() }
            let tag = rest[rest.index(after: start)..<end]
            rest = rest[rest.index(after: end)...]
            if tag.hasPrefix("/") {
                guard open.popLast() == String(tag.dropFirst()) else { throw Malformed() }
                let plain = Self.unescaped(content)
                texts.insert(plain)
                if tag == "/text", let x = attributes["x"].flatMap(Double.init), let y = attributes["y"].flatMap(Double.init),
                    let width = attributes["textLength"].flatMap(Double.init)
                {
                    labels.append(Label(text: plain, x: x, y: y, width: width))
                }
            } else {
                attributes = Self.attributes(tag)
                let name = String(tag.prefix { !$0.isWhitespace && $0 != "/" })
                if name == "circle", attributes["class"] != nil, let x = attributes["cx"].flatMap(Double.init),
                    let y = attributes["cy"].flatMap(Double.init)
                {
                    points.append((x, y))
                }
                if !tag.hasSuffix("/") { open.append(name) }
            }
            content = ""
        }
        guard open.isEmpty else { throw Malformed() }
    }

    private static func attributes(_ tag: Substring) -> [String: String] {
        var found: [String: String] = [:]
        let parts = tag.split(separator: "\"", omittingEmptySubsequences: false)
        for place in stride(from: 0, to: parts.count - 1, by: 2) {
            guard parts[place].hasSuffix("=") else { continue }
            found[String(parts[place].dropLast().split(separator: " ").last ?? "")] = String(parts[place + 1])
        }
        return found
    }

    private static func unescaped(_ text: String) -> String {
        text.replacingOccurrences(of: "&lt;", with: "<").replacingOccurrences(of: "&gt;", with: ">")
            .replacingOccurrences(of: "&quot;", with: "\"").replacingOccurrences(of: "&amp;", with: "&")
    }
}
