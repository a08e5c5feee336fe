import FrameScheduler

/// Runs a published scheduler against the same simulated VMs and output.
///
/// Frames queue (three deep, as for a triple-buffered guest; sixty-four for a hostile one) and run whole, one at a
/// time. What is complete at the latch, a fixed 1.95 ms before each vblank, comes on screen.
struct BaselineSimulation {
  private enum Event {
    case frame(Int)
    case engineDone
    case tick
    case latch(Int64)
  }

  private struct QueuedFrame {
    var id: FrameID
    var arrived: Nanoseconds
  }

  static let lead: Nanoseconds = 1_950_000
  static let guestDepth = 3
  static let hostileDepth = 64

  private let workload: Workload
  private let end: Nanoseconds
  private var policy: any BaselinePolicy
  private var guests: [GuestState]
  private var queues: [[QueuedFrame]]
  private var complete: [QueuedFrame?]
  private var running: (vm: Int, frame: QueuedFrame)?
  private var recorder: Recorder
  private var events = EventQueue<Event>()

  init(_ workload: Workload, baseline: Baseline, seconds: Int) {
    self.workload = workload
    end = Int64(seconds) * 1_000_000_000
    policy = baseline.makePolicy(workload.guests)
    guests = workload.guests.map(GuestState.init)
    queues = workload.guests.map { _ in [] }
    complete = workload.guests.map { _ in nil }
    recorder = Recorder(workload.guests, seconds: seconds)
  }

  mutating func run(policyName: String) -> SimulationResult {
    for vm in guests.indices where !makesNoFrames(vm) { events.add(.frame(vm), at: guests[vm].model.startsAt) }
    events.add(.tick, at: 1_000_000)
    events.add(.latch(1), at: vblank(1) - Self.lead)
    while let (now, event) = events.removeFirst(), now < end {
      switch event {
      case .frame(let vm): makeFrame(vm, at: now)
      case .engineDone: finish(at: now)
      case .tick:
        policy.tick(heads, at: now)
        events.add(.tick, at: now + 1_000_000)
      case .latch(let index): latch(index)
      }
      startEngine(at: now)
    }
    return recorder.result(policy: policyName, workload: workload)
  }

  /// Hostile VMs whose frames every scheduler refuses or never gets.
  private func makesNoFrames(_ vm: Int) -> Bool {
    switch guests[vm].model.hostility {
    case .wrongSizes, .replay, .memoryPush: true
    default: false
    }
  }

  private func vblank(_ index: Int64) -> Nanoseconds {
    OutputSimulation.firstVblank + index * workload.truePeriodNanoseconds
  }

  private var heads: [BaselineHead?] {
    guests.indices.map { vm in
      queues[vm].first.map { BaselineHead(cost: guests[vm].model.frameNanoseconds, arrived: $0.arrived) }
    }
  }

  private mutating func makeFrame(_ vm: Int, at now: Nanoseconds) {
    let model = guests[vm].model
    guard now < model.stopsAt else { return }
    let depth = model.hostility == nil ? Self.guestDepth : Self.hostileDepth
    if case .openLoop(let interval) = model.pacing, queues[vm].count >= depth {
      events.add(.frame(vm), at: now + interval)
      return
    }
    guests[vm].beginsBatch()
    let (id, next) = guests[vm].makeFrame(at: now)
    recorder.announced(vm)
    let frame = QueuedFrame(id: id, arrived: now)
    if model.frameNanoseconds == 0 { complete[vm] = frame } else { queues[vm].append(frame) }
    if let next { events.add(.frame(vm), at: next) }
  }

  private mutating func startEngine(at now: Nanoseconds) {
    guard running == nil, queues.contains(where: { !$0.isEmpty }) else { return }
    guard let vm = policy.next(heads, at: now), !queues[vm].isEmpty else { return }
    running = (vm, queues[vm].removeFirst())
    events.add(.engineDone, at: now + guests[vm].model.frameNanoseconds)
  }

  private mutating func finish(at now: Nanoseconds) {
    guard let (vm, frame) = running else { return }
    running = nil
    let duration = guests[vm].model.frameNanoseconds
    recorder.blitted(vm, duration, at: now)
    policy.ran(vm, for: duration, at: now)
    complete[vm] = frame
  }

  private mutating func latch(_ index: Int64) {
    let time = vblank(index)
    recorder.commits += 1
    for vm in guests.indices {
      guard let frame = complete[vm] else { continue }
      complete[vm] = nil
      recorder.shown(vm, at: time, readyAt: frame.arrived)
      if let next = guests[vm].release(through: frame.id, at: time) { events.add(.frame(vm), at: next) }
    }
    events.add(.latch(index + 1), at: vblank(index + 1) - Self.lead)
  }
}
