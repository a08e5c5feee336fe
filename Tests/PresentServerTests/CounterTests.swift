import Testing

@testable import PresentServer

struct CounterTests {
  @Test func `a counter stays at its largest value`() {
    var counter: Counter = 0
    counter += UInt64.max - 1
    counter += 1
    #expect(counter.value == .max)
    counter += .max
    #expect(counter.value == .max)
  }
}
