internal import Foundation
internal import Synchronization

/// Notes the first interrupt (Ctrl-C) or request to end; a second one ends the process as usual.
final class StopSignals: Sendable {
    private let number = Atomic<Int32>(0)
    nonisolated(unsafe) private var sources: [any DispatchSourceSignal] = []

    init() {
        for signal in [SIGINT, SIGTERM] {
            Foundation.signal(signal, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: signal, queue: .global())
            source.setEventHandler { [weak self] in
                self?.number.store(signal, ordering: .relaxed)
                for signal in [SIGINT, SIGTERM] { Foundation.signal(signal, SIG_DFL) }
            }
            source.resume()
            sources.append(source)
        }
        // A limit on the size of files is told by the write that meets it, as a full disk is.
        Foundation.signal(SIGXFSZ, SIG_IGN)
    }

    /// The signal that came first; nil where none has.
    var received: Int32? {
        let value = number.load(ordering: .relaxed)
        return value == 0 ? nil : value
    }

    deinit { for source in sources { source.cancel() } }
}
