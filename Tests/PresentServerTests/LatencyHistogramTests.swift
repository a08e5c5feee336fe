import StatusModel
import Testing

@testable import PresentServer

struct LatencyHistogramTests {
  @Test func `percentiles are within a bucket of the truth`() {
    var histogram = LatencyHistogram()
    for value in UInt64(1)...1000 { histogram.add(value * 1000) }
    for (percent, truth) in [(50.0, 500_000.0), (90, 900_000), (99, 990_000)] {
      let found = Double(histogram.percentile(percent))
      #expect(abs(found - truth) <= truth * 0.09, "\(percent) %: \(found)")
    }
    #expect(histogram.count == 1000)
  }

  @Test func `zero, an empty histogram and the largest value have buckets too`() {
    var histogram = LatencyHistogram()
    #expect(histogram.percentile(50) == 0)
    histogram.add(0)
    #expect(histogram.percentile(50) == 0)
    for value: UInt64 in [15, 16, 17, 31, 32] {
      var single = LatencyHistogram()
      single.add(value)
      #expect(abs(Double(single.percentile(99)) - Double(value)) <= Double(value) * 0.09)
    }
    histogram.add(.max)
    #expect(histogram.percentile(100) > 30_000_000_000)
  }
  @Test func `counts up to each bound of the status and the sum are exact`() {
    var histogram = LatencyHistogram()
    for nanoseconds: UInt64 in [0, 999_999, 1_000_000, 1_000_001, 16_700_000, 100_000_000, 100_000_001] {
      histogram.add(nanoseconds)
    }
    #expect(DaemonStatus.Scanout.latchBoundsNanoseconds.count == 8)
    #expect(histogram.cumulativeCounts == [3, 4, 4, 4, 5, 5, 5, 6])
    #expect(histogram.count == 7)
    #expect(histogram.sumNanoseconds == 219_700_001)
    histogram.add(.max)
    #expect(histogram.count == 8)
  }
}
