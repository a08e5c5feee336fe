import FrameSimulator
import Testing

@testable import FrameScheduler

/// The rules of memory admission (Docs/Scheduler.md, Rules).
@Suite("Memory admission")
struct MemoryAdmissionTests {
  @Test(arguments: MemorySelection.allCases)
  func `random requests keep within capacity and maximum, stay safe, and every byte comes back`(
    selection: MemorySelection
  ) throws {
    try expectRules(0..<60, of: { MemoryCourse.random(seed: $0, selection: selection) }) { $0.play() }
  }

  @Test(arguments: MemorySelection.allCases)
  func `every VM that ends in finite time gets what it declared, without deadlock or endless waiting`(
    selection: MemorySelection
  ) {
    for seed in 0..<20 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      var memory = MemoryAdmission(capacityBytes: 1_000, overheadBytesPerVM: 5, selection: selection, seed: seed)
      let maxima = (0..<24).map { _ in Int64.random(in: 50...900, using: &random) }
      var waiting: [MemoryTicket: Int] = [:]
      var isIn = [Bool](repeating: false, count: maxima.count)
      var left = maxima
      var isDone = [Bool](repeating: false, count: maxima.count)
      var decisions: [MemoryDecision] = []
      for (vm, maximum) in maxima.enumerated() {
        switch memory.addVM(VMID(UInt32(vm)), maximumBytes: maximum, at: 0) {
        case .granted: isIn[vm] = true
        case .suspended(let ticket): waiting[ticket] = vm
        case .refused(let reason): Issue.record("\(reason)")
        }
      }
      var pieces: [MemoryTicket: Int64] = [:]
      for step in 1..<20_000 as Range<Int64> {
        let now = step * 10_000_000
        for decision in decisions {
          guard let vm = waiting.removeValue(forKey: decision.ticket) else { continue }
          if let piece = pieces.removeValue(forKey: decision.ticket) { left[vm] -= piece } else { isIn[vm] = true }
        }
        decisions = []
        let able = maxima.indices.filter { vm in isIn[vm] && !isDone[vm] && !waiting.values.contains(vm) }
        guard let vm = able.randomElement(using: &random) else {
          if isDone.allSatisfy({ $0 }) { break }
          Issue.record("deadlock with \(selection), seed \(seed)")
          break
        }
        if left[vm] == 0 {
          isDone[vm] = true
          memory.removeVM(VMID(UInt32(vm)), at: now, into: &decisions)
          continue
        }
        let piece = min(left[vm], Int64.random(in: 1...300, using: &random))
        switch memory.request(VMID(UInt32(vm)), byteCount: piece, at: now) {
        case .granted: left[vm] -= piece
        case .suspended(let ticket):
          waiting[ticket] = vm
          pieces[ticket] = piece
        case .refused(let reason): Issue.record("\(reason)")
        }
      }
      #expect(isDone.allSatisfy { $0 })
      #expect(memory.freeBytes == 1_000)
    }
  }

  @Test func `the quick test for safety agrees with trying every order (brute force)`() {
    var random = SeededGenerator(seed: 4)
    var verdicts: Set<Bool> = []
    for _ in 0..<500 {
      var memory = MemoryAdmission(capacityBytes: 100, overheadBytesPerVM: 0, selection: .fifo)
      memory.accounts = (0..<Int.random(in: 1...5, using: &random)).map { vm in
        let maximum = Int64.random(in: 0...90, using: &random)
        return .init(
          vm: VMID(UInt32(vm)), maximum: maximum, used: Int64.random(in: 0...min(30, maximum), using: &random),
          lingering: 0)
      }
      guard memory.freeBytes >= 0 else { continue }
      let expected = canFinish(memory.accounts, available: memory.freeBytes)
      verdicts.insert(expected)
      let isSafe = memory.isSafe
      #expect(isSafe == expected)
    }
    #expect(verdicts == [true, false])
  }

  private func canFinish(_ accounts: [MemoryAdmission.Account], available: Int64) -> Bool {
    if accounts.isEmpty { return true }
    return accounts.indices.contains { position in
      guard accounts[position].maximum - accounts[position].used <= available else { return false }
      var rest = accounts
      let ended = rest.remove(at: position)
      return canFinish(rest, available: available + ended.used)
    }
  }

  @Test func `of clients of 98 MB on 6 GB the 53rd waits, and none is killed`() {
    let megabyte: Int64 = 1 << 20
    var memory = MemoryAdmission(
      capacityBytes: 6_144 * megabyte, overheadBytesPerVM: 20 * megabyte, selection: .agingBestFit)
    var decisions: [MemoryDecision] = []
    var waiting: [VMID] = []
    for vm in 0..<60 as Range<UInt32> {
      let reply = memory.addVM(VMID(vm), maximumBytes: 98 * megabyte, at: 0)
      if case .granted = reply {
        #expect(memory.request(VMID(vm), byteCount: 98 * megabyte, at: 0) == .granted)
      } else {
        waiting.append(VMID(vm))
      }
    }
    #expect(memory.vmCount == 52)
    #expect(waiting == (52..<60).map { VMID($0) })
    memory.removeVM(VMID(7), at: 1, into: &decisions)
    #expect(decisions.first?.vm == VMID(52))
    #expect(decisions.allSatisfy { $0.reply == .granted })
    #expect(memory.request(VMID(52), byteCount: 98 * megabyte, at: 2) != .granted || decisions.count == 1)
    let isSafe = memory.isSafe
    #expect(isSafe)
  }

  @Test func `a request that waits too long is refused, the others stay`() {
    var memory = MemoryAdmission(capacityBytes: 100, overheadBytesPerVM: 0, selection: .fifo)
    memory.suspendedTimeoutNanoseconds = 1_000
    var decisions: [MemoryDecision] = []
    _ = memory.addVM(VMID(1), maximumBytes: 100, at: 0)
    _ = memory.addVM(VMID(2), maximumBytes: 100, at: 0)
    #expect(memory.request(VMID(1), byteCount: 90, at: 0) == .granted)
    guard case .suspended(let ticket) = memory.request(VMID(2), byteCount: 50, at: 10) else {
      Issue.record("not suspended")
      return
    }
    #expect(memory.nextTimeout == 1_010)
    memory.expire(at: 1_009, into: &decisions)
    #expect(decisions.isEmpty)
    memory.expire(at: 1_010, into: &decisions)
    #expect(decisions == [MemoryDecision(ticket: ticket, vm: VMID(2), reply: .refused(.timedOut))])
    #expect(memory.usedBytes(of: VMID(1)) == 90)
  }

  @Test func `random selection repeats with its seed`() {
    func order(seed: UInt64) -> [VMID] {
      var memory = MemoryAdmission(capacityBytes: 100, overheadBytesPerVM: 0, selection: .random, seed: seed)
      var decisions: [MemoryDecision] = []
      for vm in 0..<10 as Range<UInt32> { _ = memory.addVM(VMID(vm), maximumBytes: 100, at: 0) }
      _ = memory.request(VMID(0), byteCount: 100, at: 0)
      for vm in 1..<10 as Range<UInt32> { _ = memory.request(VMID(vm), byteCount: 20, at: 0) }
      for _ in 0..<10 { memory.free(VMID(0), byteCount: 10, at: 0, into: &decisions) }
      return decisions.map(\.vm)
    }
    #expect(order(seed: 1) == order(seed: 1))
    #expect((2..<9).contains { order(seed: $0) != order(seed: 1) })
  }

  @Test func `a request that is taken back makes room for those behind it`() {
    var memory = MemoryAdmission(capacityBytes: 100, overheadBytesPerVM: 0, selection: .fifo)
    var decisions: [MemoryDecision] = []
    for vm in 0..<3 as Range<UInt32> { _ = memory.addVM(VMID(vm), maximumBytes: 100, at: 0) }
    #expect(memory.request(VMID(0), byteCount: 100, at: 0) == .granted)
    guard case .suspended(let first) = memory.request(VMID(1), byteCount: 90, at: 1),
      case .suspended(let second) = memory.request(VMID(2), byteCount: 50, at: 2)
    else {
      Issue.record("not suspended")
      return
    }
    memory.free(VMID(0), byteCount: 40, at: 3, into: &decisions)
    #expect(decisions.isEmpty)
    let isWithdrawn = memory.withdraw(first, at: 4, into: &decisions)
    #expect(isWithdrawn)
    memory.removeVM(VMID(0), at: 5, into: &decisions)
    #expect(decisions.map(\.ticket) == [second])
    let isWithdrawnAgain = memory.withdraw(second, at: 6, into: &decisions)
    #expect(!isWithdrawnAgain)
  }

  @Test func `the least capacity and the largest maximum that are named are safe, and one byte beyond them is not`() {
    var random = SeededGenerator(seed: 11)
    for _ in 0..<300 {
      var memory = MemoryAdmission(capacityBytes: 400, overheadBytesPerVM: 3, selection: .bestFit)
      for vm in 0..<UInt32.random(in: 1...6, using: &random) {
        _ = memory.addVM(VMID(vm), maximumBytes: Int64.random(in: 0...300, using: &random), at: 0)
        _ = memory.request(VMID(vm), byteCount: Int64.random(in: 0...100, using: &random), at: 0)
      }
      let least = memory.leastCapacityBytes
      #expect(memory.leastCapacity(capacityBytes: least, overheadBytesPerVM: 3, maxima: []) == nil)
      #expect(memory.leastCapacity(capacityBytes: least - 1, overheadBytesPerVM: 3, maxima: []) == least)
      let largest = memory.largestSafeMaximum(of: VMID(0))
      func isSafe(_ maximum: Int64) -> Bool {
        memory.leastCapacity(capacityBytes: 400, overheadBytesPerVM: 3, maxima: [(VMID(0), maximum)]) == nil
      }
      #expect(isSafe(largest))
      #expect(!isSafe(largest + 1))
    }
  }

  @Test func `a VM that waits to be let in holds nothing, not even its overhead, until its first request fits too`() {
    var memory = MemoryAdmission(capacityBytes: 250, overheadBytesPerVM: 20, selection: .fifo)
    var decisions: [MemoryDecision] = []
    for vm in 0..<6 as Range<UInt32> { _ = memory.addVM(VMID(vm), maximumBytes: 100, initialBytes: 100, at: 0) }
    #expect(memory.vmCount == 2)
    memory.removeVM(VMID(0), at: 1, into: &decisions)
    #expect(decisions.map(\.vm) == [VMID(2)])
    #expect(memory.usedBytes(of: VMID(2)) == 100)
    let isAbove = memory.addVM(VMID(9), maximumBytes: 10, initialBytes: 11, at: 2)
    #expect(isAbove == .refused(.exceedsMaximum(remainingBytes: 10)))
  }

  @Test func `limits that change grant what fits now, and refuse what never will`() {
    var memory = MemoryAdmission(capacityBytes: 100, overheadBytesPerVM: 0, selection: .fifo)
    var decisions: [MemoryDecision] = []
    for vm in 0..<2 as Range<UInt32> { _ = memory.addVM(VMID(vm), maximumBytes: 100, at: 0) }
    #expect(memory.request(VMID(0), byteCount: 60, at: 0) == .granted)
    _ = memory.request(VMID(1), byteCount: 40, at: 0)
    _ = memory.request(VMID(1), byteCount: 30, at: 0)
    memory.setLimits(
      capacityBytes: 100, overheadBytesPerVM: 0, maxima: [(VMID(0), 60), (VMID(1), 50)], at: 1, into: &decisions)
    #expect(decisions.map(\.reply) == [.refused(.exceedsMaximum(remainingBytes: 10)), .granted])
    #expect(memory.usedBytes(of: VMID(1)) == 40)
    let isSafe = memory.isSafe
    #expect(isSafe)
  }

  @Test func `creating and destroying returns to the start, also with buffers on screen`() {
    var memory = MemoryAdmission(capacityBytes: 1_000, overheadBytesPerVM: 10, selection: .bestFit)
    var decisions: [MemoryDecision] = []
    for step in 0..<1_000 as Range<Int64> {
      _ = memory.addVM(VMID(1), maximumBytes: 500, at: step)
      #expect(memory.request(VMID(1), byteCount: 300, at: step) == .granted)
      memory.free(VMID(1), byteCount: 100, onScreen: true, at: step, into: &decisions)
      #expect(memory.freeBytes == 690)
      memory.removeVM(VMID(1), onScreenBytes: 100, at: step, into: &decisions)
      #expect(memory.freeBytes == 900)
      memory.leftScreen(VMID(1), byteCount: 100, at: step, into: &decisions)
      #expect(memory.freeBytes == 1_000)
    }
  }

  @Test func `an aged request is served before younger ones that fit better`() {
    var memory = MemoryAdmission(capacityBytes: 100, overheadBytesPerVM: 0, selection: .agingBestFit)
    var decisions: [MemoryDecision] = []
    for vm in 0..<4 as Range<UInt32> { _ = memory.addVM(VMID(vm), maximumBytes: 100, at: 0) }
    _ = memory.request(VMID(0), byteCount: 100, at: 0)
    _ = memory.request(VMID(1), byteCount: 10, at: 0)
    _ = memory.request(VMID(2), byteCount: 90, at: 1_900_000_000)
    memory.free(VMID(0), byteCount: 100, at: 2_000_000_000, into: &decisions)
    #expect(decisions.first?.vm == VMID(1))
  }
}
