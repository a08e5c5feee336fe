import GraphicsMemory
import Scanout

/// The resource on a scanout.
struct Binding {
  let resource: Resource
  /// In the picture's pixels.
  let source: Rect
  let picture: Picture

  /// The content that a host buffer must have.
  var content: FrameContent {
    FrameContent(
      serial: resource.serial, offset: picture.offset, strideBytes: picture.strideBytes, x: source.x, y: source.y)
  }
}

/// A scanout of the device: its resource, its host buffers, and its pending frames.
final class ScanoutState {
  /// The number of pools kept: for the current size, and for the one before.
  static let maxPoolCount = 2
  /// More unanswered frames than any display leaves.
  static let maxUnansweredCount = 64

  let index: Int
  var binding: Binding?
  /// Most recently used first.
  private(set) var pools: [FramePool] = []
  /// The number of the last frame.
  private(set) var lastFrame: UInt64 = 0
  /// Presents without an answer, oldest first.
  private var unanswered: [(frame: UInt64, buffer: ShownBuffer)] = []
  /// The newest frame that was answered, and the newest one that was flipped.
  private var lastAnswered: UInt64 = 0
  private var lastFlipped: UInt64 = 0
  /// The buffer of `lastFlipped`.
  private var shown: ShownBuffer?
  /// The imports of the guest's pages.
  var imports: DirectImports
  /// Why the last import was not answered.
  var unavailableReason = ""
  /// The damage since the last frame, in the source's pixels.
  var damage = Damage.nothing
  /// Bytes copied for this scanout since its last frame.
  var copiedBytes: UInt64 = 0
  /// Whether a frame is due for which there was no buffer.
  var wantsPresent = false
  /// Whether the guest has flushed the bound resource.
  var wasFlushed = false
  /// The time of the guest's command for the next frame.
  var readyNanoseconds: UInt64 = 0
  /// The last path reported to the display; nil if none.
  var reportedPath: (path: FramePath, reason: String)?
  var cursor = CursorState()
  /// The content of the last frame.
  var presented: Binding?
  /// Whether the last frame is the guest's own pages.
  var isShowingGuestPages = false
  /// A private copy of what was on screen when the device stopped.
  var still: Binding?
  /// Black until the display has let go of the guest's pages.
  var isHidden = false

  init(index: Int, scanoutCount: Int) {
    self.index = index
    imports = DirectImports(scanoutCount: scanoutCount)
    unanswered.reserveCapacity(ScanoutState.maxUnansweredCount)
  }

  /// This scanout's bit in a set of scanouts.
  var bit: UInt16 { 1 << UInt16(index) }

  /// The number of the next frame.
  var nextFrame: UInt64 { lastFrame + 1 }

  /// The pool for pictures of this size; created if there is none.
  ///
  /// - Parameter dropped: called with each buffer of an evicted pool.
  func pool(width: Int, height: Int, format: PixelFormat, dropped: (PooledBuffer) -> Void) -> FramePool {
    if let first = pools.first, first.fits(width: width, height: height, format: format) { return first }
    if let index = pools.firstIndex(where: { $0.fits(width: width, height: height, format: format) }) {
      let pool = pools.remove(at: index)
      pools.insert(pool, at: 0)
      return pool
    }
    if pools.count == ScanoutState.maxPoolCount { pools.removeLast().buffers.forEach(dropped) }
    let pool = FramePool(width: width, height: height, format: format)
    pools.insert(pool, at: 0)
    return pool
  }

  /// Removes all host buffers: the display has lost them, or the device is reset.
  func removeBuffers() {
    for pool in pools { pool.removeAll() }
    for pool in pools { pool.refusedUntilNanoseconds = nil }
    unanswered.removeAll(keepingCapacity: true)
    lastAnswered = lastFrame
    lastFlipped = lastFrame
    shown = nil
    isShowingGuestPages = false
  }

  /// Resets everything except the frame numbers, which always rise.
  func reset() {
    removeBuffers()
    pools.removeAll()
    binding = nil
    damage = .nothing
    copiedBytes = 0
    wantsPresent = false
    wasFlushed = false
    reportedPath = nil
    cursor = CursorState()
    presented = nil
    isShowingGuestPages = false
    still = nil
    isHidden = false
  }

  /// Records a present of that buffer and returns the frame's number.
  func noteFrame(of buffer: ShownBuffer, _ binding: Binding) -> UInt64 {
    lastFrame += 1
    presented = binding
    isShowingGuestPages = buffer is ImportedBuffer
    if unanswered.count == ScanoutState.maxUnansweredCount { unanswered.removeFirst() }
    unanswered.append((lastFrame, buffer))
    buffer.presented()
    damage = .nothing
    copiedBytes = 0
    wantsPresent = false
    return lastFrame
  }

  /// A frame was answered.
  func noteAnswer(frame: UInt64, outcome: FrameOutcome) {
    // Frames are answered in order; an answer to an unknown frame is ignored.
    if frame <= lastFrame { lastAnswered = max(lastAnswered, frame) }
    guard let index = unanswered.firstIndex(where: { $0.frame == frame }) else { return }
    let buffer = unanswered.remove(at: index).buffer
    buffer.answered(outcome)
    if outcome == .flipped && frame > lastFlipped {
      lastFlipped = frame
      shown = buffer
    }
  }

  /// Whether the flush of that frame is complete: it, or a newer one, is on screen or no frame is pending, and the
  /// replaced pages of the guest are no longer read.
  func isSettled(frame: UInt64) -> Bool {
    guard frame <= lastAnswered, frame <= lastFlipped || lastAnswered == lastFrame else { return false }
    return !imports.isReadingOther(than: shown)
  }

  /// The buffer with that id, if it belongs to this scanout.
  func buffer(_ id: UInt32) -> ShownBuffer? {
    if let imported = imports.buffer(id) { return imported }
    for pool in pools {
      for buffer in pool.buffers where buffer.host.id == id { return buffer }
    }
    return nil
  }

  /// The resource is gone, and the content of its buffers is unknown.
  func forget(serial: UInt64) {
    for pool in pools { pool.forget(resource: serial) }
  }

  /// Adds damage of the bound resource, in its pixels.
  ///
  /// - Returns: false if no pixel of it is shown.
  func addDamage(_ rect: Rect, to binding: Binding) -> Bool {
    let visible = rect.intersection(binding.source)
    if visible.isEmpty { return false }
    damage.add(
      Rect(
        x: visible.x - binding.source.x, y: visible.y - binding.source.y, width: visible.width,
        height: visible.height))
    return true
  }

  /// Adds damage of a resource to every buffer that shows a part of it.
  func markStale(_ rect: Rect, serial: UInt64) {
    for pool in pools { pool.add(rect, ofResource: serial) }
  }
}
