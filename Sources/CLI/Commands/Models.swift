internal import Apus
internal import ArgumentParser

struct Models: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Lists the models that come with Apus.")

    @Flag(help: "Print a JSON array of {name, summary}.") var json = false

    func run() throws {
        let rows = BuiltInModels.all.map { ["name": BuiltInModels.scheme + $0.name, "summary": $0.summary] }
        if json { return Console.write(try Console.json(rows) + "\n") }
        for row in rows { Console.write("\(row["name"]!)  \(row["summary"]!)\n") }
    }
}
