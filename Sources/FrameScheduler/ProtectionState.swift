/// Whether a VM with a promise also shares the remaining time, decided per VM with hysteresis.
///
/// Its promised frames are served first in both modes. A protected VM is held to its promised rate, as VGRIS's
/// SLA-aware mode does for all VMs at once, which frees time when promises are at risk.
struct ProtectionState: Sendable {
  static let window: Nanoseconds = 1_000_000_000
  static let hold: Nanoseconds = 5_000_000_000

  private(set) var isProtected = false
  private(set) var changes = 0
  private var windowEnd: Nanoseconds?
  private var shown: Int64 = 0
  private var offered: Int64 = 0
  private var missed: Int64 = 0
  private var badWindows = 0
  private var cleanWindows = 0
  private var lastChange: Nanoseconds?

  mutating func noteReady() { offered += 1 }
  mutating func noteShown(missed late: Bool) {
    shown += 1
    if late { missed += 1 }
  }

  /// Ends a window if it is over. `utilisationPermille` is that of the output's blit time.
  mutating func update(at now: Nanoseconds, rateMillihertz: Int64, utilisationPermille: Int64) {
    guard let end = windowEnd else {
      windowEnd = now + Self.window
      return
    }
    guard now >= end else { return }
    let due = rateMillihertz / 1_000
    let isBehind = offered >= due && shown * 100 < due * 98
    let isBad = missed * 1_000 > shown || isBehind
    badWindows = isBad ? badWindows + 1 : 0
    cleanWindows = isBad ? 0 : cleanWindows + 1
    windowEnd = now + Self.window
    shown = 0
    offered = 0
    missed = 0
    if let lastChange, now - lastChange < Self.hold { return }
    if !isProtected, badWindows >= 3 { change(at: now) }
    if isProtected, cleanWindows >= 5, utilisationPermille < 850 { change(at: now) }
  }

  private mutating func change(at now: Nanoseconds) {
    isProtected.toggle()
    changes += 1
    lastChange = now
    badWindows = 0
    cleanWindows = 0
  }
}
