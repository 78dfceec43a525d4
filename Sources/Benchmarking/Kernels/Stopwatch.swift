/// Measures the seconds of one run of `body`, again and again until `budget` seconds are spent: at least 3 times, at most 1,000,
/// after one run that warms up. `prepare` goes before each run and is not measured, but takes of the budget.
func measureRepeatedly(budget: Double, preparing prepare: () -> Void = {}, _ body: () -> Void) -> Sample {
    prepare()
    body()
    var values: [Double] = []
    let start = monotonicSeconds()
    repeat {
        prepare()
        let begin = monotonicSeconds()
        body()
        values.append(monotonicSeconds() - begin)
    } while values.count < 3 || (values.count < 1000 && monotonicSeconds() - start < budget)
    return Sample(values)
}
