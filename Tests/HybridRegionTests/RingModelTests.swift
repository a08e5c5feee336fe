import Testing

@testable import HybridRegion

/// All interleavings of a producer and a consumer over memory that reorders stores.
@Suite struct RingModelTests {
  private struct State: Hashable {
    var ring: ModelRing
    var producer: RingProducer<ModelPayload>
    var consumer: RingConsumer<ModelPayload>
    var payload = ModelPayload()
    var pushed: UInt64 = 0
    var popped: UInt64 = 0
    var isProducerAlive = true
  }

  private struct Broken: Error, CustomStringConvertible {
    var description: String
  }

  private let epoch: UInt32 = 7

  private func start(delaying: Bool) -> State {
    var ring = ModelRing(entryCount: 2, isDelaying: delaying)
    ring.words[0] = EpochWord(epoch: epoch, position: 0).rawValue
    ring.words[1] = EpochWord(epoch: epoch, position: 0).rawValue
    return State(ring: ring, producer: RingProducer(epoch: epoch), consumer: RingConsumer(epoch: epoch))
  }

  private func produce(_ state: State, upTo last: UInt64) throws -> State? {
    guard state.isProducerAlive, state.pushed < last else { return nil }
    var next = state
    next.ring.side = 0
    let value = state.pushed + 1
    switch next.producer.step(ModelPayload(value, ~value), in: &next.ring) {
    case .pushed: next.pushed = value
    case .stale: throw Broken(description: "the producer lost the consumer's index")
    case .full, nil: break
    }
    return next.ring.isBlocked ? nil : next
  }

  private func consume(_ state: State) throws -> State? {
    var next = state
    next.ring.side = 1
    let result = next.consumer.step(into: &next.payload, from: &next.ring)
    switch result {
    case .entry:
      guard next.payload == ModelPayload(state.popped + 1, ~(state.popped + 1)) else {
        throw Broken(description: "popped \(next.payload) after \(state.popped)")
      }
      next.popped += 1
      next.payload = ModelPayload()
    case .torn, .overrun, .stale: throw Broken(description: "\(String(describing: result)) between honest sides")
    case .empty, nil: break
    }
    return next.ring.isBlocked ? nil : next
  }

  @Test func `every entry arrives whole, once and in order, however stores are delayed`() throws {
    var finished = 0
    let count = try explore(from: [start(delaying: true)]) { state in
      if state.popped == 5 { finished += 1 }
      let steps = [try produce(state, upTo: 5), try consume(state)].compactMap(\.self)
      let arrivals = state.ring.arrivals().map { ring in
        var next = state
        next.ring = ring
        return next
      }
      return steps + arrivals
    }
    #expect(finished > 0)
    #expect(count > 1000)
  }

  @Test func `the model finds the torn entry that a missing publish allows`() {
    var careless = start(delaying: true)
    careless.ring.ignoresPublish = true
    #expect(throws: Broken.self) {
      try explore(from: [careless]) { state in
        let steps = [try produce(state, upTo: 3), try consume(state)].compactMap(\.self)
        return steps
          + state.ring.arrivals().map { ring in
            var next = state
            next.ring = ring
            return next
          }
      }
    }
  }

  @Test func `a producer that dies at any instruction leaves only whole entries`() throws {
    var deaths = 0
    _ = try explore(from: [start(delaying: true)]) { state in
      var successors = [try produce(state, upTo: 3), try consume(state)].compactMap(\.self)
      for ring in state.ring.arrivals() {
        var next = state
        next.ring = ring
        successors.append(next)
      }
      if state.isProducerAlive {
        deaths += 1
        var dead = state
        dead.isProducerAlive = false
        // What it had not published may or may not arrive.
        successors.append(dead)
        dead.ring.pending[0] = []
        successors.append(dead)
      }
      return successors
    }
    #expect(deaths > 100)
  }

  @Test func `an entry that is overwritten while it is read is torn, never mixed`() throws {
    // A producer that ignores how far the consumer is: two of them take turns on the same entries.
    var torn = 0
    var whole = 0
    _ = try explore(from: [start(delaying: false)]) { state in
      var successors: [State] = []
      // The consumer's index, as this producer believes it, is always its own: it never sees the ring full.
      var careless = state
      careless.ring.words[1] = EpochWord(epoch: epoch, position: state.producer.tail).rawValue
      if var next = try produce(careless, upTo: 5) {
        next.ring.words[1] = 0
        successors.append(next)
      }
      var next = state
      next.ring.side = 1
      switch next.consumer.step(into: &next.payload, from: &next.ring) {
      case .entry:
        whole += 1
        if next.payload.first != ~next.payload.second { throw Broken(description: "mixed: \(next.payload)") }
        if next.payload.first <= state.popped { throw Broken(description: "stale: \(next.payload)") }
        next.popped = next.payload.first
      case .torn, .overrun: torn += 1
      case .stale: throw Broken(description: "stale")
      case .empty, nil: break
      }
      next.ring.words[1] = 0
      successors.append(next)
      return successors
    }
    #expect(torn > 0)
    #expect(whole > 0)
  }
}
