internal import CKernels

/// Work that is no operation on rows and can be cut into parts, such as an engine's choice of tokens.
public protocol SharedWork: AnyObject {
    /// Does one part: called once for each, on any thread, several at the same time.
    func run(part: Int)
}

extension Ops {
    /// Runs all parts of some work on the threads of the operations, and returns when they are done. Allocates nothing.
    ///
    /// - Parameter nanoseconds: roughly what the whole takes on one thread; a little runs on the caller alone.
    public func share(_ work: any SharedWork, parts: Int, nanoseconds: Int) {
        var arguments = Arguments(work: work)
        run(
            { arguments, begin, end, _ in
                let work = arguments!.assumingMemoryBound(to: Arguments.self).pointee.work
                for part in begin..<end { work.run(part: Int(part)) }
            }, &arguments, items: parts, nanoseconds: nanoseconds)
    }

    private struct Arguments {
        let work: any SharedWork
    }
}
