import Evaluation
import Foundation
import Inference
import TestKit
import Testing

@testable import Evaluation

/// Multiple choice: log-likelihoods against an independent implementation, and the built-in questions.
@Suite struct ChoiceTests {
    struct Golden: Decodable {
        struct Question: Decodable {
            var question: String
            var beginning: String
            var choices: [String]
            var answer: Int
            var log_likelihoods: [Double]
        }
        var model: String
        var style: String
        var questions: [Question]
    }

    static let goldens: [Golden] = {
        let file = Bundle.module.bundleURL.appendingPathComponent("Goldens/choices.json")
        return (try? Data(contentsOf: file)).flatMap { try? JSONDecoder().decode([Golden].self, from: $0) } ?? []
    }()

    @Test func goldensArePresent() { #expect(Self.goldens.map(\.questions.count) == [25, 24]) }

    @Test(arguments: 0..<2) func agreesWithTheReference(_ index: Int) throws {
        let golden = try #require(Self.goldens.count == 2 ? Self.goldens[index] : nil)
        let questions = golden.questions.map {
            ChoiceQuestion(
                question: $0.question, beginning: $0.beginning, choices: $0.choices, answer: $0.answer)
        }
        let run = try ChoiceRun.measure(
            try DivergenceTests.model(golden.model), questions: questions,
            style: try #require(ChoiceStyle(rawValue: golden.style)), configuration: DivergenceTests.configuration())
        for (found, expected) in zip(run.answered, golden.questions) {
            for (a, b) in zip(found.logLikelihoods, expected.log_likelihoods) { #expect(abs(a - b) < 2e-4) }
            let best = expected.log_likelihoods.indices.max {
                expected.log_likelihoods[$0] < expected.log_likelihoods[$1]
            }
            #expect(found.chosen == best)
            let sizes = expected.choices.map { Double($0.trimmingCharacters(in: .whitespaces).utf8.count) }
            let bestNormalised = expected.choices.indices.max {
                expected.log_likelihoods[$0] / sizes[$0] < expected.log_likelihoods[$1] / sizes[$1]
            }
            #expect(found.chosenNormalised == bestNormalised)
        }
        let right = zip(run.answered, golden.questions).count { $0.chosen == $1.answer }
        #expect(run.figures.accuracy == Double(right) / Double(golden.questions.count))
        #expect(run.figures.interval == Statistics.wilsonInterval(
            share: run.figures.accuracy, trials: Double(golden.questions.count)))
    }

    /// A question's scores are its own, whoever is asked beside it and on however many threads.
    @Test func eachQuestionAlone() throws {
        let model = try DivergenceTests.model("stories-draft")
        var questions = StoryChoices(seed: 3).questions(6)
        // Longer than a page beyond the common tokens, and choices without any common beginning but the text.
        questions.append(
            ChoiceQuestion(
                question: "One", choices: [" day " + String(repeating: "and on ", count: 20), " two", " "], answer: 1))
        let together = try ChoiceRun.measure(
            model, questions: questions, style: .continuation, configuration: DivergenceTests.configuration(threads: 3))
        for (index, question) in questions.enumerated() {
            let alone = try ChoiceRun.measure(
                model, questions: [question], style: .continuation,
                configuration: DivergenceTests.configuration(threads: 1))
            #expect(alone.answered[0].logLikelihoods == together.answered[index].logLikelihoods)
        }
    }

    @Test func sumsHaveOneRightChoice() throws {
        let questions = SumChoices(seed: 5).questions(300)
        #expect(questions == SumChoices(seed: 5).questions(300) && questions != SumChoices(seed: 6).questions(300))
        var places = [0, 0, 0, 0]
        for question in questions {
            #expect(question.choices.count == 4 && Set(question.choices).count == 4)
            places[question.answer] += 1
            // The step as it stands: "3. 60 + 12 =".
            let step = try #require(question.beginning.split(separator: "\n").last)
            let parts = step.split(separator: " ")
            let (a, b) = (try #require(Int(parts[1])), try #require(Int(parts[3])))
            let value =
                switch parts[2] {
                case "+": a + b
                case "-": a - b
                case "*": a * b
                default: a / b
                }
            #expect(question.choices[question.answer] == " \(value)", "\(step)")
            #expect(question.choices.allSatisfy { Int($0.dropFirst()) ?? -1 >= 0 })
        }
        // Each place about equally often.
        #expect(places.allSatisfy { (45...105).contains($0) }, "\(places)")
        #expect(SumChoices.nearMisses(0) == [1, 2, 10])
        #expect(SumChoices.nearMisses(123) == [23, 113, 121, 122, 124, 125, 132, 133, 213, 223])
    }

    @Test func storiesNameTheirWord() {
        let questions = StoryChoices(seed: 1).questions(400)
        #expect(questions == StoryChoices(seed: 1).questions(400))
        var places = [0, 0, 0, 0]
        for question in questions {
            #expect(question.choices.count == 4 && Set(question.choices).count == 4)
            places[question.answer] += 1
            let words = Set(question.question.split { !$0.isLetter }.map { String($0) })
            let named = question.choices.indices.filter { words.contains(String(question.choices[$0].dropFirst())) }
            if question.group == "feeling" {
                #expect(named.isEmpty, "\(question)")
            } else {
                // The right word is in the story; of friends and containers others may be too.
                #expect(named.contains(question.answer), "\(question)")
            }
            #expect(!question.question.contains("{"))
        }
        #expect(places.allSatisfy { (70...130).contains($0) }, "\(places)")
        #expect(Set(questions.map(\.group)).count == 8)
    }

    @Test func filesAreRead() throws {
        let text = """
            {"question": "A", "choices": ["b", " c"], "answer": 1}

            {"question": "A ", "choices": ["b", "c"], "answer": "c", "group": "x"}
            {"question": "A", "beginning": "B", "choices": ["b", "c", "d"], "answer": "C"}
            """
        let questions = try ChoiceFile.questions(Array(text.utf8), file: "f")
        #expect(
            questions == [
                ChoiceQuestion(question: "A", choices: [" b", " c"], answer: 1),
                ChoiceQuestion(question: "A ", choices: ["b", "c"], answer: 1, group: "x"),
                ChoiceQuestion(question: "A", beginning: "B", choices: [" b", " c", " d"], answer: 2),
            ])
        let bad = [
            ("{", 1), ("", 1), ("\n[]", 2), ("{\"question\": \"\", \"choices\": [\"a\", \"b\"], \"answer\": 0}", 1),
            ("{\"question\": \"q\", \"choices\": [\"a\"], \"answer\": 0}", 1),
            ("{\"question\": \"q\", \"choices\": [\"a\", \"a\"], \"answer\": 0}", 1),
            ("{\"question\": \"q\", \"choices\": [\"a\", \"b\"], \"answer\": 2}", 1),
            ("{\"question\": \"q\", \"choices\": [\"a\", \"b\"], \"answer\": \"c\"}", 1),
            ("{\"question\": \"q\", \"choices\": [\"a\", 1], \"answer\": 0}", 1),
            ("{\"question\": \"q\", \"choices\": [\"a\", \"b\"]}", 1),
        ]
        for (text, line) in bad {
            #expect("\(text)") {
                try ChoiceFile.questions(Array(text.utf8), file: "f")
            } throws: { error in
                guard case .question("f", line, _) = error as? EvaluationError else { return false }
                return true
            }
        }
    }
}
