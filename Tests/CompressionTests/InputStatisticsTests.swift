import Compression
import Testing

@Suite struct InputStatisticsTests {
    @Test func largestIsOfEitherSign() {
        var statistics = InputStatistics(inputs: 2)
        statistics.minimum = [-3, 1]
        statistics.maximum = [2, 4]
        #expect(statistics.largest == [3, 4])
    }
}
