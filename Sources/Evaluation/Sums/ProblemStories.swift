/// Word problems: five kinds, each a chain of as many operations as are wanted.
extension ProblemDraft {
    private static let people =
        "Anna Ben Carla David Ella Finn Grace Henry Iris Jack Kate Leo Mia Noah Olga Paul Rosa Sam Tina Will"
        .split(separator: " ").map(String.init)
    private static let things =
        "apples books coins marbles shells stickers pencils buttons cards stones flowers eggs nuts stamps"
        .split(separator: " ").map(String.init)
    private static let boxes = "bags boxes baskets jars bowls".split(separator: " ").map(String.init)
    private static let goods =
        "pens books cups plates toys hats balls lamps".split(separator: " ").map(String.init)
    private static let work: [(does: String, things: String, whole: String)] = [
        ("reads", "pages", "The book has"), ("picks", "apples", "The garden has"), ("paints", "tiles", "The wall has"),
        ("plants", "trees", "The park needs"), ("folds", "boxes", "The shop wants"),
        ("bakes", "rolls", "The party needs"),
    ]
    private static let places: [(name: String, things: String, more: String, fewer: String)] = [
        ("farm", "hens", "buys", "sells"), ("library", "books", "gets", "lends out"),
        ("shop", "lamps", "orders", "sells"),
        ("school", "chairs", "buys", "gives away"), ("bakery", "rolls", "bakes", "sells"),
    ]

    /// - Parameter count: operations, at least one.
    mutating func writeStory(_ count: Int) throws(Impossible) {
        switch noise.number(1...8) {
        case 1...3: try writeHolding(count)
        case 4: try writePlace(count)
        case 5: try writeShopping(count)
        case 6: try writeWork(count)
        default: try writeRelations(count)
        }
    }

    private mutating func people(_ count: Int) -> [String] {
        var names: [String] = []
        while names.count < count {
            let name = noise.choice(Self.people)
            if !names.contains(name) { names.append(name) }
        }
        return names
    }

    // MARK: Somebody has things

    private mutating func writeHolding(_ count: Int) throws(Impossible) {
        let names = people(3)
        let (who, things) = (names[0], noise.choice(Self.things))
        var value: Int
        if count > 1, noise.once(in: 3) {
            let groups = digit()
            let each = factor(beside: groups)
            sentences = ["\(who) has \(groups) \(noise.choice(Self.boxes)) with \(each) \(things) in each."]
            value = try apply(groups, .times, each)
        } else {
            value = term()
            // A number that a digit divides or a small one lets the next operation be of any kind.
            if count == 1, noise.once(in: 3) {
                let groups = digit()
                value = groups * factor(beside: groups)
            }
            sentences = ["\(who) has \(value) \(things)."]
        }
        while plan.count < count {
            let left = count - plan.count
            if left <= 2, noise.once(in: 2) {
                return try closeHolding(who, names[1], things, value, left)
            }
            value = try continueHolding(who, names[noise.number(1...2)], things, value, left)
        }
        sentences.append("How many \(things) does \(who) have now?")
    }

    /// One event of at most `left` operations.
    private mutating func continueHolding(
        _ who: String, _ other: String, _ things: String, _ value: Int, _ left: Int
    ) throws(Impossible) -> Int {
        switch noise.number(1...(left >= 2 ? 8 : 6)) {
        case 1, 2:
            let more = term()
            sentences.append(
                noise.choice([
                    "\(who) finds \(more) more.", "\(who) buys \(more) more.", "\(other) gives \(who) \(more) more.",
                ]))
            return try apply(value, .plus, more)
        case 3, 4:
            let fewer = try term(below: value)
            sentences.append(
                noise.choice([
                    "\(who) gives \(fewer) to \(other).", "\(who) loses \(fewer).", "\(who) sells \(fewer).",
                ]))
            return try apply(value, .minus, fewer)
        case 5:
            let times = noise.number(2...4)
            sentences.append(
                times == 2
                    ? "Then the number of \(things) doubles." : "Soon \(who) has \(times) times as many.")
            return try apply(value, .times, times)
        case 6:
            let piles = try divisor(of: value)
            sentences.append("\(who) makes \(piles) equal piles and keeps one pile.")
            return try apply(value, .over, piles)
        case 7:
            let groups = digit()
            let each = factor(beside: groups)
            sentences.append("\(who) buys \(groups) \(noise.choice(Self.boxes)) of \(each) \(things).")
            return try apply(value, .plus, try apply(groups, .times, each))
        default:
            let groups = digit()
            let each = factor(beside: groups)
            sentences.append("\(who) gives \(each) \(things) to each of \(groups) friends.")
            return try apply(value, .minus, try apply(each, .times, groups))
        }
    }

