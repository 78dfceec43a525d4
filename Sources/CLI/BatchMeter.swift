internal import BatchJobs
internal import Foundation

/// The progress of a batch job on one line of a terminal, a few times a second: a bar, rates, what sharing saves, the cache, the time left.
final class BatchMeter {
    private var shown: ContinuousClock.Instant?
    /// For rates over the last seconds rather than the whole run.
    private var marks: [(seconds: Double, rows: Int, finished: Int)] = []

    func report(_ progress: BatchJob.Progress) {
        guard Console.errorIsTerminal else { return }
        let now = ContinuousClock.now
        if let shown, now - shown < .milliseconds(200) { return }
        shown = now
        switch progress.stage {
        case .planning:
            let share = Double(progress.bytesRead) / Double(max(progress.bytes, 1))
            Console.progress("\(bar(share)) planning: \(Console.bytes(progress.bytesRead)) of \(Console.bytes(progress.bytes)) read")
        case .ordering: Console.progress("putting the output in order")
        case .running: Console.progress(running(progress))
        }
    }

    func end() { Console.endProgress() }

    private func running(_ progress: BatchJob.Progress) -> String {
        marks.append((progress.seconds, progress.rows, progress.finished))
        while marks.count > 2, progress.seconds - marks[0].seconds > 30 { marks.removeFirst() }
        let passed = max(progress.seconds - marks[0].seconds, 1e-3)
        let rate = Double(progress.rows - marks[0].rows) / passed
        let perSecond = Double(progress.finished - marks[0].finished) / passed
        let saved = 1 - Double(progress.prefilledTokens) / Double(max(progress.promptTokens, 1))
        let used = 1 - Double(progress.freePages) / Double(max(progress.pages, 1))
        let share = Double(progress.finished) / Double(max(progress.requests, 1))
        let left = perSecond > 0 ? time(Double(progress.requests - progress.finished) / perSecond) + " left" : ""
        let failed = progress.failed == 0 ? "" : ", \(progress.failed) failed"
        return bar(share)
            + String(
                format: " %d of %d%@, %d running, %.0f tokens/s, %.0f %% of prompts saved, cache %.0f %%  %@",
                progress.finished, progress.requests, failed, progress.running, rate, 100 * max(saved, 0), 100 * used, left)
    }

    private func bar(_ share: Double) -> String {
        let width = 20
        let filled = Int((share * Double(width)).rounded(.down))
        return "[" + String(repeating: "#", count: filled) + String(repeating: "-", count: width - filled) + "]"
    }

    private func time(_ seconds: Double) -> String {
        let whole = Int(seconds.rounded())
        if whole < 60 { return "\(whole) s" }
        if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
        return "\(whole / 3600) h \(whole / 60 % 60) min"
    }
}
