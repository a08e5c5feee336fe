import DaemonSettings
import GraphicsMemory
import LinuxIO
import Outputs
import PresentProtocol
import Scanout

extension ClientSession {
  func destroyBuffer(_ id: BufferID) {
    if requests.withdraw(id) { return }
    for surface in surfaces {
      if let buffer = surface.buffers.removeValue(forKey: id) {
        buffer.surface = nil
        return
      }
    }
  }

  func present(_ present: Present, _ fds: inout ReceivedFDs) {
    guard let surface = surface(ScanoutID(wire: present.scanout)), surface.view != nil else { return }
    guard region(of: surface) == nil else {
      return fail(.malformed, "PRESENT on scanout \(present.scanout), whose frames come from a region")
    }
    var sync = FrameSync.none
    swap(&sync, &surface.nextSync)
    surface.counters.presented += 1
    surface.counters.cpuCopies += UInt64(present.copies)
    surface.counters.copiedBytes += present.copiedBytes
    surface.trace.begin(
      FrameTrace.Record(
        frame: present.frame, path: present.path, copies: present.copies, copiedBytes: present.copiedBytes,
        readyNanoseconds: present.readyNanoseconds, presentedNanoseconds: monotonicNanoseconds()))
    guard Generation(wire: present.generation) == surface.generation else {
      return surface.frameDone(present.frame, .superseded)
    }
    guard let buffer = surface.buffers[BufferID(wire: present.bufferID)], buffer.usage == .frame else {
      return fail(.noSuchBuffer, "PRESENT of unknown buffer \(present.bufferID)")
    }
    guard buffer.buffer.layout.bounds.contains(present.source) else {
      let source = present.source
      return fail(
        .malformed, "PRESENT of (\(source.x), \(source.y)) \(source.width)x\(source.height), outside of the buffer")
    }
    let update = SurfaceUpdate(
      frame: SurfaceFrame(buffer: buffer, number: present.frame, source: present.source),
      damage: present.damage.clipped(to: present.source), readyNanoseconds: present.readyNanoseconds)
    var acquirePoint: SharedFD?
    switch sync {
    case .none: break
    case .refused: return surface.frameDone(present.frame, .rejected)
    case .points(let acquire, let release):
      acquirePoint = acquire
      if let release, !buffer.hold(release) {
        return fail(.malformed, "buffer \(present.bufferID) already has 64 release points")
      }
    }
    guard present.hasAcquireFence || acquirePoint != nil else {
      buffer.lastFrame = present.frame
      return surface.show(update)
    }
    if let acquirePoint {
      guard !present.hasAcquireFence else { return fail(.malformed, "PRESENT has both an acquire point and a fence") }
      buffer.lastFrame = present.frame
      return surface.show(update, after: acquirePoint)
    }
    // Polling another kind of file could block on the process that serves it.
    guard var fence = fds.take(0) else { return fail(.malformed, "PRESENT without its acquire fence") }
    switch fence.identify() {
    case .syncFile, .eventFD: break
    case .dmaBuf, .syncObject, nil:
      return fail(.malformed, "PRESENT's acquire fence is neither a sync file nor an eventfd")
    }
    buffer.lastFrame = present.frame
    surface.show(update, after: SharedFD(fence))
  }

  func setCursor(_ cursor: SetCursor) {
    guard let surface = surface(ScanoutID(wire: cursor.scanout)),
      Generation(wire: cursor.generation) == surface.generation
    else { return }
    guard let view = surface.view else { return }
    guard let id = cursor.bufferID else { return view.presenter.setCursor(nil, on: view) }
    guard let buffer = surface.buffers[BufferID(wire: id)], buffer.usage == .cursor else {
      return fail(.noSuchBuffer, "CURSOR of buffer \(id), which is not a cursor buffer")
    }
    view.presenter.setCursor(SurfaceCursor(buffer: buffer, x: Int(cursor.x), y: Int(cursor.y)), on: view)
  }
}
