import Testing

@testable import HybridRegion

/// The whole protocol with two slots: attach, acquire, present, release; the guest dies at any instruction and
/// restarts. All interleavings of both sides' memory accesses.
@Suite struct SlotModelTests {
  private struct Broken: Error, CustomStringConvertible {
    var description: String
  }

  private enum GuestPhase: Hashable {
    case resetTail, resetHead, attach, waitAcknowledge, readHeld
    case ready
    case pushing(slot: Int)
    case popping
  }

  private enum HostPhase: Hashable {
    case look
    case resetHead, resetTail, storeHeld, acknowledge
    case popping
    case releasing(slot: Int, frame: UInt64)
  }

  private struct State: Hashable {
    var presents = ModelRing(entryCount: 2, isDelaying: false)
    var releases = ModelRing(entryCount: 4, isDelaying: false)
    var attach: UInt32 = 0
    var acknowledged: UInt32 = 0
    var heldAtAttach: UInt64 = 0

    var life: UInt32 = 1
    var presentsLeft = 3
    var guestPhase = GuestPhase.resetTail
    var guestSlots = GuestSlots(count: 2, heldMask: 0)
    var guestRing = RingProducer<ModelPayload>(epoch: 1)
    var guestEvents = RingConsumer<ModelPayload>(epoch: 1)
    var guestEntry = ModelPayload()

    var hostEpoch: UInt32 = 0
    var hostPhase = HostPhase.look
    var hostSlots = HostSlots(count: 2)
    var hostRing = RingConsumer<ModelPayload>(epoch: 0)
    var hostEvents = RingProducer<ModelPayload>(epoch: 0)
    var hostEntry = ModelPayload()
    var hostLife = 1
  }

  /// The guest's next step; several where it may choose.
  private func guestSteps(_ state: State) throws -> [State] {
    var next = state
    let start = EpochWord(epoch: state.life, position: 0).rawValue
    switch state.guestPhase {
    case .resetTail:
      next.presents.words[0] = start
      next.guestPhase = .resetHead
    case .resetHead:
      next.releases.words[1] = start
      next.guestPhase = .attach
    case .attach:
      next.attach = state.life
      next.guestPhase = .waitAcknowledge
    case .waitAcknowledge:
      guard state.acknowledged == state.life else { return [] }
      next.guestPhase = .readHeld
    case .readHeld:
      next.guestSlots = GuestSlots(count: 2, heldMask: state.heldAtAttach)
      next.guestPhase = .ready
    case .ready:
      var choices: [State] = []
      var popping = state
      popping.guestPhase = .popping
      choices.append(popping)
      if state.presentsLeft > 0, let slot = next.guestSlots.acquire() {
        next.guestPhase = .pushing(slot: slot)
        next.presentsLeft -= 1
        choices.append(next)
      }
      return choices
    case .pushing(let slot):
      let payload = ModelPayload(state.guestSlots.nextFrame, UInt64(slot))
      switch next.guestRing.step(payload, in: &next.presents) {
      case .pushed:
        next.guestSlots.presented(slot)
        next.guestPhase = .ready
      case .full, .stale: throw Broken(description: "an honest guest has no room for frame \(payload)")
      case nil: break
      }
    case .popping:
      switch next.guestEvents.step(into: &next.guestEntry, from: &next.releases) {
      case .entry:
        guard next.guestSlots.released(Int(next.guestEntry.second), frame: next.guestEntry.first) else {
          throw Broken(description: "a release of \(next.guestEntry) that is none")
        }
        next.guestPhase = .ready
        next.guestEntry = ModelPayload()
      case .empty: next.guestPhase = .ready
      case .torn, .overrun, .stale: throw Broken(description: "the honest host's ring is broken")
      case nil: break
      }
    }
    return [next]
  }

  private func hostSteps(_ state: State) throws -> [State] {
    var next = state
    let start = EpochWord(epoch: state.hostEpoch, position: 0).rawValue
    switch state.hostPhase {
    case .look:
      if state.attach != state.hostEpoch {
        next.hostEpoch = state.attach
        next.hostSlots.begin()
        next.hostRing = RingConsumer(epoch: state.attach)
        next.hostEvents = RingProducer(epoch: state.attach)
        next.hostPhase = .resetHead
      } else {
        guard state.hostEpoch != 0 else { return [] }
        next.hostPhase = .popping
        // Any held slot may be released instead.
        return [next]
          + state.hostSlots.holds.indices.compactMap { slot in
            var releasing = state
            guard let frame = releasing.hostSlots.release(slot, epoch: state.hostEpoch) else { return nil }
            releasing.hostPhase = .releasing(slot: slot, frame: frame)
            return releasing
          }
      }
    case .resetHead:
      next.presents.words[1] = start
      next.hostPhase = .resetTail
    case .resetTail:
      next.releases.words[0] = start
      next.hostPhase = .storeHeld
    case .storeHeld:
      next.heldAtAttach = state.hostSlots.heldMask
      next.hostPhase = .acknowledge
    case .acknowledge:
      next.acknowledged = state.hostEpoch
      next.hostPhase = .look
    case .popping:
      switch next.hostRing.step(into: &next.hostEntry, from: &next.presents) {
      case .entry:
        let slot = UInt32(truncatingIfNeeded: next.hostEntry.second)
        if let reason = next.hostSlots.hold(slot, frame: next.hostEntry.first, epoch: state.hostEpoch) {
          throw Broken(description: "an honest frame was refused: \(reason)")
        }
        next.hostEntry = ModelPayload()
        next.hostPhase = .look
      case .empty, .stale: next.hostPhase = .look
      case .torn, .overrun:
        // Only from under a guest that has begun again meanwhile.
        if state.attach == state.hostEpoch, state.guestPhase != .resetHead, state.guestPhase != .attach {
          throw Broken(description: "the honest guest's ring is broken")
        }
        next.hostPhase = .look
      case nil: break
      }
    case .releasing(let slot, let frame):
      switch next.hostEvents.step(ModelPayload(frame, UInt64(slot)), in: &next.releases) {
      case .pushed: next.hostPhase = .look
      case .full: throw Broken(description: "an honest guest left no room for a release")
      case .stale:
        guard state.attach != state.hostEpoch || state.guestPhase == .attach else {
          throw Broken(description: "the honest guest's index is broken")
        }
        next.hostPhase = .look
      case nil: break
      }
    }
    return [next]
  }

