import Checkpoints
import Glibc

/// Feeds the parsers of model files with damaged inputs, in this process and from memory.
///
///     swift run -c release Fuzz run <goldens> <scratch> <inputs of each kind> [first number]
///     swift run -c release Fuzz one <goldens> <scratch> <kind> <number>
///     swift run -c release Fuzz samples <folder> <files of each kind>
///     swift run -c release Fuzz open <model> <times>
///
/// `run` prints how many inputs of each kind were accepted and refused. The number of the input being tried is in
/// `<scratch>/current`, so that after a trap `one` repeats it. `samples` writes sound random files of both kinds for
/// check_samples.py, which reads them with the reference packages. `open` prints the least time that opening a model
/// took, and that of decoding its vocabulary.
@main struct Fuzz {
    static func main() {
        do {
            try perform()
        } catch {
            print(error)
            exit(1)
        }
    }

    static func perform() throws {
        let arguments = CommandLine.arguments.dropFirst()
        switch (arguments.first, Array(arguments.dropFirst())) {
        case ("run", let rest) where rest.count >= 3:
            guard let count = UInt64(rest[2]), let first = UInt64(rest.count > 3 ? rest[3] : "0") else { usage() }
            try run(FuzzSubject(goldens: rest[0], scratch: rest[1]), scratch: rest[1], first..<first + count)
        case ("one", let rest) where rest.count == 4:
            guard let kind = FuzzSubject.Kind.allCases.first(where: { "\($0)" == rest[2] }),
                let number = UInt64(rest[3])
            else { usage() }
            let accepted = try FuzzSubject(goldens: rest[0], scratch: rest[1]).run(kind, number: number)
            print(accepted ? "accepted" : "refused")
        case ("samples", let rest) where rest.count == 2:
            guard let count = Int(rest[1]) else { usage() }
            var random = SplitMix64(state: 99)
            for number in 0..<count {
                try RandomModel.gguf(&random).write(to: "\(rest[0])/\(number).gguf")
                try RandomModel.safetensors(&random).write(to: "\(rest[0])/\(number).safetensors")
            }
        case ("open", let rest) where rest.count == 2:
            guard let times = Int(rest[1]), times > 0 else { usage() }
            try measure(rest[0], times: times)
        default: usage()
        }
    }

    static func measure(_ path: String, times: Int) throws {
        var opening = Duration.seconds(3600)
        var decoding = opening
        var tokens = 0
        let clock = ContinuousClock()
        for _ in 0..<times {
            let start = clock.now
            let checkpoint = try Checkpoint.open(path)
            let opened = clock.now
            tokens = try checkpoint.gguf?.strings(ifPresent: "tokenizer.ggml.tokens")?.count ?? 0
            decoding = min(decoding, clock.now - opened)
            opening = min(opening, opened - start)
            if times == 1 {
                print(
                    "\(checkpoint.kind) \(checkpoint.name): \(checkpoint.tensorNames.count) tensors, "
                        + "\(checkpoint.parameterCount) parameters, \(checkpoint.weightBytes) bytes")
            }
        }
        print("opened in \(opening), \(tokens) tokens decoded in \(decoding)")
    }

    static func usage() -> Never {
        print(
            "usage: Fuzz run <goldens> <scratch> <inputs> [first] | one <goldens> <scratch> <kind> <number> | samples <folder> <files> | open <model> <times>"
        )
        exit(2)
    }

    static func run(_ subject: FuzzSubject, scratch: String, _ numbers: Range<UInt64>) throws {
        let current = open(scratch + "/current", O_WRONLY | O_CREAT, 0o644)
        guard current >= 0 else {
            print("cannot write to \(scratch)")
            exit(2)
        }
        for kind in FuzzSubject.Kind.allCases {
            var accepted = 0
            for number in numbers {
                let line = "\(kind) \(number)              \n"
                _ = line.withCString { pwrite(current, $0, line.utf8.count, 0) }
                if subject.run(kind, number: number) { accepted += 1 }
            }
            print("\(kind): \(numbers.count) inputs, \(accepted) accepted, \(numbers.count - accepted) refused")
            fflush(nil)
        }
    }
}
