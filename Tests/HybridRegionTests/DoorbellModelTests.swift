import Testing

@testable import HybridRegion

/// A guest that rings only when requested, and a host that sleeps: all interleavings, on memory that delays and
/// reorders stores. No entry may be left in the ring while the host sleeps and no doorbell was rung.
@Suite struct DoorbellModelTests {
  private struct Broken: Error, CustomStringConvertible {
    var description: String
  }

  private enum GuestPhase: Hashable {
    case pushing
    case asking(DoorbellQuestion)
  }

  private enum HostPhase: Hashable {
    /// Takes all entries.
    case looking
    /// Sets its timer, and makes the doorbell quiet.
    case silencing
    /// Requests the doorbell, and checks again afterwards.
    case wanting(DoorbellRequest)
    /// Asleep; woken by the doorbell, or by its timer if it is set.
    case asleep(hasTimer: Bool)
  }

  private struct State: Hashable {
    var ring: ModelRing
    var guest: RingProducer<ModelPayload>
    var guestPhase = GuestPhase.pushing
    var pushed: UInt64 = 0
    var isRung = false
    var host: RingConsumer<ModelPayload>
    var hostPhase = HostPhase.wanting(DoorbellRequest())
    var isQuiet = false
    var payload = ModelPayload()
    var taken: UInt64 = 0
    var hostLife = 1
    /// For testing the model itself.
    var hasBarriers = true
    var looksAgain = true
  }

  private let epoch: UInt32 = 7
  private let last: UInt64 = 2

  private func start() -> State {
    var ring = ModelRing(entryCount: 2, isDelaying: true)
    ring.words[0] = EpochWord(epoch: epoch, position: 0).rawValue
    ring.words[1] = EpochWord(epoch: epoch, position: 0).rawValue
    return State(ring: ring, guest: RingProducer(epoch: epoch), host: RingConsumer(epoch: epoch))
  }

  private func guestSteps(_ state: State) throws -> [State] {
    var next = state
    next.ring.side = 0
    switch state.guestPhase {
    case .pushing:
      if state.pushed == last { return [] }
      let value = state.pushed + 1
      switch next.guest.step(ModelPayload(value, ~value), in: &next.ring) {
      case .pushed:
        next.pushed = value
        next.guestPhase = .asking(DoorbellQuestion())
      case .full, .stale: throw Broken(description: "no room for entry \(value)")
      case nil: break
      }
    case .asking(var question):
      next.ring.ignoresPublish = !state.hasBarriers
      let answer = question.step(epoch: epoch, in: &next.ring)
      next.ring.ignoresPublish = false
      next.guestPhase = answer == nil ? .asking(question) : .pushing
      if answer == true { next.isRung = true }
    }
    return next.ring.isBlocked ? [] : [next]
  }

  private func hostSteps(_ state: State) throws -> [State] {
    // A processor delays a bounded number of stores.
    if state.ring.pending[1].count > 3 { return [] }
    var next = state
    next.ring.side = 1
    switch state.hostPhase {
    case .looking:
      switch next.host.step(into: &next.payload, from: &next.ring) {
      case .entry:
        next.taken += 1
        guard next.payload == ModelPayload(next.taken, ~next.taken) else { throw Broken(description: "torn") }
        next.payload = ModelPayload()
      case .empty:
        // A pending commit will wake it; or nothing is pending, and only the doorbell can.
        var quiet = state
        quiet.ring.side = 1
        quiet.hostPhase = .silencing
        next.hostPhase = state.isQuiet ? .wanting(DoorbellRequest()) : .asleep(hasTimer: false)
        return [quiet, next]
      case .torn, .overrun, .stale: throw Broken(description: "the honest guest's ring is broken")
      case nil: break
      }
    case .silencing:
      if !state.isQuiet { next.ring.store(DoorbellHint.word(epoch: epoch, isQuiet: true), to: .doorbell) }
      next.isQuiet = true
      next.hostPhase = .asleep(hasTimer: true)
    case .wanting(var request):
      next.ring.ignoresPublish = !state.hasBarriers
      let isDone = request.step(epoch: epoch, in: &next.ring)
      next.ring.ignoresPublish = false
      if isDone { next.isQuiet = false }
      next.hostPhase = isDone ? (state.looksAgain ? .looking : .asleep(hasTimer: false)) : .wanting(request)
    case .asleep(let hasTimer):
      var wakes: [State] = []
      next.hostPhase = .looking
      if hasTimer { wakes.append(next) }
      next.isRung = false
      if state.isRung { wakes.append(next) }
      return wakes
    }
    return next.ring.isBlocked ? [] : [next]
  }

  /// Another host takes over, without its predecessor's timers, but with its stores.
  private func takenOver(_ state: State) -> State? {
    guard state.hostLife == 1, state.ring.pending[1].isEmpty else { return nil }
    var next = state
    next.hostLife = 2
    next.host = RingConsumer(epoch: epoch, head: EpochWord(rawValue: state.ring.words[1]).position)
    // The new host gets the doorbell's edge again.
    next.hostPhase = .wanting(DoorbellRequest())
    next.isQuiet = false
    next.payload = ModelPayload()
    next.taken = UInt64(EpochWord(rawValue: state.ring.words[1]).position)
    return next
  }

  private func visitAll(_ first: State, hostDies: Bool = false) throws -> (states: Int, quietPresents: Int) {
    var quietPresents = 0
    let count = try explore(from: [first]) { state in
      let arrivals = state.ring.arrivals().map { ring in
        var next = state
        next.ring = ring
        return next
      }
      var successors = try guestSteps(state) + hostSteps(state) + arrivals
      if successors.isEmpty {
        guard state.pushed == last, state.taken == last else {
          throw Broken(description: "\(state.pushed) pushed, \(state.taken) taken, and everybody sleeps")
        }
      }
      if hostDies, let next = takenOver(state) { successors.append(next) }
      if state.guestPhase == .pushing, state.pushed > state.taken, !state.isRung,
        state.hostPhase == .asleep(hasTimer: true)
      {
        quietPresents += 1
      }
      return successors
    }
    return (count, quietPresents)
  }

  @Test(arguments: [false, true])
  func `no wake-up is lost, whenever the host makes the doorbell quiet, sleeps or dies`(hostDies: Bool) throws {
    let (states, quietPresents) = try visitAll(start(), hostDies: hostDies)
    #expect(states > 1000)
    #expect(quietPresents > 0, "and some presents cost no doorbell")
  }

  @Test func `the model finds the wake-up that a host loses if it does not check again`() {
    var careless = start()
    careless.looksAgain = false
    #expect(throws: Broken.self) { try visitAll(careless) }
  }

  @Test func `the model finds the wake-up that a missing barrier loses`() {
    var careless = start()
    careless.hasBarriers = false
    #expect(throws: Broken.self) { try visitAll(careless) }
  }
}
