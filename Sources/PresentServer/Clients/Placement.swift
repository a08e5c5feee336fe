import DaemonSettings
import GraphicsMemory
import LinuxIO
import Outputs

/// Decides which surface is on which output. A surface without a free output is parked on its own off-screen output
/// until one is free.
final class Placement {
  /// One presenter per real output.
  private(set) var presenters: [Presenter] = []
  private let loop: EventLoop
  private let clock: PresentClock
  /// The time for copies in an iteration of the loop, and the threads that help with them: of all outputs.
  let budget: PaintBudget
  private let workers = CopyWorkers()
  private let makeParkedOutput: (String) throws -> any Output
  private let log: (String) -> Void
  /// Called after a surface was placed or parked.
  var onMove: () -> Void = {}
  private var waiting = WaitingSurfaces()
  private var parkedCount: UInt64 = 0
  private var lastArrival: UInt64 = 0
  /// Whether waiting surfaces will be placed at the end of the iteration.
  private(set) var isDue = false

  init(
    loop: EventLoop, clock: PresentClock, makeParkedOutput: @escaping (String) throws -> any Output,
    log: @escaping (String) -> Void
  ) {
    self.loop = loop
    self.clock = clock
    budget = PaintBudget(clock: clock)
    self.makeParkedOutput = makeParkedOutput
    self.log = log
  }

  /// Adds an output; waiting surfaces may be placed on it.
  @discardableResult
  func add(_ output: NamedOutput) throws(SystemError) -> Presenter {
    let presenter = try Presenter(
      output.output, name: output.name, isFallback: output.isFallback, loop: loop, clock: clock, budget: budget,
      workers: workers)
    presenters.append(presenter)
    watch(presenter)
    willPlaceWaiting()
    return presenter
  }

  /// Closes the outputs.
  func stop() { for presenter in presenters { presenter.close() } }

  private func watch(_ presenter: Presenter) {
    presenter.log = log
    presenter.onRoom = { [unowned self] in willPlaceWaiting() }
    presenter.output.onEvent = { [unowned self, unowned presenter] event in
      switch event {
      case .flipped(let time, let sequence): presenter.flipped(timeNanoseconds: time, sequence: sequence)
      case .changed: outputChanged(presenter)
      case .leaseEnded: presenter.leaseGivenBack()
      }
    }
  }

  private func outputChanged(_ presenter: Presenter) {
    presenter.outputChanged()
    let info = presenter.output.info
    log("\(presenter.name) \(info.connected ? "has \(info.mode)" : "is unplugged")")
    for surface in presenter.views.map(\.surface) {
      if info.connected { surface.describe() } else { park(surface, .unplugged(presenter.name)) }
    }
    if info.connected { willPlaceWaiting() }
  }

  // MARK: - Surfaces

  /// Places every surface on an output, or parks it.
  func place(_ surfaces: [Surface]) {
    for surface in surfaces {
      if surface.arrival == 0 {
        lastArrival += 1
        surface.arrival = lastArrival
      }
      if let presenter = freePresenter(for: surface) {
        assign(surface, presenter)
      } else {
        park(surface, .noneFree)
      }
    }
  }

  /// Removes a client's surfaces; others may be placed on their outputs.
  func vacate(_ surfaces: [Surface]) {
    for surface in surfaces {
      let presenter = surface.presenter
      surface.leave()
      guard surface.parking != nil else { continue }
      presenter?.close()
      waiting.changed()
    }
    willPlaceWaiting()
  }

  /// Places a surface on an output, and closes its off-screen one.
  func assign(_ surface: Surface, _ presenter: Presenter) {
    let former = surface.parking == nil ? nil : surface.presenter
    if former != nil { waiting.changed() }
    surface.move(to: presenter, parking: nil)
    onMove()
    former?.close()
    surface.log("scanout \(surface.index) is on \(presenter.name)")
  }

  private func park(_ surface: Surface, _ parking: Surface.Parking) {
    parkedCount += 1
    do {
      let name = "parked-\(parkedCount)"
      let presenter = try Presenter(
        makeParkedOutput(name), name: name, loop: loop, clock: clock, budget: budget, workers: workers)
      watch(presenter)
      surface.move(to: presenter, parking: parking)
      onMove()
      waiting.insert(surface)
      switch parking {
      case .noneFree: surface.log("scanout \(surface.index) is parked until an output is free")
      case .unplugged(let name): surface.log("scanout \(surface.index) is parked until \(name) is plugged in")
      }
    } catch {
      surface.owner.drop("cannot create an off-screen output: \(error)")
    }
  }

  /// Moves a surface to its requested output.
  ///
  /// - Returns: the displaced surface, if any, which must be passed to `place`.
  func moveToWish(_ surface: Surface) -> (displaced: Surface, from: Presenter)? {
    guard let target = presenters.first(where: { $0.name == surface.wish }), surface.presenter !== target,
      target.output.info.connected
    else { return nil }
    if target.hasRoom(for: surface.vmName) {
      assign(surface, target)
      return nil
    }
    // Displacing another VM does not make room in a layout without a place for this VM.
    if case .places = target.sharing.layout { return nil }
    guard let displaced = target.views.first?.surface else { return nil }
    displaced.leave()
    assign(surface, target)
    return (displaced, target)
  }

  // MARK: - Waiting surfaces

  /// Schedules `endRound` to place waiting surfaces.
  func willPlaceWaiting() { isDue = true }

  /// The wishes of surfaces have changed.
  func wishesChanged() {
    waiting.changed()
    isDue = true
  }

  /// Places the waiting surfaces for which an output is free.
  func endRound() {
    guard isDue else { return }
    isDue = false
    waiting.update()
    let free = presenters.filter { $0.output.info.connected && !$0.isFull }
    if free.isEmpty { return }
    // To place a surface changes `waiting`.
    let list = waiting
    list.forEach(waitingFor: free.map(\.name)) { surface in
      if let presenter = freePresenter(for: surface) { assign(surface, presenter) }
      return free.contains { !$0.isFull }
    }
    // Parked surfaces were placed first: a stand-in is better than nothing.
    for presenter in presenters where presenter.isFallback {
      for surface in presenter.views.map(\.surface) where surface.wish.isEmpty {
        if let other = freePresenter(for: surface), !other.isFallback { assign(surface, other) }
      }
    }
  }

  private func freePresenter(for surface: Surface) -> Presenter? {
    let free = presenters.filter { $0.hasRoom(for: surface.vmName) && $0.output.info.connected }
    if case .unplugged(let name)? = surface.parking, let former = free.first(where: { $0.name == name }) {
      return former
    }
    if !surface.wish.isEmpty { return free.first { $0.name == surface.wish } }
    return free.min { ($0.isFallback ? 1 : 0, $0.views.count) < ($1.isFallback ? 1 : 0, $1.views.count) }
  }
}
