import DaemonSettings
import FrameScheduler
import GraphicsMemory
import LinuxIO
import Outputs
import PresentProtocol
import Scanout

extension Presenter {
  /// Accepts a frame. Its buffer is in use until it is released.
  func present(_ new: SurfaceUpdate, on view: SurfaceView) {
    let frame = new.frame
    frame.buffer.beginUse()
    let byteCount = isTiled ? byteCount(of: new, on: view) : 0
    if case .tiled(let tiled) = composition, let index = views.firstIndex(where: { $0 === view }) {
      tiled.frameArrived(frame, byteCount, of: view, at: index)
    }
    if power.watchesIdle { restartIdleTime(for: view) }
    let id = nextFrameID()
    view.hold(SurfaceView.Held(id: id, update: new, byteCount: byteCount))
    var receipt = FrameReceipt.accepted
    let decisions = schedule.decide {
      receipt = $0.frameReady(view.id, frame: id, byteCount: byteCount, at: $1, into: &$2)
    }
    if receipt != .accepted, let refused = view.discard(id) { supersede(refused, of: view) }
    accept(decisions)
    run()
  }

  /// Blanks a scanout's part of the output.
  func blank(_ view: SurfaceView) {
    let isVisible = isVisible(view)
    accept(schedule.decide { $0.withdrawFrames(of: view.id, at: $1, into: &$2) })
    while !view.held.isEmpty { supersede(view.held.removeFirst(), of: view) }
    if let staged = view.staged.take() { supersede(staged, of: view) }
    view.setLatched(nil)
    view.painted = nil
    view.isCursorChanged = false
    view.needsFullDamage = true
    if isVisible {
      if case .tiled(let tiled) = composition, let index = views.firstIndex(where: { $0 === view }) {
        tiled.framesWithdrawn(from: index)
        tiled.repaint(view, at: index)
      }
      redraw()
    }
    run()
  }

  /// Changes or moves the cursor; nil hides it.
  func setCursor(_ new: SurfaceCursor?, on view: SurfaceView) {
    if let new, let old = view.cursor, new.buffer === old.buffer, new.x == old.x, new.y == old.y { return }
    if new == nil && view.cursor == nil { return }
    new?.buffer.beginUse()
    let old = view.cursor
    view.cursor = new
    old?.buffer.endUse()
    view.isCursorChanged = true
    if case .tiled(let tiled) = composition, let index = views.firstIndex(where: { $0 === view }) {
      tiled.cursorChanged(of: view, at: index)
    }
    if power.watchesIdle { restartIdleTime(for: view) }
    // Without a frame the cursor waits for the next one.
    if view.latched != nil, schedule.state.isVisible, isTiled || focusedView === view {
      schedule.update { $0.touch(at: $1) }
    }
    run()
  }

  func supersede(_ held: SurfaceView.Held, of view: SurfaceView) {
    if !held.isReported { view.surface.frameDone(held.frame.number, .superseded) }
    held.frame.buffer.endUse()
  }

  /// Whether a tile is on screen or in the pending commit.
  func isVisible(_ view: SurfaceView) -> Bool {
    (inFlight ?? onScreen).entry(of: view.id) != nil || onScreen.entry(of: view.id) != nil
  }

  /// The number of bytes to copy for an update's damage.
  private func byteCount(of new: SurfaceUpdate, on view: SurfaceView) -> Int64 {
    let damage = view.needsFullDamage ? DamageRegion(new.frame.source) : new.damage
    var pixels = 1
    for index in 0..<damage.count {
      let part = damage[index].intersection(new.frame.source)
      pixels += min(part.width, view.rect.width) * min(part.height, view.rect.height)
    }
    return Int64(min(pixels, view.rect.width * view.rect.height) * PixelFormat.bytesPerPixel)
  }

  /// Reports the frames that the scheduler has released for a VM that is not visible. They count as flipped.
  func reportUnseen(_ release: FenceRelease) {
    guard let view = view(release.vm) else { return }
    for place in view.held.indices where view.held[place].id <= release.through && !view.held[place].isReported {
      view.held[place].isReported = true
      view.surface.frameDone(
        view.held[place].frame.number, .flipped, timeNanoseconds: UInt64(clamping: now), sequence: lastSequence)
    }
  }

  /// Has the picture committed again without a new frame.
  func redraw() { schedule.update { $0.invalidate(repeatingFrames: false, at: $1) } }

  /// Sets how a tile's next frames reach the screen.
  func setPath(_ path: FramePath, of view: SurfaceView) { schedule.update { $0.setPath(path, of: view.id, at: $1) } }
}
