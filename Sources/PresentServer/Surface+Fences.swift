import DaemonSettings
import LinuxIO
import Outputs
import PresentProtocol
import Scanout

/// A frame that its client still draws: its buffer is in use, and nobody reads it before its fence is signalled.
struct FencedFrame {
  let serial: UInt64
  var frame: Presenter.Frame
  let fence: SharedFD
  let source: EventLoop.Source
}

extension Surface {
  /// How many frames may wait for their fences; of more, the last but one gives way. The oldest stays, so that a client
  /// that draws far ahead is seen.
  private static let fencedLimit = 8

  /// Shows a frame at the next vblank. Older ones that wait for their fences come too late.
  func show(_ new: Presenter.Frame) {
    guard let tile else { return }
    var frame = new
    while !fenced.isEmpty { supersede(removeFenced(at: 0), by: &frame) }
    tile.presenter.present(frame, on: tile)
  }

  /// Shows a frame once its fence is signalled.
  ///
  /// The waiting is the loop's, and ends with the fence, a newer frame that can be shown, or the client: a fence that
  /// is never signalled is nobody else's business. It is not handed to the hardware, where it would hold up the output.
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
      outputFailed("a frame's acquire fence cannot be waited for: \(error)")
      tile?.needsFullDamage = true
      frameDone(frame.number, .rejected)
      frame.buffer.endUse()
    }
  }

  private func fenceSignalled(_ serial: UInt64) {
    guard let place = fenced.firstIndex(where: { $0.serial == serial }), let tile else { return }
    var frame = removeFenced(at: place)
    // It could not be shown before, so its latency counts from here.
    if let ready = frame.readyNanoseconds { frame.readyNanoseconds = max(ready, monotonicNanoseconds()) }
    for _ in 0..<place { supersede(removeFenced(at: 0), by: &frame) }
    tile.presenter.present(frame, on: tile)
    frame.buffer.endUse()
  }

  /// Ends all waiting; nothing of it will be shown.
  func supersedeFenced() {
    while !fenced.isEmpty {
      let old = removeFenced(at: 0)
      tile?.needsFullDamage = true
      frameDone(old.number, .superseded)
      old.buffer.endUse()
    }
  }

  /// Blanks the scanout.
  func blank() {
    supersedeFenced()
    if let tile { tile.presenter.blank(tile) }
  }

  private func removeFenced(at place: Int) -> Presenter.Frame {
    let entry = fenced.remove(at: place)
    loop.remove(entry.source)
    return entry.frame
  }

  /// What an older frame would have changed on screen, the newer one does.
  private func supersede(_ old: Presenter.Frame, by new: inout Presenter.Frame) {
    new.supersede(old)
    frameDone(old.number, .superseded)
    old.buffer.endUse()
  }
}
