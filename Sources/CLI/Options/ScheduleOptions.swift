public import ArgumentParser
public import Inference

/// How requests share steps. None of this changes a token.
struct ScheduleOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Who goes first where there is not room for all: arrival (first come, first served), priority (interactive requests before "
                + "those of batches, which give up their memory for them), fair (the user that was served the fewest tokens), prefix "
                + "(whoever finds most of its prompt in the cache).",
            valueName: "policy"))
    var schedule = SchedulingOrder.priority

    @Option(
        name: .customLong("target-itl"), parsing: .unconditional,
        help: ArgumentHelp(
            "Milliseconds that may pass between two tokens of an answer while prompts are computed beside it: prompts are cut, by the "
                + "measured cost of a step, so that steps stay within it as far as answers alone do; by default no limit.",
            valueName: "ms"))
    var targetITL: Double?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "The most tokens that a step computes, one for each answer under way and the rest from prompts; by default 512.",
            valueName: "n"))
    var tokenBudget: Int?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("The most answers under way at once; by default 64, in a batch job 256 and as many of them as pay by the measured cost of a step.", valueName: "n"))
    var maxRunning: Int?

    func validate() throws {
        if let targetITL, !(targetITL > 0 && targetITL <= 3_600_000) {
            throw ValidationError(
                "--target-itl is \(targetITL); it must be more than 0 and at most 3600000 milliseconds.")
        }
        if let tokenBudget, !(1...65_536).contains(tokenBudget) {
            throw ValidationError("--token-budget is \(tokenBudget); it must lie in 1...65536.")
        }
        if let maxRunning, !(1...65_536).contains(maxRunning) {
            throw ValidationError("--max-running is \(maxRunning); it must lie in 1...65536.")
        }
        let budget = tokenBudget ?? EngineConfiguration().tokenBudget
        if let maxRunning, maxRunning > budget {
            throw ValidationError(
                "--max-running is \(maxRunning) and --token-budget \(budget); every answer under way needs a token of each step, "
                    + "so it must be \(budget) at most.")
        }
    }

    func apply(to configuration: inout EngineConfiguration) {
        configuration.scheduling = schedule
        configuration.targetITL = targetITL.map { .microseconds(max(1, Int($0 * 1000))) }
        if let tokenBudget { configuration.tokenBudget = tokenBudget }
        if let maxRunning { configuration.maximumRunning = maxRunning }
        configuration.maximumRunning = min(configuration.maximumRunning, configuration.tokenBudget)
    }
}

extension SchedulingOrder: ExpressibleByArgument {}
extension EvictionOrder: ExpressibleByArgument {}
