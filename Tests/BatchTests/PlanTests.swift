import Foundation
import Testing

@testable import BatchJobs

/// The order of a job, against what can be counted.
@Suite struct PlanTests {
    struct Prompt {
        var tokens: [Int32]
        var decode: Int
    }

    /// Prompts that part at many depths, some equal, some the beginning of others.
    static func prompts(_ count: Int, seed: UInt64) -> [Prompt] {
        var random = Random(state: seed)
        var prompts: [Prompt] = []
        for _ in 0..<count {
            var tokens: [Int32] = []
            if !prompts.isEmpty, random.below(3) > 0 {
                let other = prompts[random.below(prompts.count)].tokens
                tokens = Array(other.prefix(random.below(other.count + 1)))
            }
            tokens += (0..<1 + random.below(80)).map { _ in Int32(random.below(1000)) }
            prompts.append(Prompt(tokens: tokens, decode: random.below(100)))
        }
        return prompts
    }

    static func children(_ prompts: [Prompt]) throws -> [Int: [PrefixTree.Child]] {
        var children: [Int: [PrefixTree.Child]] = [:]
        try withoutActuallyEscaping({ (child: PrefixTree.Child) in children[child.parent, default: []].append(child) }) {
            var tree = PrefixTree($0)
            let paths = prompts.map { PromptPath.bytes($0.tokens) }
            let order = prompts.indices.sorted {
                paths[$0] == paths[$1] ? $0 < $1 : paths[$0].lexicographicallyPrecedes(paths[$1])
            }
            for index in order {
                try tree.add(
                    line: index, path: paths[index], tokens: prompts[index].tokens.count, decode: prompts[index].decode)
            }
            try tree.finish()
        }
        return children.mapValues { $0.sorted { ($1.rank, $0.id) < ($0.rank, $1.id) } }
    }

    /// Lines in the order of the plan.
    static func order(_ children: [Int: [PrefixTree.Child]]) -> [Int] {
        var lines: [Int] = []
        func visit(_ node: Int) {
            for child in children[node] ?? [] {
                if let line = child.line { lines.append(line) } else { visit(child.id) }
            }
        }
        visit(PrefixTree.root)
        return lines
    }

