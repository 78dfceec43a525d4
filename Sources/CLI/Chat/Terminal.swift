internal import Foundation

/// A terminal in raw mode. Whatever ends the process, the terminal gets back the mode it was found in.
enum Terminal {
    /// Starts to keep the terminal's mode safe: remembers it, and restores it at exit and on signals that end the process.
    ///
    /// - Returns: false where standard input has no mode.
    static func open() -> Bool {
        var mode = termios()
        guard tcgetattr(STDIN_FILENO, &mode) == 0 else { return false }
        original = UnsafeMutablePointer.allocate(capacity: 1)
        original!.initialize(to: mode)
        atexit { restoreTerminal() }
        for number in [SIGHUP, SIGTERM, SIGQUIT, SIGABRT, SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV] {
            signal(number) { number in
                restoreTerminal()
                // Raised again once this returns, then with its usual end.
                signal(number, SIG_DFL)
                raise(number)
            }
        }
        return true
    }

    /// Every key comes to the program as it is pressed, Ctrl-C among them; pastes come marked.
    static func beginEditing() {
        setMode { mode in
            mode.c_iflag &= ~tcflag_t(ICRNL | INLCR | IGNCR | IXON | ISTRIP | BRKINT | INPCK)
            mode.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG | IEXTEN)
        }
        Console.write("\u{1B}[?2004h")
    }

    /// Keys wait unseen for the next prompt; Ctrl-C is a signal.
    static func endEditing() {
        Console.write("\u{1B}[?2004l")
        setMode { mode in
            mode.c_iflag &= ~tcflag_t(ICRNL | INLCR | IGNCR)
            mode.c_lflag &= ~tcflag_t(ICANON | ECHO)
        }
    }

    static func restore() { restoreTerminal() }

    /// Gives the terminal back and stops the process until the shell continues it.
    static func suspend() {
        restoreTerminal()
        // On this very thread, where workers block signals: so nothing goes on before the stop.
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGTSTP)
        pthread_sigmask(SIG_UNBLOCK, &signals, nil)
        raise(SIGTSTP)
    }

    /// Bytes that the terminal sends.
    ///
    /// - Parameter patience: milliseconds to wait; nil waits for ever.
    /// - Returns: nothing after the wait, nil where the terminal is gone.
    static func read(patience: Int32?) -> [UInt8]? {
        if let patience {
            var descriptor = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
            if poll(&descriptor, 1, patience) == 0 { return [] }
        }
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = Foundation.read(STDIN_FILENO, &buffer, buffer.count)
            if count > 0 { return Array(buffer[..<count]) }
            if count == 0 || errno != EINTR { return nil }
        }
    }

    /// Rows and columns, 24 × 80 where the terminal does not say.
    static var size: (rows: Int, columns: Int) {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_row > 0, size.ws_col > 0 else {
            return (24, 80)
        }
        return (Int(size.ws_row), Int(size.ws_col))
    }

    private static func setMode(_ change: (inout termios) -> Void) {
        guard var mode = original?.pointee else { return }
        change(&mode)
        while tcsetattr(STDIN_FILENO, TCSADRAIN, &mode) != 0, errno == EINTR {}
    }
}

/// The mode in which the terminal was found. A plain pointer: signal handlers read it.
private nonisolated(unsafe) var original: UnsafeMutablePointer<termios>?

/// Gives the terminal its mode back, with nothing but calls that a signal handler may make.
private func restoreTerminal() {
    guard let original else { return }
    let endPasteMarks: StaticString = "\u{1B}[?2004l"
    _ = Foundation.write(STDOUT_FILENO, endPasteMarks.utf8Start, endPasteMarks.utf8CodeUnitCount)
    _ = tcsetattr(STDIN_FILENO, TCSANOW, original)
}
