import DaemonSettings
import LinuxIO
import Outputs
import PresentProtocol
import Scanout

/// A frame that its client is still drawing. Its buffer is in use but is not read before the fence is signalled.
struct FencedFrame {
  let serial: UInt64
  var frame: Presenter.Frame
  let fence: SharedFD
  let source: EventLoop.Source
}

extension Surface {
  /// The most frames that may wait for fences. A further frame supersedes the newest waiting one; the oldest is kept.
  /// Frames of a client that draws far ahead are thus still shown.
  private static let fencedLimit = 8

  /// Shows a frame at the next vblank. It supersedes older frames that wait for fences.
  func show(_ new: Presenter.Frame) {
    guard let tile else { return }
    var frame = new
    while !fenced.isEmpty { supersede(removeFenced(at: 0), by: &frame) }
    tile.presenter.present(frame, on: tile)
  }

  /// Shows a frame once its fence is signalled.
  ///
  /// The loop waits until the fence is signalled, a newer frame can be shown or the client ends. A fence that is never
  /// signalled affects only its client: it is not passed to the hardware, where it would block the output.
  func show(_ new: Presenter.Frame, after fence: SharedFD) {
    if (try? waitUntilReady(fence.raw, .readable, timeoutMilliseconds: 0))?.isEmpty == false { return show(new) }
    var frame = new
    frame.buffer.beginUse()
    if fenced.count >= Surface.fencedLimit { supersede(removeFenced(at: fenced.count - 1), by: &frame) }
    lastFenceSerial += 1
    let serial = lastFenceSerial
    do throws(SystemError) {
      let source = try loop.add(fence.raw) { [weak self] _ in self?.fenceSignalled(serial) }
      fenced.append(FencedFrame(serial: serial, frame: frame, fence: fence, source: source))
    } catch {
      outputFailed("cannot wait for a frame's acquire fence: \(error)")
      tile?.needsFullDamage = true
      frameDone(frame.number, .rejected)
      frame.buffer.endUse()
    }
  }

  private func fenceSignalled(_ serial: UInt64) {
    guard let place = fenced.firstIndex(where: { $0.serial == serial }), let tile else { return }
    var frame = removeFenced(at: place)
    // The frame could not be shown earlier, so its latency is measured from now.
    if let ready = frame.readyNanoseconds { frame.readyNanoseconds = max(ready, monotonicNanoseconds()) }
    for _ in 0..<place { supersede(removeFenced(at: 0), by: &frame) }
    tile.presenter.present(frame, on: tile)
    frame.buffer.endUse()
  }

  /// Supersedes all frames that wait for fences.
  func supersedeFenced() {
    while !fenced.isEmpty {
      let old = removeFenced(at: 0)
      tile?.needsFullDamage = true
      frameDone(old.number, .superseded)
      old.buffer.endUse()
    }
  }

  func blank() {
    supersedeFenced()
    if let tile { tile.presenter.blank(tile) }
  }

  private func removeFenced(at place: Int) -> Presenter.Frame {
    let entry = fenced.remove(at: place)
    loop.remove(entry.source)
    return entry.frame
  }

  /// Supersedes an older frame and adds its damage to the newer one.
  private func supersede(_ old: Presenter.Frame, by new: inout Presenter.Frame) {
    new.supersede(old)
    frameDone(old.number, .superseded)
    old.buffer.endUse()
  }
}
