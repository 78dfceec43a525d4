/// The tests by name, as `value is name(arguments)` calls them.
enum ValueTests {
    typealias Test = @Sendable (Machine, Value, CallArguments) throws(TemplateError) -> Bool

    static let table: [String: Test] = [
        "boolean": kind { if case .bool = $0 { true } else { false } },
        "callable": kind(isCallable), "defined": kind { !$0.isUndefined }, "undefined": kind(\.isUndefined),
        "divisibleby": { (machine, value, arguments) throws(TemplateError) in
            let divisor = try arguments.bind("divisibleby", ["num"], required: 1, machine)[0] ?? .none
            return try machine.equal(try machine.arithmetic(.remainder, value, divisor), .integer(0))
        },
        "escaped": kind { $0.stringValue?.isMarkup ?? false },
        "even": parity(0), "odd": parity(1),
        "false": kind { if case .bool(false) = $0 { true } else { false } },
        "true": kind { if case .bool(true) = $0 { true } else { false } },
        "filter": { (machine, value, arguments) throws(TemplateError) in
            _ = try arguments.positional("filter", 0...0, machine)
            let name = value.stringValue?.string ?? ""
            return Filters.table[name] != nil || Filters.refused.contains(name)
        },
        "test": { (machine, value, arguments) throws(TemplateError) in
            _ = try arguments.positional("test", 0...0, machine)
            return table[value.stringValue?.string ?? ""] != nil
        },
        "float": kind { if case .float = $0 { true } else { false } },
        "in": { (machine, value, arguments) throws(TemplateError) in
            try machine.contains(try arguments.bind("in", ["seq"], required: 1, machine)[0] ?? .none, value)
        },
        "integer": kind { if case .integer = $0 { true } else { false } },
        "iterable": kind(isIterable),
        "lower": { (machine, value, arguments) throws(TemplateError) in
            _ = try arguments.positional("lower", 0...0, machine)
            return try machine.describe(value).isLowercase
        },
        "upper": { (machine, value, arguments) throws(TemplateError) in
            _ = try arguments.positional("upper", 0...0, machine)
            return try machine.describe(value).isUppercase
        },
        "mapping": kind { if case .dictionary = $0 { true } else { false } }, "none": kind(\.isNone),
        "number": kind { if case .float = $0 { true } else { $0.integerValue != nil } },
        "sameas": { (machine, value, arguments) throws(TemplateError) in
            machine.identical(value, try arguments.bind("sameas", ["other"], required: 1, machine)[0] ?? .none)
        },
        "sequence": kind(isSequence), "string": kind { $0.stringValue != nil },
        "==": comparison(.equal), "eq": comparison(.equal), "equalto": comparison(.equal),
        "!=": comparison(.notEqual), "ne": comparison(.notEqual),
        ">": comparison(.greater), "gt": comparison(.greater), "greaterthan": comparison(.greater),
        ">=": comparison(.greaterOrEqual), "ge": comparison(.greaterOrEqual),
        "<": comparison(.less), "lt": comparison(.less), "lessthan": comparison(.less),
        "<=": comparison(.lessOrEqual), "le": comparison(.lessOrEqual),
    ]

    private static func kind(_ accepts: @escaping @Sendable (Value) -> Bool) -> Test {
        { (machine, value, arguments) throws(TemplateError) in
            _ = try arguments.positional("the test", 0...0, machine)
            return accepts(value)
        }
    }

    private static func comparison(_ sign: ComparisonOperator) -> Test {
        { (machine, value, arguments) throws(TemplateError) in
            try machine.compare(sign, value, try arguments.positional(sign.rawValue, 1...1, machine)[0])
        }
    }

    private static func parity(_ remainder: Int) -> Test {
        { (machine, value, arguments) throws(TemplateError) in
            _ = try arguments.positional("the test", 0...0, machine)
            return try machine.equal(try machine.arithmetic(.remainder, value, .integer(2)), .integer(remainder))
        }
    }

    private static func isCallable(_ value: Value) -> Bool {
        switch value {
        case .callable, .macro, .joiner, .loop, .undefined: true
        default: false
        }
    }

    private static func isIterable(_ value: Value) -> Bool {
        switch value {
        case .string, .list, .tuple, .dictionary, .view, .range, .iterator, .undefined, .loop: true
        default: false
        }
    }

    private static func isSequence(_ value: Value) -> Bool {
        switch value {
        case .string, .list, .tuple, .dictionary, .range, .undefined: true
        default: false
        }
    }
}
