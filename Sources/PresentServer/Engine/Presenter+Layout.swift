import DaemonSettings
import FrameScheduler
import Outputs
import PresentProtocol
import Scanout

extension Presenter {
  /// Whether the output has no room for another scanout. Lessees also occupy slots of the scheduler.
  var isFull: Bool {
    tiles.count >= min(sharing.layout.capacity, OutputLayout.mostScanouts - leasing.lessees.count)
  }

  /// Whether the output has room for a scanout of a VM.
  func hasRoom(for vm: String) -> Bool {
    if isFull { return false }
    if case .places(let places) = sharing.layout {
      return places.contains { $0.vm == vm } && !tiles.contains { $0.head.vmName == vm }
    }
    return true
  }

  /// Adds a scanout to the output.
  func attach(_ head: Surface) -> Tile {
    let tile = Tile(id: nextVMID(), head: head, presenter: self, rect: .empty)
    tiles.append(tile)
    let others = tiles.dropLast().map { ($0, $0.rect) }
    arrange()
    do {
      try add(tile, head.settings)
    } catch {
      head.log("scanout \(head.index) on \(name) is scheduled with default settings: \(error)")
      do { try add(tile, VMSettings()) } catch { preconditionFailure("default settings refused: \(error)") }
    }
    if sharing.isExclusive { requestOutput(tile.id) }
    for (other, rect) in others where other.rect != rect { other.head.describe() }
    return tile
  }

  private func add(_ tile: Tile, _ settings: VMSettings) throws(SchedulerError) {
    let configuration = configuration(tile, settings)
    try schedule.update { (scheduler, now) throws(SchedulerError) in
      try scheduler.addVM(tile.id, configuration, at: now)
    }
    tile.isCapped = configuration.rateCapMillihertz != nil
  }

  /// Applies new settings of a scanout's VM. On error the old settings remain.
  func configure(_ tile: Tile, _ settings: VMSettings) throws(SchedulerError) {
    try update(tile, settings)
    if tile.plane.index != nil { setPath(.plane, of: tile) }
    run()
  }

  private func update(_ tile: Tile, _ settings: VMSettings) throws(SchedulerError) {
    let configuration = configuration(tile, settings)
    try schedule.update { (scheduler, now) throws(SchedulerError) in
      try scheduler.configureVM(tile.id, configuration, at: now)
    }
    tile.isCapped = configuration.rateCapMillihertz != nil
  }

  private func reconfigure(_ tile: Tile) {
    do throws(SchedulerError) {
      try update(tile, tile.head.settings)
    } catch {
      tile.head.log("scanout \(tile.head.index) on \(name) keeps its old schedule: \(error)")
    }
  }

  /// Changes the layout. The output must have no scanouts.
  func setLayout(_ layout: OutputLayout) {
    composition.outputChanged()
    share(sharing.with(layout: layout))
    run()
  }

  func configuration(_ tile: Tile, _ settings: VMSettings) -> VMConfiguration {
    settings.configuration(vm: tile.head.vmName, copy: isTiled ? copy(of: tile.rect) : nil)
  }

  /// The bytes and the longest expected time for copying a whole tile, based on the measured copy rate.
  func copy(of rect: Rect) -> DeclaredCopy {
    let byteCount = Int64(rect.width) * Int64(rect.height) * Int64(PixelFormat.bytesPerPixel)
    return DeclaredCopy(byteCount: byteCount, nanoseconds: byteCount * schedule.state.picosecondsPerByte / 1000 * 5 / 4)
  }

  /// Updates the declared copy times of promised frames if the copy rate has changed by more than a quarter.
  func redeclarePromises() {
    let rate = schedule.state.picosecondsPerByte
    guard abs(rate - declaredPicosecondsPerByte) > declaredPicosecondsPerByte / 4 else { return }
    declaredPicosecondsPerByte = rate
    // A promise that no longer fits remains; its missed frames are counted.
    for tile in tiles where tile.head.settings.promisedHertz != nil && tile.plane.index == nil {
      try? update(tile, tile.head.settings)
    }
  }

