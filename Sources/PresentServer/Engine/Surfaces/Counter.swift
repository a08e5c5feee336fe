/// A sum of numbers from clients; saturates instead of overflowing.
struct Counter: Equatable, ExpressibleByIntegerLiteral {
  private(set) var value: UInt64

  init(integerLiteral value: UInt64) { self.value = value }

  static func += (counter: inout Counter, amount: UInt64) {
    let (sum, hasOverflowed) = counter.value.addingReportingOverflow(amount)
    counter.value = hasOverflowed ? .max : sum
  }
}