    /// A question that takes the last one or two operations.
    private mutating func closeHolding(
        _ who: String, _ other: String, _ things: String, _ value: Int, _ left: Int
    ) throws(Impossible) {
        switch (left, noise.number(1...3)) {
        case (1, 1), (1, 2):
            let friends = try divisor(of: value)
            sentences.append("\(who) shares them equally among \(friends) friends.")
            sentences.append("How many \(things) does each friend get?")
            _ = try apply(value, .over, friends)
        case (1, _):
            let fewer = try term(below: value)
            sentences.append("\(other) has \(fewer) \(things).")
            sentences.append("How many more \(things) does \(who) have than \(other)?")
            _ = try apply(value, .minus, fewer)
        case (_, let kind):
            let second: Int
            switch kind {
            case 1:
                let more = term()
                sentences.append("\(other) has \(more) more \(things) than \(who).")
                second = try apply(value, .plus, more)
            case 2:
                let fewer = try term(below: value)
                sentences.append("\(other) has \(fewer) fewer \(things) than \(who).")
                second = try apply(value, .minus, fewer)
            default:
                let times = noise.number(2...5)
                sentences.append("\(other) has \(times) times as many \(things) as \(who).")
                second = try apply(value, .times, times)
            }
            sentences.append("How many \(things) do they have together?")
            _ = try apply(value, .plus, second)
        }
    }

    // MARK: A place and its stock

    private mutating func writePlace(_ count: Int) throws(Impossible) {
        let place = noise.choice(Self.places)
        var value: Int
        if count > 1, noise.once(in: 2) {
            let rows = digit()
            let each = factor(beside: rows)
            sentences = ["A \(place.name) has \(rows) rows of \(each) \(place.things)."]
            value = try apply(rows, .times, each)
        } else {
            value = term()
            sentences = ["A \(place.name) has \(value) \(place.things)."]
        }
        let days = ["On Monday", "On Tuesday", "On Wednesday", "On Thursday", "On Friday"]
        var day = 0
        while plan.count < count {
            if count - plan.count == 1, noise.once(in: 4) {
                let rooms = try divisor(of: value)
                sentences.append("Then they are put into \(rooms) equal groups.")
                sentences.append("How many \(place.things) are in each group?")
                _ = try apply(value, .over, rooms)
                return
            }
            let hasTwo = count - plan.count >= 2
            let isMore = noise.once(in: 2)
            let verb = isMore ? place.more : place.fewer
            let change: Int
            if hasTwo, noise.once(in: 2) {
                let groups = digit()
                let each = factor(beside: groups)
                change = try apply(groups, .times, each)
                sentences.append("\(days[day]) it \(verb) \(groups) boxes of \(each).")
            } else {
                change = isMore ? term() : try term(below: value)
                sentences.append("\(days[day]) it \(verb) \(change).")
            }
            value = try apply(value, isMore ? .plus : .minus, change)
            day += 1
        }
        sentences.append("How many \(place.things) does the \(place.name) have now?")
    }

    // MARK: Shopping

