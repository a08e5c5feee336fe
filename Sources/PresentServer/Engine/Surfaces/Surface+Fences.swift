import DaemonSettings
import LinuxIO
import Outputs
import PresentProtocol
import Scanout

/// A frame that its client is still drawing. Its buffer is in use but is not read before the fence is signalled.
struct FencedFrame {
  let serial: UInt64
  var update: SurfaceUpdate
  let fence: SharedFD
  let source: EventLoop.Source
}

extension Surface {
  /// The most frames that may wait for fences. A further frame supersedes the newest waiting one; the oldest is kept.
  /// Frames of a client that draws far ahead are thus still shown.
  private static let fencedLimit = 8

  /// Shows a frame at the next vblank. It supersedes older frames that wait for fences.
  func show(_ new: SurfaceUpdate) {
    guard let view else { return }
    if let fence = new.frame.buffer.driverFence { return wait(with: new, for: fence) }
    if fenced.isEmpty { return view.presenter.present(new, on: view) }
    var update = new
    while !fenced.isEmpty { supersede(removeFenced(at: 0), by: &update) }
    view.presenter.present(update, on: view)
  }

  /// Shows a frame once its fence is signalled.
  ///
  /// The loop waits until the fence is signalled, a newer frame can be shown or the client ends. A fence that is never
  /// signalled affects only its client: it is not passed to the hardware, where it would block the output.
  func show(_ new: SurfaceUpdate, after fence: SharedFD) {
    if (try? waitUntilReady(fence.raw, .readable, timeoutMilliseconds: 0))?.isEmpty == false { return show(new) }
    wait(with: new, for: fence)
  }

  private func wait(with new: SurfaceUpdate, for fence: SharedFD) {
    var update = new
    if fenced.count >= Surface.fencedLimit { supersede(removeFenced(at: fenced.count - 1), by: &update) }
    hold(update, for: fence, at: fenced.count)
  }

  private func hold(_ update: SurfaceUpdate, for fence: SharedFD, at place: Int) {
    update.frame.buffer.beginUse()
    lastFenceSerial += 1
    let serial = lastFenceSerial
    do throws(SystemError) {
      let source = try loop.add(fence.raw) { [weak self] _ in self?.fenceSignalled(serial) }
      fenced.insert(FencedFrame(serial: serial, update: update, fence: fence, source: source), at: place)
    } catch {
      outputFailed("cannot wait for a frame's acquire fence: \(error)")
      view?.needsFullDamage = true
      frameDone(update.frame.number, .rejected)
      update.frame.buffer.endUse()
    }
  }

  private func fenceSignalled(_ serial: UInt64) {
    guard let place = fenced.firstIndex(where: { $0.serial == serial }), let view else { return }
    var update = removeFenced(at: place)
    // The frame could not be shown earlier, so its latency is measured from now.
    if let ready = update.readyNanoseconds { update.readyNanoseconds = max(ready, monotonicNanoseconds()) }
    if let fence = update.frame.buffer.driverFence {
      hold(update, for: fence, at: place)
      return update.frame.buffer.endUse()
    }
    for _ in 0..<place { supersede(removeFenced(at: 0), by: &update) }
    view.presenter.present(update, on: view)
    update.frame.buffer.endUse()
  }

  /// Supersedes all frames that wait for fences.
  func supersedeFenced() {
    while !fenced.isEmpty {
      let old = removeFenced(at: 0).frame
      view?.needsFullDamage = true
      frameDone(old.number, .superseded)
      old.buffer.endUse()
    }
  }

  func blank() {
    supersedeFenced()
    if let view { view.presenter.blank(view) }
  }

  private func removeFenced(at place: Int) -> SurfaceUpdate {
    let entry = fenced.remove(at: place)
    loop.remove(entry.source)
    return entry.update
  }

  /// Supersedes an older frame and adds its damage to the newer one.
  private func supersede(_ old: SurfaceUpdate, by new: inout SurfaceUpdate) {
    new.supersede(old)
    frameDone(old.frame.number, .superseded)
    old.frame.buffer.endUse()
  }
}
