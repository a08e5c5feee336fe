import DaemonSettings
import FrameScheduler
import Outputs
import PresentProtocol
import Scanout

extension Presenter {
  /// Whether the output has no room for another scanout. Lessees also occupy slots of the scheduler.
  var isFull: Bool {
    views.count >= min(sharing.layout.capacity, OutputLayout.mostScanouts - leasing.lessees.count)
  }

  /// Whether the output has room for a scanout of a VM.
  func hasRoom(for vm: String) -> Bool {
    if isFull { return false }
    if case .places(let places) = sharing.layout {
      return places.contains { $0.vm == vm } && !views.contains { $0.surface.vmName == vm }
    }
    return true
  }

  /// Adds a scanout to the output.
  func attach(_ surface: Surface) -> SurfaceView {
    let view = SurfaceView(id: nextVMID(), surface: surface, presenter: self, rect: .empty)
    views.append(view)
    let others = views.dropLast().map { ($0, $0.rect) }
    arrange()
    do {
      try add(view, surface.settings)
    } catch {
      surface.log("scanout \(surface.index) on \(name) is scheduled with default settings: \(error)")
      do { try add(view, VMSettings()) } catch { preconditionFailure("default settings refused: \(error)") }
    }
    if sharing.isExclusive { requestOutput(view.id) }
    for (other, rect) in others where other.rect != rect { other.surface.describe() }
    return view
  }

  private func add(_ view: SurfaceView, _ settings: VMSettings) throws(SchedulerError) {
    let configuration = configuration(view, settings)
    try schedule.update { (scheduler, now) throws(SchedulerError) in
      try scheduler.addVM(view.id, configuration, at: now)
    }
    view.isCapped = configuration.rateCapMillihertz != nil
  }

  /// Applies new settings of a scanout's VM. On error the old settings remain.
  func configure(_ view: SurfaceView, _ settings: VMSettings) throws(SchedulerError) {
    try update(view, settings)
    if view.plane.index != nil { setPath(.plane, of: view) }
    run()
  }

  private func update(_ view: SurfaceView, _ settings: VMSettings) throws(SchedulerError) {
    let configuration = configuration(view, settings)
    try schedule.update { (scheduler, now) throws(SchedulerError) in
      try scheduler.configureVM(view.id, configuration, at: now)
    }
    view.isCapped = configuration.rateCapMillihertz != nil
  }

  private func reconfigure(_ view: SurfaceView) {
    do throws(SchedulerError) {
      try update(view, view.surface.settings)
    } catch {
      view.surface.log("scanout \(view.surface.index) on \(name) keeps its old schedule: \(error)")
    }
  }

  /// Changes the layout. The output must have no scanouts.
  func setLayout(_ layout: OutputLayout) {
    composition.outputChanged()
    share(sharing.with(layout: layout))
    run()
  }

  func configuration(_ view: SurfaceView, _ settings: VMSettings) -> VMConfiguration {
    settings.configuration(vm: view.surface.vmName, copy: isTiled ? copy(of: view.rect) : nil)
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
    for view in views where view.surface.settings.promisedHertz != nil && view.plane.index == nil {
      try? update(view, view.surface.settings)
    }
  }

  /// Removes a scanout: its waiting frames are superseded and its part of the output becomes black.
  func detach(_ view: SurfaceView) {
    answers.forget(view.id)
    while !view.held.isEmpty { supersede(view.held.removeLast(), of: view) }
    if let staged = view.staged.take() { supersede(staged, of: view) }
    if var picture = inFlight {
      inFlight = nil
      for index in picture.entries.indices where picture.entries[index].view == view.id {
        guard let surface = picture.entries[index].reportTo.take() else { continue }
        surface.frameDone(picture.entries[index].frame.number, .superseded)
      }
      inFlight = picture
    }
    let isVisible = isVisible(view)
    accept(schedule.decide { $0.removeVM(view.id, at: $1, into: &$2) })
    view.setLatched(nil)
    view.painted = nil
    view.cursor?.buffer.endUse()
    view.cursor = nil
    views.removeAll { $0 === view }
    let others = views.map { ($0, $0.rect) }
    arrange()
    for (other, rect) in others where other.rect != rect { other.surface.describe() }
    if isVisible { redraw() }
    run()
  }

  /// Computes the rectangles of all tiles and repaints everything.
  func arrange() {
    for (index, view) in views.enumerated() {
      view.rect = sharing.layout.rect(
        of: index, count: views.count, vm: view.surface.vmName, width: homeMode.width, height: homeMode.height)
      view.painted = view.latched
      view.paintedCursor = .empty
      if view.plane.index != nil { setPath(isTiled ? .blit : .plane, of: view) }
      view.plane.index = nil
      view.isCursorChanged = view.isCursorChanged || view.cursor != nil
    }
    if case .tiled(let tiled) = composition { tiled.arranged(views) }
    if isTiled, !onScreen.entries.isEmpty { redraw() }
  }

  /// The preferred mode reported to a scanout's client.
  func mode(of view: SurfaceView) -> DisplayMode {
    if !isTiled || view.rect.isEmpty { return homeMode }
    return DisplayMode(
      width: view.rect.width, height: view.rect.height, refreshMillihertz: homeMode.refreshMillihertz)
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
      for view in views { reconfigure(view) }
    }
    if new.isExclusive != old.isExclusive { arrange() }
  }

  /// Gives a scanout the whole output at the next commit. The others keep their state but are not visible.
  func focus(_ view: SurfaceView) {
    leasing.reason = "\(name) goes to \(view.surface.vmName)"
    focus(on: view.id, asLease: false)
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