  /// Removes a scanout: its waiting frames are superseded and its part of the output becomes black.
  func detach(_ tile: Tile) {
    answers.forget(tile.id)
    while !tile.held.isEmpty { supersede(tile.held.removeLast(), of: tile) }
    if let staged = tile.staged.take() { supersede(staged, of: tile) }
    if var picture = inFlight {
      inFlight = nil
      for index in picture.entries.indices where picture.entries[index].tile == tile.id {
        guard let head = picture.entries[index].reportTo.take() else { continue }
        head.frameDone(picture.entries[index].frame.number, .superseded)
      }
      inFlight = picture
    }
    let isVisible = isVisible(tile)
    accept(schedule.decide { $0.removeVM(tile.id, at: $1, into: &$2) })
    tile.setLatched(nil)
    tile.painted = nil
    tile.cursor?.buffer.endUse()
    tile.cursor = nil
    tiles.removeAll { $0 === tile }
    let others = tiles.map { ($0, $0.rect) }
    arrange()
    for (other, rect) in others where other.rect != rect { other.head.describe() }
    if isVisible { redraw() }
    run()
  }

  /// Computes the rectangles of all tiles and repaints everything.
  func arrange() {
    for (index, tile) in tiles.enumerated() {
      tile.rect = sharing.layout.rect(
        of: index, count: tiles.count, vm: tile.head.vmName, width: homeMode.width, height: homeMode.height)
      tile.painted = tile.latched
      tile.paintedCursor = .empty
      if tile.plane.index != nil { setPath(isTiled ? .blit : .plane, of: tile) }
      tile.plane.index = nil
      tile.isCursorChanged = tile.isCursorChanged || tile.cursor != nil
    }
    if case .tiled(let tiled) = composition { tiled.arranged(tiles) }
    if isTiled, !onScreen.entries.isEmpty { redraw() }
  }

  /// The preferred mode reported to a scanout's client.
  func mode(of tile: Tile) -> DisplayMode {
    if !isTiled || tile.rect.isEmpty { return homeMode }
    return DisplayMode(
      width: tile.rect.width, height: tile.rect.height, refreshMillihertz: homeMode.refreshMillihertz)
  }

  // MARK: - Policy and focus

  /// Changes the policy between two commits. No frame is lost.
  func setPolicy(_ policy: SchedulingPolicy) {
    share(sharing.with(policy: policy))
    run()
  }

  /// Changes how the output is shared.
  func share(_ new: OutputSharing) {
    let old = sharing
    sharing = new
    accept(schedule.decide { $0.setPolicy(new.policy, at: $1, into: &$2) })
    if new.isExclusive, !old.isExclusive { queueAll() }
    // This changes whether frames are copied.
    if new.isTiled != old.isTiled {
      composition = makeComposition()
      for tile in tiles { reconfigure(tile) }
    }
    if new.isExclusive != old.isExclusive { arrange() }
  }

  /// Gives a scanout the whole output at the next commit. The others keep their state but are not visible.
  func focus(_ tile: Tile) {
    leasing.reason = "\(name) goes to \(tile.head.vmName)"
    focus(on: tile.id, asLease: false)
    queueAll()
    run()
  }

  func focus(on vm: VMID, asLease: Bool) {
    do {
      accept(try schedule.decide { try $0.focus(on: vm, asLease: asLease, at: $1, into: &$2) })
    } catch {
      preconditionFailure("the scheduler lacks a VM of the output: \(error)")
    }
  }

  func requestOutput(_ vm: VMID, priority: Int = 0, asLease: Bool = false) {
    do {
      accept(
        try schedule.decide { try $0.requestExclusive(vm, priority: priority, asLease: asLease, at: $1, into: &$2) })
    } catch {
      preconditionFailure("the scheduler lacks a VM of the output: \(error)")
    }
  }
}
