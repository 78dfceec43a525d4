internal import Foundation
internal import OpenAI

/// A form of `multipart/form-data` (RFC 7578) that lies in a file: short fields, and one file.
struct MultipartForm: Sendable {
    private(set) var fields: [String: String] = [:]
    /// The name that the client gave the file; nil where there is none.
    private(set) var fileName: String?

    /// The boundary that a content type names.
    static func boundary(_ type: String) -> String? {
        guard type.lowercased().hasPrefix("multipart/form-data"), let range = type.range(of: "boundary=", options: .caseInsensitive)
        else { return nil }
        var value = type[range.upperBound...]
        if value.hasPrefix("\"") {
            value = value.dropFirst()
            value = value.prefix { $0 != "\"" }
        } else {
            value = value.prefix { $0 != ";" && !$0.isWhitespace }
        }
        return (1...70).contains(value.utf8.count) ? String(value) : nil
    }

    /// Reads a form and copies the bytes of its field `file` to a file.
    ///
    /// - Throws: ``APIError`` where it is no such form.
    /// - Complexity: O(bytes); the form is mapped, not read into memory.
    init(path: String, boundary: String, file: String) throws {
        let data = try Data(contentsOf: URL(fileURLWithPath: path), options: .alwaysMapped)
        let mark = Data("--\(boundary)".utf8)
        let next = Data("\r\n--\(boundary)".utf8)
        let broken = APIError("the multipart form is damaged or incomplete", parameter: "file", code: "invalid_value")
        guard data.starts(with: mark) else { throw broken }
        var place = data.startIndex + mark.count
        for _ in 0..<100 {
            if data[place...].starts(with: Data("--".utf8)) { return }
            guard data[place...].starts(with: Data("\r\n".utf8)),
                let headEnd = data.range(of: Data("\r\n\r\n".utf8), in: place..<min(place + 16_384, data.endIndex)),
                let end = Self.delimiter(next, in: data, from: headEnd.upperBound - 2)
            else { throw broken }
            let head = String(decoding: data[place..<headEnd.lowerBound], as: UTF8.self)
            let content = headEnd.upperBound..<max(end.lowerBound, headEnd.upperBound)
            let names = Self.names(head)
            if names.field == "file" {
                fileName = Self.plain(names.file ?? "upload")
                try data[content].write(to: URL(fileURLWithPath: file))
            } else if let name = names.field, content.count <= 4096 {
                fields[name] = String(decoding: data[content], as: UTF8.self)
            }
            place = end.upperBound
        }
        throw broken
    }

    /// Where a part ends: at the delimiter with a line's end or two hyphens after it; else it is the part's own text.
    private static func delimiter(_ mark: Data, in data: Data, from start: Int) -> Range<Int>? {
        var start = start
        while let found = data.range(of: mark, in: start..<data.endIndex) {
            let rest = data[found.upperBound...]
            if rest.starts(with: Data("\r\n".utf8)) || rest.starts(with: Data("--".utf8)) { return found }
            start = found.lowerBound + 1
        }
        return nil
    }

    /// `name` and `filename` of a part's `Content-Disposition`.
    private static func names(_ head: String) -> (field: String?, file: String?) {
        let lines = head.split(whereSeparator: \.isNewline)
        guard let line = lines.first(where: { $0.lowercased().hasPrefix("content-disposition:") }) else { return (nil, nil) }
        func value(_ name: String) -> String? {
            guard let range = line.range(of: "; \(name)=\"", options: .caseInsensitive) else { return nil }
            return String(line[range.upperBound...].prefix { $0 != "\"" })
        }
        return (value("name"), value("filename"))
    }

    /// A name without folders and control characters.
    private static func plain(_ name: String) -> String {
        let last = name.split(whereSeparator: { $0 == "/" || $0 == "\\" }).last.map(String.init) ?? "upload"
        return String(last.unicodeScalars.filter { $0.properties.generalCategory != .control }.prefix(255).map(Character.init))
    }
}
