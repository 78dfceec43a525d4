internal import Apus
internal import ArgumentParser
internal import Foundation

struct Models: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lists the models that come with Apus.",
        discussion: """
            Every command takes these names where it takes a model. builtin:stories is inside the package; the others are
            folders of Models, looked for where APUS_MODELS says, or else beside the executable, in ../share/apus, in the package
            that the executable was built in, and in the current folder.
            """)

    @Flag(help: "Print a JSON array of {name, summary, present, architecture, parameters, bytes, path, error}.")
    var json = false

    func run() throws {
        let rows = BuiltInModels.all.map(Row.init)
        if json { return Console.write(try Console.json(rows) + "\n") }
        let cells = rows.map { row in
            [
                row.name, row.architecture ?? (row.present ? "damaged" : "not here"),
                row.parameters.map { String(format: "%.1f M", Double($0) / 1e6) } ?? "",
                row.bytes.map { Console.bytes($0) } ?? "", row.summary,
            ]
        }
        let widths = (0..<4).map { column in cells.map { $0[column].count }.max() ?? 0 }
        for (row, cells) in zip(rows, cells) {
            let padded = zip(cells, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
            Console.write((padded + [cells[4]]).joined(separator: "  ") + "\n")
            if let path = row.path { Console.write("    \(path)\n") }
            if let error = row.error { Console.write("    \(error)\n") }
        }
        if rows.contains(where: { !$0.present }) {
            Console.write(
                "What is not here was looked for in \(BuiltInModels.folders.joined(separator: ", ")); "
                    + "\(BuiltInModels.variable) names another folder.\n")
        }
    }

    private struct Row: Encodable {
        var name: String
        var summary: String
        var present: Bool
        var architecture: String?
        var parameters: Int?
        /// Of the weights.
        var bytes: Int?
        var path: String?
        /// Why a model that is there cannot be used.
        var error: String?

        init(_ entry: BuiltInModels.Entry) {
            name = BuiltInModels.scheme + entry.name
            summary = entry.summary
            path = entry.path
            present = path != nil
            guard present else { return }
            do {
                let shape = try ModelFiles(name).network().shape
                architecture = shape.architecture
                parameters = shape.parameters
                bytes = shape.weightBytes
            } catch {
                self.error = Console.sentence(error)
            }
        }
    }
}
