import FrameSimulator

@testable import FrameScheduler

/// Random requests for memory compared with a naive account of them, and the rules of memory admission
/// (Docs/Scheduler.md, Rules).
struct MemoryCourse: Course {
  enum Step: Equatable {
    case add(UInt32, maximum: Int64)
    case remove(UInt32)
    case request(UInt32, Int64)
    case free(UInt32, Int64, onScreen: Bool)
    case leaveScreen(UInt32)
    case withdraw(UInt32)
  }

  static let capacity: Int64 = 1_000
  static let overhead: Int64 = 10
  static let vmCount: UInt32 = 5

  var selection: MemorySelection
  var seed: UInt64
  var steps: [Step]
  /// A deliberately broken account: buffers that leave the screen are not reported.
  var forgetsScreens = false

  static func random(seed: UInt64, selection: MemorySelection, length: Int = 120) -> MemoryCourse {
    var random = SeededGenerator(seed: seed)
    let steps = (0..<length).map { _ -> Step in
      let vm = UInt32.random(in: 0..<vmCount, using: &random)
      let amount = Int64.random(in: 0...200, using: &random)
      switch Int.random(in: 0...11, using: &random) {
      case 0...1: return .add(vm, maximum: Int64.random(in: 0...400, using: &random))
      case 2: return .remove(vm)
      case 3...6: return .request(vm, amount)
      case 7...8: return .free(vm, amount, onScreen: false)
      case 9: return .free(vm, amount, onScreen: true)
      case 10: return .leaveScreen(vm)
      default: return .withdraw(vm)
      }
    }
    return MemoryCourse(selection: selection, seed: seed, steps: steps)
  }

  static func simpler(_ step: Step) -> [Step] {
    switch step {
    case .add(let vm, let maximum): return numbersBelow(maximum).map { .add(vm, maximum: $0) }
    case .request(let vm, let amount): return numbersBelow(amount).map { .request(vm, $0) }
    case .free(let vm, let amount, let onScreen):
      return (onScreen ? [.free(vm, amount, onScreen: false)] : [])
        + numbersBelow(amount).map { .free(vm, $0, onScreen: onScreen) }
    case .remove, .leaveScreen, .withdraw: return []
    }
  }

  /// Plays it, and an end at which everybody goes.
  func play() -> [Violation] {
    var play = MemoryPlay(selection: selection, seed: seed, forgetsScreens: forgetsScreens)
    for step in steps { play.take(step) }
    for vm in 0..<MemoryCourse.vmCount {
      play.take(.remove(vm))
      play.take(.leaveScreen(vm))
    }
    if play.memory.freeBytes != MemoryCourse.capacity {
      play.violate(
        "every request ends", "\(play.memory.freeBytes) of \(MemoryCourse.capacity) bytes are free at the end")
    }
    return play.violations
  }
}

/// `MemoryAdmission`, and the naive account of what every VM should have.
private struct MemoryPlay {
  struct Account {
    var maximum: Int64
    var used: Int64 = 0
    /// The part of `used` that only the screen still has.
    var lingering: Int64 = 0
  }

  var memory: MemoryAdmission
  let forgetsScreens: Bool
  private(set) var violations: [Violation] = []
  private var accounts: [UInt32: Account] = [:]
  /// What is on screen of VMs that have gone.
  private var orphaned: Int64 = 0
  private var waiting: [(ticket: MemoryTicket, vm: UInt32, byteCount: Int64, isAdmission: Bool)] = []
  private var now: Nanoseconds = 0

  init(selection: MemorySelection, seed: UInt64, forgetsScreens: Bool) {
    memory = MemoryAdmission(
      capacityBytes: MemoryCourse.capacity, overheadBytesPerVM: MemoryCourse.overhead, selection: selection, seed: seed)
    self.forgetsScreens = forgetsScreens
  }

  mutating func violate(_ rule: String, _ detail: String) {
    violations.append(Violation(rule: rule, detail: detail))
  }

