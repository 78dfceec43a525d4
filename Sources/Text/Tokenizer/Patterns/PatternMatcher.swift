/// Runs a ``PatternProgram`` over one text. It keeps its stack between matches, so that matching allocates nothing
/// once the stack has grown.
struct PatternMatcher {
    /// What to try when the present way fails: resume at `instruction`, at `position`. While `floor` lies below
    /// `position`, the frame stands for a greedy run that may still give back scalars.
    private struct Frame {
        var instruction: Int
        var position: Int
        var floor: Int
    }

    private let program: PatternProgram
    private var stack: [Frame] = []
    // Loops inside a lookahead are pure functions of their position: what was learnt there holds for the whole text,
    // and keeps patterns such as `\d{1,3}(?=(?:\d{3})*\b)` linear.
    private var memo: [Int: Bool] = [:]
    private var trail: [(key: Int, depth: Int)] = []
    private var lookDepth = 0

    init(_ program: PatternProgram) { self.program = program }

    /// The first match that starts at `start` or later and within `text`, or nil. The text begins at 0: anchors and
    /// lookbehind see what lies before `start`.
    mutating func firstMatch(_ text: UnsafeBufferPointer<UInt8>, from start: Int) -> Range<Int>? {
        guard let base = text.baseAddress else {
            return match(emptyTextPointer, 0, 0).map { 0..<$0 }
        }
        let end = text.count
        var position = start
        while position <= end {
            if position == end || program.canBeginWith[Int(base[position])] {
                if let stop = match(base, position, end) { return position..<stop }
                if position == end { return nil }
            }
            position += UTF8Scalars.decode(base, position, end).length
        }
        return nil
    }

    /// Forgets what it learnt of the last text.
    mutating func beginText() { memo.removeAll(keepingCapacity: true) }

    private func isWord(at position: Int, _ bytes: UnsafePointer<UInt8>, _ end: Int) -> Bool {
        position < end && program.isWord(UTF8Scalars.decode(bytes, position, end).scalar)
    }

    private func isWord(before position: Int, _ bytes: UnsafePointer<UInt8>) -> Bool {
        guard position > 0 else { return false }
        let start = UTF8Scalars.previous(bytes, position, 0)
        return program.isWord(UTF8Scalars.decode(bytes, start, position).scalar)
    }

    private func holds(
        _ assertion: PatternAssertion, _ bytes: UnsafePointer<UInt8>, _ position: Int, _ end: Int
    ) -> Bool {
        switch assertion {
        case .textStart: position == 0
        case .textEnd: position == end
        case .textEndOrLastNewline: position == end || (position == end - 1 && bytes[position] == 0x0A)
        case .lineStart: position == 0 || (bytes[position - 1] == 0x0A && position < end)
        case .lineEnd: position == end || bytes[position] == 0x0A
        case .wordBoundary: isWord(at: position, bytes, end) != isWord(before: position, bytes)
        case .notWordBoundary: isWord(at: position, bytes, end) == isWord(before: position, bytes)
        }
    }

    private func looksBack(_ list: [Int], _ bytes: UnsafePointer<UInt8>, _ position: Int) -> Bool {
        var place = position
        for set in list.reversed() {
            guard place > 0 else { return false }
            let start = UTF8Scalars.previous(bytes, place, 0)
            guard program.sets[set].contains(UTF8Scalars.decode(bytes, start, place).scalar) else { return false }
            place = start
        }
        return true
    }

    /// The end of the match that starts at `start`, or nil.
    mutating func match(_ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Int? {
        run(0, bytes, start, end)
    }

    private mutating func run(_ first: Int, _ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Int? {
        let stackBase = stack.count
        let trailBase = trail.count
        var instruction = first
        var position = start
        while true {
            var failed = false
            switch program.instructions[instruction] {
            case .accept:
                stack.removeLast(stack.count - stackBase)
                settleTrail(from: trailBase, true)
                return position
            case .set(let index):
                if position < end {
                    let (scalar, length) = UTF8Scalars.decode(bytes, position, end)
                    if program.sets[index].contains(scalar) {
                        position += length
                        instruction += 1
                        continue
                    }
                }
                failed = true
            case .run(let index, let minimum, let maximum, let greed):
                if let stop = runSet(index, minimum, maximum, greed, instruction, bytes, position, end) {
                    position = stop
                    instruction += 1
                    continue
                }
                failed = true
            case .split(let taken, let other):
                if lookDepth > 0 {
                    let key = instruction << 40 | position
                    if let known = memo[key] {
                        // Inside a lookahead only whether it ends in success matters, not where.
                        if known {
                            stack.removeLast(stack.count - stackBase)
                            settleTrail(from: trailBase, true)
                            return position
                        }
                        failed = true
                        break
                    }
                    trail.append((key, stack.count))
                }
                stack.append(Frame(instruction: other, position: position, floor: position))
                instruction = taken
                continue
            case .jump(let target):
                instruction = target
                continue
            case .lookahead(let body, let next, let isNegative):
                lookDepth += 1
                let found = run(body, bytes, position, end) != nil
                lookDepth -= 1
                if found != isNegative {
                    instruction = next
                    continue
                }
                failed = true
            case .atomic(let body, let next):
                let outerDepth = lookDepth
                lookDepth = 0
                let stop = run(body, bytes, position, end)
                lookDepth = outerDepth
                if let stop {
                    position = stop
                    instruction = next
                    continue
                }
                failed = true
            case .lookbehind(let list, let isNegative):
                if looksBack(list, bytes, position) != isNegative {
                    instruction += 1
                    continue
                }
                failed = true
            case .assertion(let assertion):
                if holds(assertion, bytes, position, end) {
                    instruction += 1
                    continue
                }
                failed = true
            }
            if failed {
                guard stack.count > stackBase else {
                    settleTrail(from: trailBase, false)
                    return nil
                }
                let frame = stack[stack.count - 1]
                instruction = frame.instruction
                position = frame.position
                if frame.floor < frame.position {
                    stack[stack.count - 1].position = UTF8Scalars.previous(bytes, frame.position, frame.floor)
                } else {
                    stack.removeLast()
                    while let last = trail.last, trail.count > trailBase, last.depth > stack.count {
                        memo[last.key] = false
                        trail.removeLast()
                    }
                }
            }
        }
    }

    private mutating func settleTrail(from base: Int, _ outcome: Bool) {
        guard lookDepth > 0 else { return }
        while trail.count > base { memo[trail.removeLast().key] = outcome }
    }

    /// Consumes a repeated set and leaves behind what backtracking needs. Returns the position reached, or nil.
    @inline(__always)
    private mutating func runSet(
        _ index: Int, _ minimum: Int, _ maximum: Int, _ greed: PatternGreed, _ instruction: Int,
        _ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int
    ) -> Int? {
        let set = program.sets[index]
        var position = start
        var count = 0
        var floor = start
        while count < maximum, position < end {
            let (scalar, length) = UTF8Scalars.decode(bytes, position, end)
            guard set.contains(scalar) else { break }
            position += length
            count += 1
            if count == minimum { floor = position }
        }
        guard count >= minimum else { return nil }
        if greed == .greedy, position > floor {
            let back = UTF8Scalars.previous(bytes, position, floor)
            stack.append(Frame(instruction: instruction + 1, position: back, floor: floor))
        }
        return position
    }
}

/// A place to point at where a text is empty.
nonisolated(unsafe) private let emptyTextPointer: UnsafePointer<UInt8> = {
    let place = UnsafeMutablePointer<UInt8>.allocate(capacity: 1)
    place.pointee = 0
    return UnsafePointer(place)
}()