    /// Depth first: what a prompt shares with any earlier one it shares with the one just before it, in steps of 16.
    @Test(arguments: 1...8) func aPrefixIsNeverComeBackTo(seed: UInt64) throws {
        let prompts = Self.prompts(120, seed: seed)
        let order = Self.order(try Self.children(prompts))
        #expect(order.sorted() == Array(prompts.indices))
        func shared(_ first: Int, _ second: Int) -> Int {
            zip(prompts[first].tokens, prompts[second].tokens).prefix { $0 == $1 }.count / 16
        }
        for place in 1..<order.count {
            let before = shared(order[place], order[place - 1])
            for earlier in order[..<place] { #expect(shared(order[place], earlier) <= before) }
        }
    }

    /// Each node's rank is its tokens to decode for each token to compute, counted over the set of prefixes below it.
    @Test(arguments: 1...4) func ranksAreWhatIsBelow(seed: UInt64) throws {
        let prompts = Self.prompts(60, seed: seed)
        let children = try Self.children(prompts)
        func lines(_ child: PrefixTree.Child) -> [Int] {
            child.line.map { [$0] } ?? (children[child.id] ?? []).flatMap(lines)
        }
        /// Tokens that the prompts have in common, in steps of 16.
        func depth(_ lines: [Int]) -> Int {
            let first = prompts[lines[0]].tokens
            return lines.dropFirst().map { line in
                zip(first, prompts[line].tokens).prefix { $0 == $1 }.count / 16 * 16
            }.min() ?? first.count
        }
        func check(_ node: Int, _ nodeDepth: Int) {
            var last = Double.infinity
            for child in children[node] ?? [] {
                let below = lines(child)
                // Whole steps as a set of prefixes, and each prompt's tokens after its last whole step in the tree.
                var computed = 0
                func count(_ child: PrefixTree.Child, _ from: Int) {
                    let to = depth(lines(child))
                    computed += to - from
                    for next in child.line == nil ? children[child.id] ?? [] : [] { count(next, to) }
                }
                count(child, nodeDepth)
                let rank = Double(below.reduce(0) { $0 + prompts[$1].decode }) / Double(max(computed, 1))
                #expect(abs(child.rank - rank) < 1e-9)
                #expect(child.rank <= last)
                last = child.rank
                if child.line == nil {
                    #expect(below.count > 1)
                    check(child.id, depth(below))
                }
            }
        }
        check(PrefixTree.root, 0)
    }

    @Test func pathsTellTokensApart() {
        let tokens = (0..<100).map { Int32($0) }
        var other = tokens
        other[50] = 7
        #expect(PromptPath.bytes(tokens).count == 6 * 4)
        #expect(PromptPath.common(PromptPath.bytes(tokens), PromptPath.bytes(other)) == 3)
        #expect(PromptPath.common(PromptPath.bytes(tokens), PromptPath.bytes(Array(tokens.prefix(40)))) == 2)
        #expect(PromptPath.bytes(Array(tokens.prefix(15))).isEmpty)
    }

    /// Lines and their places as Foundation finds them in the whole file, across the borders of blocks.
    @Test func filesAreCutIntoLines() throws {
        let folder = try Folder()
        defer { folder.remove() }
        var random = Random(state: 4)
        var bytes: [UInt8] = []
        while bytes.count < 5 << 20 {
            let length = [0, 1, 10, 5000, 300_000][random.below(5)]
            bytes += (0..<length).map { _ in UInt8(ascii: "a") + UInt8(random.below(26)) }
            bytes += random.below(4) == 0 ? [0x0D, 0x0A] : [0x0A]
        }
        for ending in [[UInt8](), Array("end".utf8), [0x0D]] {
            let whole = bytes + ending
            let file = try InputFile(try folder.write("in", whole))
            var expected = whole.split(separator: 0x0A, omittingEmptySubsequences: false)
            if expected.last?.isEmpty == true { expected.removeLast() }
            var count = 0
            let digest = try file.scan(limit: 100) { lines in
                #expect(lines.count <= 100)
                for line in lines {
                    let slice = expected[count]
                    let without = slice.last == 0x0D ? slice.dropLast() : slice
                    #expect(line.number == count + 1 && line.offset == slice.startIndex)
                    #expect(line.bytes == Array(without) && line.length == without.count)
                    let again = try file.read(offset: line.offset, length: line.length)
                    #expect(again == line.bytes)
                    count += 1
                }
            }
            #expect(count == expected.count)
            let again = try file.digest()
            #expect(again == digest)
        }
    }

    @Test func aChangedFileHasAnotherDigest() throws {
        let folder = try Folder()
        defer { folder.remove() }
        var digests: Set<UInt64> = []
        let contents = ["", "a", "b", "a\0", "ab", "ba", "12345678", "123456780", "1234567a", "\0\0\0\0\0\0\0\0"]
        for text in contents { digests.insert(try InputFile(try folder.write("in", text.utf8)).digest()) }
        #expect(digests.count == contents.count)
    }

    /// A job of refused and empty lines larger than what is held at once.
    @Test func aGreatJobIsPlanned() throws {
        let folder = try Folder()
        defer { folder.remove() }
        try folder.write("in", lines: (0..<30_000).map { "{\"custom_id\":\"\($0 % 20_000)\",\"prompt\":7}" })
        let report = try Jobs.run(Jobs.make(folder))
        #expect(report.requests == 30_000 && report.failed == 30_000)
        var twins = 0
        for line in try folder.sortedLines("out") { twins += line.contains("duplicate_custom_id") ? 1 : 0 }
        #expect(twins == 10_000)
    }
}
