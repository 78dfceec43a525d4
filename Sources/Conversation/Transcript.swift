package import Apus

/// A conversation: what the system message says and what was said in turn.
package struct Transcript: Sendable, Equatable {
    /// One thing that was said.
    package struct Turn: Sendable, Equatable {
        /// `user` or `assistant`.
        package var role: String
        package var content: String
        /// Whether the answer was interrupted.
        package var isStopped = false
        /// Which of the possible answers this is; the same index gives the same answer.
        package var sample: UInt32 = 0

        package init(role: String, content: String, isStopped: Bool = false, sample: UInt32 = 0) {
            self.role = role
            self.content = content
            self.isStopped = isStopped
            self.sample = sample
        }
    }

    package var system: String?
    package var turns: [Turn] = []

    package init(system: String? = nil, turns: [Turn] = []) {
        self.system = system
        self.turns = turns
    }

    package var isEmpty: Bool { system == nil && turns.isEmpty }

    /// The conversation as a template takes it.
    package var messages: [ChatMessage] {
        (system.map { [ChatMessage(role: "system", content: $0)] } ?? [])
            + turns.map { ChatMessage(role: $0.role, content: $0.content) }
    }

    /// Drops the last message of the user and what follows it.
    ///
    /// - Returns: what was dropped; nothing where the user has said nothing.
    package mutating func undo() -> [Turn] {
        guard let start = turns.lastIndex(where: { $0.role == "user" }) else { return [] }
        defer { turns.removeSubrange(start...) }
        return Array(turns[start...])
    }

    /// The conversation up to the last message of the user, and the index of the answer that comes after those that
    /// were already given to it; nil where the user has said nothing.
    package func beforeNextSample() -> (transcript: Transcript, sample: UInt32)? {
        guard let last = turns.last else { return nil }
        if last.role == "user" { return (self, 0) }
        var shorter = self
        shorter.turns.removeLast()
        guard shorter.turns.last?.role == "user" else { return nil }
        return (shorter, last.sample &+ 1)
    }

    /// The conversation for reading.
    package var text: String {
        var parts = system.map { ["system: \($0)"] } ?? []
        for turn in turns {
            parts.append(
                "\(turn.role == "user" ? "you" : "model"): \(turn.content)\(turn.isStopped ? " [stopped]" : "")")
        }
        return parts.joined(separator: "\n\n")
    }
}
