import FrameScheduler

/// VGRIS (HPDC 2013): sleeps in Present for the SLA, posterior enforcement for shares, or one of both.
struct VGRISBaseline: BaselinePolicy {
  enum Mode {
    case sla, proportional, hybrid
  }

  static let framesPerSecond: Int64 = 30
  static let window: Nanoseconds = 1_000_000_000
  static let usePermille: Int64 = 850

  private let mode: Mode
  private var isSLA: Bool
  private var wakesAt: [Nanoseconds]
  private var budgets: [Nanoseconds]
  private var sharesPermille: [Int64]
  private var frames: [Int64]
  private var busy: [Nanoseconds]
  private var windowEnd = VGRISBaseline.window

  init(_ guests: [GuestModel], mode: Mode) {
    self.mode = mode
    isSLA = mode == .sla
    let weights = guests.map(\.configuration.weight)
    let sum = weights.reduce(0, +)
    sharesPermille = weights.map { $0 * 1_000 / sum }
    wakesAt = guests.map { _ in 0 }
    budgets = guests.map { _ in 1_000_000 }
    frames = guests.map { _ in 0 }
    busy = guests.map { _ in 0 }
  }

  mutating func next(_ heads: [BaselineHead?], at now: Nanoseconds) -> Int? {
    isSLA ? oldest(heads) { wakesAt[$0] <= now } : oldest(heads) { budgets[$0] > 0 }
  }

  mutating func ran(_ vm: Int, for duration: Nanoseconds, at now: Nanoseconds) {
    wakesAt[vm] = max(wakesAt[vm], now - 1_000_000_000 / Self.framesPerSecond) + 1_000_000_000 / Self.framesPerSecond
    budgets[vm] -= duration
    frames[vm] += 1
    busy[vm] += duration
  }

  mutating func tick(_ heads: [BaselineHead?], at now: Nanoseconds) {
    for vm in budgets.indices {
      let share = 1_000 * sharesPermille[vm]
      budgets[vm] = min(share, budgets[vm] + share)
    }
    guard mode == .hybrid, now >= windowEnd else { return }
    windowEnd = now + Self.window
    let use = busy.reduce(0, +) * 1_000 / Self.window
    if frames.contains(where: { $0 < Self.framesPerSecond }) {
      isSLA = true
    } else if use < Self.usePermille {
      isSLA = false
      let count = Int64(busy.count)
      sharesPermille = busy.map { $0 * 1_000 / Self.window + (1_000 - use) / count }
    }
    for vm in frames.indices {
      frames[vm] = 0
      busy[vm] = 0
    }
  }
}
