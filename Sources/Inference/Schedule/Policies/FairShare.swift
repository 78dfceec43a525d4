/// The user that was served least goes first (Fairness in Serving Large Language Models, Sheng and others 2024, the virtual
/// token counter): a token of a prompt counts once, a generated one twice. Who comes back after a pause begins with the
/// least that anybody present was served, so that a pause saves nothing up.
struct FairShare: SchedulingPolicy {
    /// What one user was served.
    final class Account {
        let user: String
        var served = 0
        /// Requests of the user in the engine.
        var present = 0

        init(user: String) { self.user = user }
    }

    private var accounts: [String: Account] = [:]
    /// The least that anybody present was served, at the last arrival; what the last to leave was served.
    private var floor = 0

    func precedes(_ a: TokenSequence, _ b: TokenSequence) -> Bool {
        (a.account?.served ?? 0) < (b.account?.served ?? 0)
    }

    mutating func arrived(_ sequence: TokenSequence) {
        let user = sequence.request.user ?? ""
        if let least = accounts.values.lazy.filter({ $0.present > 0 }).map(\.served).min() { floor = max(floor, least) }
        let account = accounts[user] ?? Account(user: user)
        if account.present == 0 { account.served = max(account.served, floor) }
        account.present += 1
        accounts[user] = account
        sequence.account = account
    }

    func served(_ sequence: TokenSequence, rows: Int) {
        // What is computed again after a preemption was counted before.
        let (first, end) = (max(sequence.computed, sequence.counted), sequence.computed + rows)
        guard first < end, let account = sequence.account else { return }
        account.served += end - first + max(0, end - max(first, sequence.promptCount))
        sequence.counted = end
    }

    mutating func left(_ sequence: TokenSequence) {
        guard let account = sequence.account else { return }
        account.present -= 1
        sequence.account = nil
        if accounts.values.allSatisfy({ $0.present == 0 }) { floor = max(floor, account.served) }
        // Who is served no more than a newcomer would be need not be remembered.
        if account.present == 0 && account.served <= floor { accounts[account.user] = nil }
    }
}
