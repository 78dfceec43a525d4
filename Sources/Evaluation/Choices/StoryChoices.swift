/// The next word of a little story, among three others of its kind that the story does not call for.
///
/// Stories are put together from patterns, names and things. The word is one that the story has named, or (in the pattern of
/// feelings) that follows from it; the four choices are of one kind, drawn with equal chances, so that no word is likelier to be
/// right than another.
public struct StoryChoices: ChoiceTask {
    public static let name = "story-choices"
    public static let summary = "the next word of a little story among four of a kind"
    public static let groupedBy = "kind"

    public let style = ChoiceStyle.continuation
    public let seed: UInt64

    /// - Parameter seed: which stories.
    public init(seed: UInt64 = 0) { self.seed = seed }

    public func questions(_ count: Int) -> [ChoiceQuestion] {
        (0..<count).map { index in
            var draft = StoryDraft(
                noise: ProblemNoise(seed: seed, level: 7, index: index, attempt: 0, mark: choiceMark))
            return draft.question(StoryDraft.Kind.allCases[index % StoryDraft.Kind.allCases.count])
        }
    }
}

/// One story in the making.
struct StoryDraft {
    /// What is asked for.
    enum Kind: String, CaseIterable { case toy, food, friend, place, animal, container, colour, feeling }

    var noise: ProblemNoise

    private static let children = [
        ("Lily", "girl"), ("Tom", "boy"), ("Mia", "girl"), ("Ben", "boy"), ("Sue", "girl"), ("Max", "boy"),
        ("Anna", "girl"), ("Sam", "boy"),
    ]
    private static let toys = ["ball", "doll", "car", "kite", "drum", "boat", "train", "bear"]
    private static let foods = ["bread", "cheese", "soup", "cake", "fish", "milk", "corn", "rice"]
    private static let places = ["park", "beach", "forest", "farm", "lake", "zoo", "school", "shop"]
    private static let animals = ["dog", "cat", "bird", "rabbit", "frog", "duck", "horse", "mouse"]
    private static let containers = ["box", "bag", "basket", "drawer", "bucket", "chest", "jar", "tent"]
    private static let colours = ["red", "blue", "green", "yellow", "white", "black", "pink", "brown"]
    /// A feeling and what brings it about, with {she} and {her} for the child.
    private static let feelings = [
        ("sad", "{She} lost {her} best toy and looked for it all day. {She} began to cry."),
        ("happy", "Everybody came to {her} party with a present. {She} smiled and laughed all day."),
        ("tired", "{She} ran and played all day. Now it was late, and {she} wanted to go to bed."),
        ("hungry", "{She} had no lunch and no dinner. {She} wanted to eat a big plate of food."),
        ("scared", "There was a loud noise in the dark. {She} hid under the bed."),
        ("angry", "A boy took {her} toy and broke it. {She} stamped {her} feet and shouted at him."),
    ]

    mutating func question(_ kind: Kind) -> ChoiceQuestion {
        let pair = noise.some(2, of: Self.children)
        let (child, sex) = pair[0]
        let friend = pair[1].0
        let (she, her) = sex == "girl" ? ("she", "her") : ("he", "his")
        let capital = she == "she" ? "She" : "He"
        func start(_ rest: String) -> String {
            "Once upon a time, there was a little \(sex) named \(child). \(rest)"
        }
        switch kind {
        case .toy:
            let words = noise.some(4, of: Self.toys)
            let place = noise.choice(Self.places)
            return asking(
                kind, words,
                start(
                    "\(capital) had a \(words[0]). \(capital) loved to play with the \(words[0]) every day. One day, \(child) "
                        + "went to the \(place) with \(her) mom. At the \(place), \(she) wanted to play with \(her)"))
        case .food:
            let words = noise.some(4, of: Self.foods)
            let animal = noise.choice(Self.animals)
            return asking(
                kind, words,
                start(
                    "One day, \(she) saw a \(animal). The \(animal) was hungry. \(child) gave the \(animal) some \(words[0]). "
                        + "The \(animal) was happy and ate all the"))
        case .friend:
            let names = [friend] + noise.some(3, of: Self.children.map(\.0).filter { $0 != friend })
            let toy = noise.choice(Self.toys)
            return asking(
                kind, names,
                start(
                    "\(capital) had a friend named \(friend). One day, \(child) found a \(toy). \"Look, \(friend)!\" said "
                        + "\(child). \"I found a \(toy). Do you want to play with me?\" \"Yes, I want to play with you,\" said"))
        case .place:
            let words = noise.some(4, of: Self.places)
            return asking(
                kind, words,
                start(
                    "\(capital) wanted to go to the \(words[0]). \"Mom, can we go to the \(words[0])?\" \(she) asked. \"Yes, "
                        + "we can,\" said \(her) mom. They walked and walked. At last, they came to the"))
        case .animal:
            let words = noise.some(4, of: Self.animals)
            return asking(
                kind, words,
                start(
                    "\(capital) had a pet \(words[0]). One day, the \(words[0]) ran away. \(child) was sad and looked in the "
                        + "house and in the garden. Then \(she) looked behind a tree. There was \(her)"))
        case .container:
            let words = noise.some(4, of: Self.containers)
            let toy = noise.choice(Self.toys)
            return asking(
                kind, words,
                start(
                    "\(capital) put \(her) \(toy) in a \(words[0]). The next day, \(she) wanted to play with the \(toy). "
                        + "\"Where is my \(toy)?\" \(she) asked. \"It is in the \(words[0]),\" said \(her) mom. So \(child) "
                        + "opened the"))
        case .colour:
            let words = noise.some(4, of: Self.colours)
            let toy = noise.choice(Self.toys)
            return asking(
                kind, words,
                start(
                    "\(capital) had a \(words[0]) \(toy). The \(words[0]) \(toy) was very pretty. One day, \(she) could not "
                        + "find it. \"Mom, have you seen my \(toy)?\" \(she) asked. \"It is \(words[0]).\" \(capital) "
                        + "looked and looked. Then \(she) found the"))
        case .feeling:
            let chosen = noise.some(4, of: Self.feelings)
            let told = chosen[0].1.replacing("{She}", with: capital).replacing("{she}", with: she)
                .replacing("{her}", with: her)
            return asking(kind, chosen.map(\.0), start(told + " \(child) was very"))
        }
    }

    /// - Parameter words: four of a kind, the right one first.
    private mutating func asking(_ kind: Kind, _ words: [String], _ story: String) -> ChoiceQuestion {
        let (choices, answer) = noise.placing(words[0], among: Array(words[1...]))
        return ChoiceQuestion(
            question: story, choices: choices.map { " \($0)" }, answer: answer, group: kind.rawValue)
    }
}
