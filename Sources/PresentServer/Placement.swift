import DaemonSettings
import LinuxIO
import Outputs

/// Decides which surface is on which output. A surface that no output has room for is parked: on an off-screen output of
/// its own, until there is room.
final class Placement {
  /// One per real output.
  private(set) var presenters: [Presenter] = []
  private let loop: EventLoop
  private let clock: PresentClock
  private let makeParkedOutput: (String) throws -> any Output
  private let log: (String) -> Void
  /// Called after a surface has come onto an output, or was parked.
  var onMove: () -> Void = {}
  /// Parked surfaces, in the order in which their clients came.
  private var waiting: [Surface] = []
  private var parkedCount: UInt64 = 0
  private var lastArrival: UInt64 = 0
  /// Whether waiting surfaces are to be placed at the end of the round.
  private(set) var isDue = false

  init(
    loop: EventLoop, clock: PresentClock, makeParkedOutput: @escaping (String) throws -> any Output,
    log: @escaping (String) -> Void
  ) {
    self.loop = loop
    self.clock = clock
    self.makeParkedOutput = makeParkedOutput
    self.log = log
  }

  /// Takes over an output; waiting surfaces may come onto it.
  @discardableResult
  func add(_ output: NamedOutput) throws(SystemError) -> Presenter {
    let presenter = try Presenter(
      output.output, name: output.name, isFallback: output.isFallback, loop: loop, clock: clock)
    presenters.append(presenter)
    watch(presenter)
    willPlaceWaiting()
    return presenter
  }

  /// Gives the outputs back.
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
    for surface in presenter.tiles.map(\.head) {
      if info.connected { surface.describe() } else { park(surface, .unplugged(presenter.name)) }
    }
    if info.connected { willPlaceWaiting() }
  }

  // MARK: - Surfaces

  /// Gives every surface an output, or parks it.
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

  /// A client's surfaces leave; others may come onto their outputs.
  func vacate(_ surfaces: [Surface]) {
    var hasParked = false
    for surface in surfaces {
      let presenter = surface.presenter
      surface.leave()
      guard surface.parking != nil else { continue }
      hasParked = true
      presenter?.close()
    }
    if hasParked { waiting.removeAll { $0.tile == nil } }
    willPlaceWaiting()
  }

  /// Puts a surface onto an output, and its off-screen one away.
  func assign(_ surface: Surface, _ presenter: Presenter) {
    let former = surface.parking == nil ? nil : surface.presenter
    if former != nil { waiting.removeAll { $0 === surface } }
    surface.move(to: presenter, parking: nil)
    onMove()
    former?.close()
    surface.log("scanout \(surface.index) is on \(presenter.name)")
  }

  private func park(_ surface: Surface, _ parking: Surface.Parking) {
    parkedCount += 1
    do {
      let name = "parked-\(parkedCount)"
      let presenter = try Presenter(makeParkedOutput(name), name: name, loop: loop, clock: clock)
      watch(presenter)
      surface.move(to: presenter, parking: parking)
      onMove()
      let place = waiting.lastIndex { $0.arrival < surface.arrival }.map { $0 + 1 } ?? 0
      waiting.insert(surface, at: place)
      switch parking {
      case .noneFree: surface.log("scanout \(surface.index) waits for a free output")
      case .unplugged(let name): surface.log("scanout \(surface.index) waits for \(name) to be plugged in")
      }
    } catch {
      surface.owner.drop("no off-screen output can be made: \(error)")
    }
  }

  /// Moves a surface to the output that it wishes.
  ///
  /// - Returns: a surface that was displaced, and is on no output now; `place` it.
  func moveToWish(_ surface: Surface) -> (displaced: Surface, from: Presenter)? {
    guard let target = presenters.first(where: { $0.name == surface.wish }), surface.presenter !== target,
      target.output.info.connected
    else { return nil }
    if target.hasRoom(for: surface.vmName) {
      assign(surface, target)
      return nil
    }
    // A layout that has no place for the VM has none without others either.
    if case .places = target.sharing.layout { return nil }
    guard let displaced = target.tiles.first?.head else { return nil }
    displaced.leave()
    assign(surface, target)
    return (displaced, target)
  }

  // MARK: - Waiting surfaces

  /// Has waiting surfaces placed at the end of this round.
  func willPlaceWaiting() { isDue = true }

  /// Places the waiting surfaces that an output has room for now.
  func endRound() {
    guard isDue else { return }
    isDue = false
    guard presenters.contains(where: { $0.output.info.connected && !$0.isFull }) else { return }
    for surface in waiting { if let presenter = freePresenter(for: surface) { assign(surface, presenter) } }
    // Those that waited came first: a stand-in is better than nothing.
    for presenter in presenters where presenter.isFallback {
      for surface in presenter.tiles.map(\.head) where surface.wish.isEmpty {
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
    return free.min { ($0.isFallback ? 1 : 0, $0.tiles.count) < ($1.isFallback ? 1 : 0, $1.tiles.count) }
  }
}
