/// Measures the seconds of one run of `body`, again and again until `budget` seconds are spent: at least 3 times, at most 1,000,
/// after one run that warms up.
func measureRepeatedly(budget: Double, _ body: () -> Void) -> Sample {
    body()
    var values: [Double] = []
    let start = monotonicSeconds()
    repeat {
        let begin = monotonicSeconds()
        body()
        values.append(monotonicSeconds() - begin)
    } while values.count < 3 || (values.count < 1000 && monotonicSeconds() - start < budget)
    return Sample(values)
}
