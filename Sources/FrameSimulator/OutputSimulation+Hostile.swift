import FrameScheduler

/// The state of hostile VMs.
struct HostileState {
  var returns: UInt64 = 0

  /// How often a hostile VM does something besides frames.
  static func choreInterval(_ hostility: Hostility) -> Nanoseconds? {
    switch hostility {
    case .churn: 5_000_000
    case .configurationStorm: 1_000_000
    case .failingPlane: 1_000_000_000
    case .diesInCommit: 50_000_000
    case .debtReset: 20_000_000
    case .flushFlood, .hugeSource, .wrongSizes, .memoryPush, .cursorFlood, .justTooLate, .sleepBurst,
      .costLies, .replay:
      nil
    }
  }
}

extension OutputSimulation {
  /// Announces what a hostile VM announces instead of a good frame; `nil` if it is a good one.
  mutating func hostileAnnouncement(_ position: Int, at now: Nanoseconds) -> (next: Nanoseconds?, Void)? {
    let vm = Self.id(position)
    let interval: Nanoseconds = 1_000_000
    let frame = FrameID(guests[position].lastFrame + 1)
    switch guests[position].model.hostility {
    case .wrongSizes:
      let wrong: Int64 = frame.rawValue.isMultiple(of: 2) ? -1 : .max
      _ = scheduler.frameReady(vm, frame: frame, byteCount: wrong, at: now, into: &decisions)
    case .replay where guests[position].lastFrame > 2:
      _ = scheduler.frameReady(vm, frame: FrameID(1), byteCount: 1_000_000, at: now, into: &decisions)
    case .memoryPush:
      _ = memory.addVM(vm, maximumBytes: 256 << 20, at: now)
      if memory.request(vm, byteCount: 8 << 20, at: now) == .granted { return nil }
      return (now + interval, ())
    default:
      return nil
    }
    apply(at: now)
    return (now + interval, ())
  }

  mutating func doChore(_ position: Int, at now: Nanoseconds) {
    let model = guests[position].model
    guard let hostility = model.hostility, let interval = HostileState.choreInterval(hostility) else { return }
    let vm = Self.id(position)
    var next = now + interval
    switch hostility {
    case .churn, .debtReset:
      leave(position, at: now)
      hostile.returns += 1
      rejoin(position, owner: hostility == .churn ? 1_000 + hostile.returns : UInt64(position), at: now)
    case .diesInCommit:
      if scheduler.statistics(of: vm) == nil {
        rejoin(position, owner: UInt64(position), at: now)
      } else if scheduler.isFlipPending {
        leave(position, at: now)
      } else {
        next = now + 500_000
      }
    case .configurationStorm:
      var changed = model.configuration
      changed.weight = Int64.random(in: 1...10_000, using: &random)
      try? scheduler.configureVM(vm, changed, at: now)
    case .failingPlane:
      scheduler.setPath(.plane, of: vm, at: now)
    case .flushFlood, .hugeSource, .wrongSizes, .memoryPush, .cursorFlood, .justTooLate, .sleepBurst,
      .costLies, .replay:
      break
    }
    events.add(.chore(position), at: next)
  }

  /// `justTooLate` watches the scheduler and is ready right after each of its decisions.
  mutating func afterWake(at now: Nanoseconds) {
    for position in guests.indices where guests[position].model.hostility == .justTooLate {
      epochs[position] += 1
      events.add(.frame(position, epoch: epochs[position]), at: now + 1_000)
    }
  }

  private mutating func leave(_ position: Int, at now: Nanoseconds) {
    countMisses(position)
    scheduler.removeVM(Self.id(position), at: now, into: &decisions)
    apply(at: now)
    guests[position].forget()
    epochs[position] += 1
  }

  private mutating func rejoin(_ position: Int, owner: UInt64, at now: Nanoseconds) {
    guard (try? addVM(position, owner: owner)) != nil else { return }
    events.add(.frame(position, epoch: epochs[position]), at: now)
  }
}
