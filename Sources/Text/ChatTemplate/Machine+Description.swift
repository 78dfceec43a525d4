extension Machine {
    /// The value as printed into the text.
    func describe(_ value: Value) throws(TemplateError) -> TemplateString {
        switch value {
        case .undefined: return ""
        case .string(let text): return text
        default:
            var bytes: [UInt8] = []
            try represent(value, into: &bytes)
            return TemplateString(bytes: bytes)
        }
    }

    /// The value as it appears inside a printed list: texts in quotes.
    func representation(_ value: Value) throws(TemplateError) -> TemplateString {
        var bytes: [UInt8] = []
        try represent(value, into: &bytes)
        return TemplateString(bytes: bytes)
    }

    private func represent(_ value: Value, into bytes: inout [UInt8]) throws(TemplateError) {
        try step()
        switch value {
        case .undefined: bytes.append(text: "Undefined")
        case .none: bytes.append(text: "None")
        case .bool(let value): bytes.append(contentsOf: (value ? "True" : "False").utf8)
        case .integer(let value): bytes.append(contentsOf: String(value).utf8)
        case .float(let value): bytes.append(contentsOf: NumberText.shortest(value).utf8)
        case .string(let text):
            try charge(text.bytes.count)
            if text.isMarkup { bytes.append(text: "Markup(") }
            text.appendQuoted(to: &bytes)
            if text.isMarkup { bytes.append(text: ")") }
        case .list(let sequence): try represent(sequence.items, "[", "]", into: &bytes)
        case .tuple(let sequence):
            try represent(sequence.items, "(", sequence.items.count == 1 ? ",)" : ")", into: &bytes)
        case .dictionary(let dictionary): try represent(dictionary, into: &bytes)
        case .view(let view):
            bytes.append(contentsOf: value.typeName.utf8)
            try represent(try elements(view), "([", "])", into: &bytes)
        case .range(let range):
            let step = range.step == 1 ? "" : ", \(range.step)"
            bytes.append(contentsOf: "range(\(range.start), \(range.stop)\(step))".utf8)
        case .namespace(let namespace): try represent(namespace, into: &bytes)
        case .macro(let macro):
            bytes.append(contentsOf: (macro.code.name.map { "<Macro '\($0)'>" } ?? "<Macro anonymous>").utf8)
        case .loop(let loop):
            bytes.append(contentsOf: "<LoopContext \(loop.index0 + 1)/\(try loop.length(self))>".utf8)
        case .iterator(let iterator): throw unsupported("printing a \(iterator.name), which is not a list")
        case .callable, .cycler, .joiner: throw unsupported("printing a \(value.typeName)")
        }
    }

    private func represent(
        _ items: [Value], _ open: StaticString, _ close: StaticString, into bytes: inout [UInt8]
    ) throws(TemplateError) {
        bytes.append(text: open)
        for (index, item) in items.enumerated() {
            if index > 0 { bytes.append(text: ", ") }
            try charge(8)
            try represent(item, into: &bytes)
        }
        bytes.append(text: close)
    }

    private func represent(_ dictionary: Value.Dictionary, into bytes: inout [UInt8]) throws(TemplateError) {
        bytes.append(text: "{")
        for (index, entry) in dictionary.entries.enumerated() {
            if index > 0 { bytes.append(text: ", ") }
            try charge(8)
            try represent(entry.key, into: &bytes)
            bytes.append(text: ": ")
            try represent(entry.value, into: &bytes)
        }
        bytes.append(text: "}")
    }

    /// A namespace may lie within itself, which no count of nesting sees: its members count as one call deeper.
    private func represent(_ namespace: Value.Namespace, into bytes: inout [UInt8]) throws(TemplateError) {
        bytes.append(text: "<Namespace {")
        for (index, member) in namespace.members.enumerated() {
            if index > 0 { bytes.append(text: ", ") }
            member.name.appendQuoted(to: &bytes)
            bytes.append(text: ": ")
            var inner: [UInt8] = []
            try nested(weight: 16) { () throws(TemplateError) in try represent(member.value, into: &inner) }
            try charge(inner.count)
            bytes.append(contentsOf: inner)
        }
        bytes.append(text: "}>")
    }
}

extension TemplateString {
    /// Appends the text in quotes, with escapes for what cannot be printed.
    func appendQuoted(to output: inout [UInt8]) {
        let quote = UInt8(ascii: bytes.contains(UInt8(ascii: "'")) && !bytes.contains(UInt8(ascii: "\"")) ? "\"" : "'")
        output.append(quote)
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\n": output.append(text: "\\n")
            case "\r": output.append(text: "\\r")
            case "\t": output.append(text: "\\t")
            case "\\": output.append(text: "\\\\")
            case _ where scalar.value == UInt32(quote): output.append(contentsOf: [UInt8(ascii: "\\"), quote])
            case _ where scalar.isPrintable: output.append(scalar)
            default: output.append(contentsOf: NumberText.escape(scalar).utf8)
            }
        }
        output.append(quote)
    }
}

extension Unicode.Scalar {
    /// Whether the scalar is shown as itself inside quotes: all but control, unassigned and separating ones; the
    /// space is shown.
    var isPrintable: Bool {
        if value < 0x7F { return value >= 0x20 }
        switch properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator,
            .spaceSeparator:
            return false
        default: return true
        }
    }
}
