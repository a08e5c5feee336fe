import LinuxIO

/// Gives the memory of clients that have left back to the system once it is quiet: 640 scanouts take 90 MiB, and the
/// allocator keeps them.
final class FreedMemory {
  /// Fewer scanouts are not worth a thread.
  private static let leastScanouts = 64
  /// The time without a further client that leaves.
  private static let quietNanoseconds: UInt64 = 500_000_000

  private let clock: PresentClock
  private var timer: PresentTimer?
  private var scanoutCount = 0
  /// When it has been quiet for long enough.
  private var quietAt: UInt64 = 0

  /// - Parameter giveBack: called when it is quiet.
  init(loop: EventLoop, clock: PresentClock, giveBack: @escaping () -> Void = returnFreedMemory) throws(SystemError) {
    self.clock = clock
    timer = try clock.timer(on: loop) { [unowned self] in
      if clock.nowNanoseconds < quietAt {
        timer?.arm(quietAt)
        return
      }
      scanoutCount = 0
      giveBack()
    }
  }

  /// A client with so many scanouts has left.
  func left(_ scanouts: Int) {
    if scanouts == 0 { return }
    scanoutCount += scanouts
    quietAt = clock.nowNanoseconds + FreedMemory.quietNanoseconds
    if scanoutCount >= FreedMemory.leastScanouts { timer?.arm(quietAt) }
  }

  func stop() { timer = nil }
}
