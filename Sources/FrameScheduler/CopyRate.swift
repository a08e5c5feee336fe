/// How long a copy takes for each byte, learned from copies that were made.
///
/// An exponential average: one copy that was slow, as the first one into new memory is, moves it by an eighth. The rate of
/// all VMs together rises more slowly than it falls, so that one VM's slow memory does not pass for a slow host.
struct CopyRate: Sendable {
  /// Shorter copies say little of the rate.
  static let leastByteCount: Int64 = 1 << 16
  static let range: ClosedRange<Int64> = 1...100_000

  /// The average, in picoseconds for a byte.
  private(set) var picosecondsPerByte: Int64

  /// By which part of the difference a slower copy raises the average.
  private let slowerDivisor: Int64

  init(picosecondsPerByte: Int64, slowerDivisor: Int64 = 8) {
    self.picosecondsPerByte = picosecondsPerByte
    self.slowerDivisor = slowerDivisor
  }

  mutating func note(byteCount: Int64, nanoseconds: Nanoseconds) {
    guard byteCount >= Self.leastByteCount, nanoseconds >= 0 else { return }
    let sample = min(nanoseconds, 10_000_000_000) * 1_000 / byteCount
    let difference = sample - picosecondsPerByte
    let average = picosecondsPerByte + difference / (difference > 0 ? slowerDivisor : 8)
    picosecondsPerByte = min(max(average, Self.range.lowerBound), Self.range.upperBound)
  }
}
