internal import CKernels

/// Runs `body` over parts of 0 ..< `items` on several threads, and returns when all is done.
///
/// For work outside an engine's step: threads are made for it. The body must not care how the range is cut.
///
/// - Parameters:
///   - grain: items that are handed out together, at least 1.
///   - threads: at least 1, the caller among them.
public func inParallel(_ items: Int, grain: Int, threads: Int, _ body: @Sendable (Range<Int>) -> Void) {
    guard threads > 1, items > grain else {
        if items > 0 { body(0..<items) }
        return
    }
    withoutActuallyEscaping(body) { body in
        var box = Body(run: body)
        withUnsafePointer(to: &box) { box in
            WorkerPool(threads: threads).run(
                { arguments, begin, end, _ in
                    arguments!.assumingMemoryBound(to: Body.self).pointee.run(Int(begin)..<Int(end))
                }, box, items: items, grain: grain)
        }
    }
}

private struct Body {
    let run: @Sendable (Range<Int>) -> Void
}
