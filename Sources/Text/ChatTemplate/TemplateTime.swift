#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The moment that a template's `strftime_now` writes, as a clock on the wall shows it. Given by the caller, a prompt
/// that names the date is as reproducible as any other.
public struct TemplateTime: Sendable, Equatable {
    public var year: Int
    /// 1…12
    public var month: Int
    /// 1…31
    public var day: Int
    /// 0…23
    public var hour: Int
    /// 0…59
    public var minute: Int
    /// 0…60
    public var second: Int
    public var microsecond: Int

    public init(
        year: Int, month: Int, day: Int, hour: Int = 0, minute: Int = 0, second: Int = 0, microsecond: Int = 0
    ) {
        self.year = min(max(year, 1), 9999)
        self.month = min(max(month, 1), 12)
        self.day = min(max(day, 1), 31)
        self.hour = min(max(hour, 0), 23)
        self.minute = min(max(minute, 0), 59)
        self.second = min(max(second, 0), 60)
        self.microsecond = min(max(microsecond, 0), 999_999)
    }

    /// The present, in the time zone of the machine.
    public static var now: TemplateTime {
        let date = Date()
        let parts = Calendar(identifier: .gregorian).dateComponents(
            [.year, .month, .day, .hour, .minute, .second, .nanosecond], from: date)
        return TemplateTime(
            year: parts.year ?? 1970, month: parts.month ?? 1, day: parts.day ?? 1, hour: parts.hour ?? 0,
            minute: parts.minute ?? 0, second: parts.second ?? 0, microsecond: (parts.nanosecond ?? 0) / 1000)
    }

    private static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ]
    private static let weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]

    /// Days since 1 January of the year 1, which was a Monday.
    private var dayNumber: Int {
        let before = year - 1
        return before * 365 + before / 4 - before / 100 + before / 400 + dayOfYear - 1
    }

    /// 1…366
    private var dayOfYear: Int {
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        return lengths[..<(month - 1)].reduce(0, +) + day
    }

    /// 0 for Sunday.
    private var weekday: Int { (dayNumber + 1) % 7 }

    /// The year and the week by ISO 8601: weeks begin on Monday, the first one holds the year's first Thursday.
    private var isoWeek: (year: Int, week: Int) {
        let thursday = dayNumber - (weekday + 6) % 7 + 3
        let first = TemplateTime(year: year, month: 1, day: 1).dayNumber
        let next = TemplateTime(year: year + 1, month: 1, day: 1).dayNumber
        if thursday < first { return TemplateTime(year: year - 1, month: 12, day: 31).isoWeek }
        return thursday >= next && year < 9999 ? (year + 1, 1) : (year, (thursday - first) / 7 + 1)
    }

    /// Writes the time by the directives of C's `strftime`, with English names.
    func formatted(_ format: String, _ machine: Machine) throws(TemplateError) -> String {
        var result = ""
        var characters = format.unicodeScalars.makeIterator()
        while let character = characters.next() {
            guard character == "%" else {
                result.unicodeScalars.append(character)
                continue
            }
            var flag: Unicode.Scalar?
            var directive = characters.next()
            if let given = directive, "-_0^#".unicodeScalars.contains(given) {
                flag = given
                directive = characters.next()
            }
            guard let directive else { throw machine.unsupported("a date format that ends with '%'") }
            guard let text = written(directive, flag) else {
                throw machine.unsupported("the directive '%\(directive)' in a date format")
            }
            result += flag == "^" ? text.uppercased() : text
        }
        return result
    }

    private func written(_ directive: Unicode.Scalar, _ flag: Unicode.Scalar?) -> String? {
        func padded(_ value: Int, _ width: Int, _ fill: Character = "0") -> String {
            let digits = String(value)
            if flag == "-" { return digits }
            let fill = flag == "_" ? " " : flag == "0" ? "0" : fill
            return String(repeating: fill, count: max(0, width - digits.count)) + digits
        }
        let hour12 = hour % 12 == 0 ? 12 : hour % 12
        switch directive {
        case "%": return "%"
        case "n": return "\n"
        case "t": return "\t"
        case "Y": return String(year)
        case "C": return padded(year / 100, 2)
        case "y": return padded(year % 100, 2)
        case "G": return String(isoWeek.year)
        case "g": return padded(isoWeek.year % 100, 2)
        case "V": return padded(isoWeek.week, 2)
        case "U": return padded((dayOfYear + 6 - weekday) / 7, 2)
        case "W": return padded((dayOfYear + 6 - (weekday + 6) % 7) / 7, 2)
        case "m": return padded(month, 2)
        case "B": return Self.months[month - 1]
        case "b", "h": return String(Self.months[month - 1].prefix(3))
        case "d": return padded(day, 2)
        case "e": return padded(day, 2, " ")
        case "j": return padded(dayOfYear, 3)
        case "A": return Self.weekdays[weekday]
        case "a": return String(Self.weekdays[weekday].prefix(3))
        case "w": return String(weekday)
        case "u": return String(weekday == 0 ? 7 : weekday)
        case "H": return padded(hour, 2)
        case "k": return padded(hour, 2, " ")
        case "I": return padded(hour12, 2)
        case "l": return padded(hour12, 2, " ")
        case "p": return hour < 12 ? "AM" : "PM"
        case "P": return hour < 12 ? "am" : "pm"
        case "M": return padded(minute, 2)
        case "S": return padded(second, 2)
        case "f": return NumberText.padded(String(microsecond), 6)
        case "z", "Z": return ""
        default: return composed(directive)
        }
    }

    /// Directives that stand for several others.
    private func composed(_ directive: Unicode.Scalar) -> String? {
        let parts: String
        switch directive {
        case "D", "x": parts = "m/d/y"
        case "F": parts = "Y-m-d"
        case "T", "X": parts = "H:M:S"
        case "R": parts = "H:M"
        case "r": parts = "I:M:S p"
        case "c": parts = "a b e H:M:S Y"
        default: return nil
        }
        return parts.unicodeScalars.map { "/-: ".unicodeScalars.contains($0) ? String($0) : written($0, nil) ?? "" }
            .joined()
    }
}