  private func check(_ state: State) throws {
    // Only a guest that has read the acknowledgement draws.
    switch state.guestPhase {
    case .ready, .popping, .pushing: break
    case .resetTail, .resetHead, .attach, .waitAcknowledge, .readHeld: return
    }
    for slot in 0..<2 where state.hostSlots.holds[slot] != nil {
      // While an entry is written the slot changes hands.
      if case .pushing(slot) = state.guestPhase { continue }
      var guest = state.guestSlots
      while let free = guest.acquire() {
        if free == slot { throw Broken(description: "slot \(slot) belongs to both") }
      }
    }
  }

  @Test func `a slot never belongs to both sides, whenever the guest dies and begins again`() throws {
    var restarts = 0
    var completions = 0
    let count = try explore(from: [State()]) { state in
      try check(state)
      var successors = try guestSteps(state) + hostSteps(state)
      if state.life == 1 {
        restarts += 1
        successors.append(begunAgain(state, presents: 2))
      }
      if state.life == 2, state.presentsLeft == 0, state.guestSlots.heldCount == 0, state.guestPhase == .ready {
        completions += 1
      }
      return successors
    }
    #expect(restarts > 1000)
    #expect(completions > 0)
    #expect(count > 10_000)
  }

  /// The guest is dead, and another one attaches.
  private func begunAgain(_ state: State, presents: Int) -> State {
    var next = state
    next.life = 2
    next.presentsLeft = presents
    next.guestPhase = .resetTail
    next.guestSlots = GuestSlots(count: 2, heldMask: 0)
    next.guestRing = RingProducer(epoch: 2)
    next.guestEvents = RingConsumer(epoch: 2)
    next.guestEntry = ModelPayload()
    return next
  }

  /// Replaces a dead host by another one.
  private func takenOver(_ state: State) -> State {
    var next = state
    next.hostLife += 1
    next.hostEpoch = 0
    next.hostPhase = .look
    next.hostSlots = HostSlots(count: 2)
    next.hostEntry = ModelPayload()
    let head = EpochWord(rawValue: state.presents.words[1])
    let tail = EpochWord(rawValue: state.releases.words[0])
    let epoch = state.attach
    guard epoch != 0, state.acknowledged == epoch, head.epoch == epoch, tail.epoch == epoch else { return next }
    next.hostEpoch = epoch
    next.hostRing = RingConsumer(epoch: epoch, head: head.position)
    next.hostEvents = RingProducer(epoch: epoch, tail: tail.position)
    let history = RingHistory(
      epoch: epoch, head: head.position, tail: tail.position, slotCount: 2, heldAtAttach: state.heldAtAttach)
    var presents = history.presents(&next.presents, ModelPayload.self) { (Int($0.second), $0.first) }
    history.mark(&presents, &next.releases, ModelPayload.self) {
      ToldEnd(slot: Int($0.second), frame: $0.first, isRelease: true)
    }
    next.hostSlots = history.slots(presents)
    return next
  }

  /// Once both sides have read all entries of the other, they agree on the holder of each slot.
  private func checkAgreement(_ state: State) throws {
    guard state.guestPhase == .ready, state.hostPhase == .look, state.hostEpoch == state.life,
      state.presents.words[0] == state.presents.words[1], state.releases.words[0] == state.releases.words[1]
    else { return }
    let held = state.hostSlots.holds.count { $0 != nil }
    guard held == state.guestSlots.heldCount else {
      throw Broken(description: "the guest waits for \(state.guestSlots.heldCount) slots, the host has \(held)")
    }
  }

  @Test(arguments: [false, true])
  func `no slot is lost or shared whenever the host dies and another takes over`(guestDies: Bool) throws {
    var deaths = 0
    var completions = 0
    var start = State()
    // As in a region, there are twice as many entries as slots at least.
    start.presents = ModelRing(entryCount: 4, isDelaying: false)
    if guestDies { start.presentsLeft = 2 }
    _ = try explore(from: [start]) { state in
      try check(state)
      try checkAgreement(state)
      var successors = try guestSteps(state) + hostSteps(state)
      if state.hostLife == 1 {
        deaths += 1
        successors.append(takenOver(state))
      }
      if guestDies, state.life == 1 {
        successors.append(begunAgain(state, presents: 1))
      }
      if state.hostLife == 2, state.presentsLeft == 0, state.guestSlots.heldCount == 0, state.guestPhase == .ready {
        completions += 1
      }
      return successors
    }
    #expect(deaths > 1000)
    #expect(completions > 0)
  }
}