  mutating func take(_ step: MemoryCourse.Step) {
    now += 50_000_000
    var decisions: [MemoryDecision] = []
    let before = used
    switch step {
    case .add(let vm, let maximum):
      note(memory.addVM(VMID(vm), maximumBytes: maximum, at: now), vm, maximum, isAdmission: true, before)
    case .request(let vm, let amount):
      note(memory.request(VMID(vm), byteCount: amount, at: now), vm, amount, isAdmission: false, before)
    case .free(let vm, let amount, let onScreen):
      if let account = accounts[vm] {
        let freed = min(amount, account.used - account.lingering)
        if onScreen { accounts[vm]?.lingering += freed } else { accounts[vm]?.used -= freed }
      }
      memory.free(VMID(vm), byteCount: amount, onScreen: onScreen, at: now, into: &decisions)
    case .leaveScreen(let vm):
      let lingering = accounts[vm]?.lingering ?? 0
      accounts[vm]?.used -= lingering
      accounts[vm]?.lingering = 0
      if lingering == 0 { orphaned = 0 }
      if !forgetsScreens {
        memory.leftScreen(VMID(vm), byteCount: MemoryCourse.capacity, at: now, into: &decisions)
      }
    case .remove(let vm):
      orphaned += accounts[vm]?.lingering ?? 0
      accounts[vm] = nil
      waiting.removeAll { $0.vm == vm }
      memory.removeVM(VMID(vm), at: now, into: &decisions)
    case .withdraw(let vm):
      if let place = waiting.firstIndex(where: { $0.vm == vm }) {
        memory.withdraw(waiting.remove(at: place).ticket, at: now, into: &decisions)
      }
    }
    for decision in decisions { note(decision) }
    check()
  }

  private var used: [UInt32: Int64] {
    var used: [UInt32: Int64] = [:]
    for vm in 0..<MemoryCourse.vmCount { used[vm] = memory.usedBytes(of: VMID(vm)) }
    return used
  }

  private mutating func note(
    _ reply: MemoryReply, _ vm: UInt32, _ byteCount: Int64, isAdmission: Bool, _ before: [UInt32: Int64]
  ) {
    switch reply {
    case .granted: grant(vm, byteCount, isAdmission: isAdmission)
    case .suspended(let ticket): waiting.append((ticket, vm, byteCount, isAdmission))
    case .refused(let why):
      if used != before {
        violate("a refusal changes nothing", "a refusal (\(why)) of vm \(vm) changed what others use")
      }
    }
  }

  private mutating func note(_ decision: MemoryDecision) {
    guard let place = waiting.firstIndex(where: { $0.ticket == decision.ticket }) else {
      return violate("every request ends", "ticket \(decision.ticket.rawValue) is decided, and nobody waits with it")
    }
    let request = waiting.remove(at: place)
    if decision.reply == .granted { grant(request.vm, request.byteCount, isAdmission: request.isAdmission) }
  }

  private mutating func grant(_ vm: UInt32, _ byteCount: Int64, isAdmission: Bool) {
    if isAdmission { accounts[vm] = Account(maximum: byteCount) } else { accounts[vm]?.used += byteCount }
  }

  private mutating func check() {
    for (vm, account) in accounts {
      if memory.usedBytes(of: VMID(vm)) != account.used {
        violate(
          "exact memory accounts", "vm \(vm) uses \(account.used) bytes, not \(memory.usedBytes(of: VMID(vm)) ?? -1)")
      }
      if account.used > account.maximum || account.used < 0 {
        violate("memory limits", "vm \(vm) uses \(account.used) of \(account.maximum)")
      }
    }
    let free = accounts.values.reduce(MemoryCourse.capacity - orphaned) { $0 - $1.used - MemoryCourse.overhead }
    if free < 0 { violate("memory limits", "\(-free) bytes more than there are") }
    if memory.freeBytes != free { violate("exact memory accounts", "\(free) bytes are free, not \(memory.freeBytes)") }
    if !canAllEnd(Array(accounts.values), available: free) { violate("no memory deadlock", "a deadlock: \(accounts)") }
    guard let oldest = waiting.first else { return }
    if canGrant(oldest) {
      violate("the oldest request is granted", "the oldest request (vm \(oldest.vm)) could be granted and waits")
    }
  }

  private func canGrant(_ request: (ticket: MemoryTicket, vm: UInt32, byteCount: Int64, isAdmission: Bool)) -> Bool {
    var after = accounts
    if request.isAdmission {
      after[request.vm] = Account(maximum: request.byteCount)
    } else {
      after[request.vm]?.used += request.byteCount
    }
    let free = after.values.reduce(MemoryCourse.capacity - orphaned) { $0 - $1.used - MemoryCourse.overhead }
    return canAllEnd(Array(after.values), available: free)
  }

  /// Brute force over every order in which the VMs could get their maximum and end.
  private func canAllEnd(_ accounts: [Account], available: Int64) -> Bool {
    if available < 0 { return false }
    if accounts.isEmpty { return true }
    return accounts.indices.contains { place in
      guard accounts[place].maximum - accounts[place].used <= available else { return false }
      var rest = accounts
      let ended = rest.remove(at: place)
      return canAllEnd(rest, available: available + ended.used + MemoryCourse.overhead)
    }
  }
}