    private mutating func writeShopping(_ count: Int) throws(Impossible) {
        let who = noise.choice(Self.people)
        // Items cost a product each and a sum from the second on; change is one operation more.
        let paysAndGetsChange = count % 2 == 0
        let kinds = (count + 1) / 2
        var parts: [String] = []
        var total: Int?
        var named: [String] = []
        while parts.count < kinds {
            let item = noise.choice(Self.goods)
            if named.contains(item) { continue }
            named.append(item)
            let number = digit()
            let price = factor(beside: number)
            parts.append("\(number) \(item) for \(price) coins each")
            let cost = try apply(number, .times, price)
            if let before = total { total = try apply(before, .plus, cost) } else { total = cost }
        }
        guard let total else { throw Impossible() }
        let list =
            parts.count == 1
            ? parts[0] : parts.dropLast().joined(separator: ", ") + " and " + parts[parts.count - 1]
        sentences = ["\(who) buys \(list)."]
        guard paysAndGetsChange else {
            sentences.append("How many coins does \(who) pay?")
            return
        }
        let paid = total + noise.number(1...max(size.number / 2, 10))
        guard paid <= size.result else { throw Impossible() }
        if noise.once(in: 2) {
            sentences.append("\(who) pays with \(paid) coins. How many coins come back?")
        } else {
            sentences.insert("\(who) has \(paid) coins.", at: 0)
            sentences.append("How many coins are left?")
        }
        _ = try apply(paid, .minus, total)
    }

    // MARK: Work by the day

    private mutating func writeWork(_ count: Int) throws(Impossible) {
        let who = noise.choice(Self.people)
        let work = noise.choice(Self.work)
        // Every stretch of days is a product, and a sum from the second on; what is left is one operation more.
        let stretches = (count + 1) / 2
        let asksForTheRest = count % 2 == 0
        var total: Int?
        for stretch in 0..<stretches {
            let days = digit()
            let each = factor(beside: days)
            sentences.append(
                stretch == 0
                    ? "\(who) \(work.does) \(each) \(work.things) a day for \(days) days."
                    : "Then \(who) \(work.does) \(each) a day for \(days) days.")
            let done = try apply(each, .times, days)
            if let before = total { total = try apply(before, .plus, done) } else { total = done }
        }
        guard let total else { throw Impossible() }
        guard asksForTheRest else {
            sentences.append("How many \(work.things) is that?")
            return
        }
        let whole = total + noise.number(1...size.number)
        guard whole <= size.result else { throw Impossible() }
        sentences.append("\(work.whole) \(whole) \(work.things). How many \(work.things) are left?")
        _ = try apply(whole, .minus, total)
    }

    // MARK: Who has more

    private mutating func writeRelations(_ count: Int) throws(Impossible) {
        let things = noise.choice(Self.things)
        // Together, n people take n - 1 relations and n - 1 sums; the last one alone takes n - 1 relations.
        let isTogether = count % 2 == 0 && noise.once(in: 2)
        let asksDifference = !isTogether && count > 1 && noise.once(in: 2)
        let relations = isTogether ? count / 2 : asksDifference ? count - 1 : count
        let names = people(relations + 1)
        var values = [term()]
        sentences = ["\(names[0]) has \(values[0]) \(things)."]
        for place in 1...relations {
            let (who, before, value) = (names[place], names[place - 1], values[place - 1])
            switch noise.number(1...4) {
            case 1:
                let more = term()
                sentences.append("\(who) has \(more) more than \(before).")
                values.append(try apply(value, .plus, more))
            case 2:
                let fewer = try term(below: value)
                sentences.append("\(who) has \(fewer) fewer than \(before).")
                values.append(try apply(value, .minus, fewer))
            case 3:
                let times = noise.number(2...5)
                sentences.append("\(who) has \(times == 2 ? "twice" : "\(times) times") as many as \(before).")
                values.append(try apply(value, .times, times))
            default:
                let part = try divisor(of: value)
                sentences.append(
                    part == 2
                        ? "\(who) has half as many as \(before)." : "\(before) has \(part) times as many as \(who).")
                values.append(try apply(value, .over, part))
            }
        }
        let last = values[relations]
        if isTogether {
            var sum = values[0]
            for value in values.dropFirst() { sum = try apply(sum, .plus, value) }
            sentences.append(
                "How many \(things) do \(relations == 1 ? "they" : "all of them") have together?")
        } else if asksDifference {
            guard last != values[0] else { throw Impossible() }
            let (more, fewer) = last > values[0] ? (relations, 0) : (0, relations)
            sentences.append("How many more \(things) does \(names[more]) have than \(names[fewer])?")
            _ = try apply(values[more], .minus, values[fewer])
        } else {
            sentences.append("How many \(things) does \(names[relations]) have?")
        }
    }
}
