import GraphicsMemory
import Scanout

/// What a scanout shows.
struct Binding {
  let resource: Resource
  /// In the picture's pixels.
  let source: Rect
  let picture: Picture

  /// What a host buffer must hold.
  var content: FrameContent {
    FrameContent(
      serial: resource.serial, offset: picture.offset, strideBytes: picture.strideBytes, x: source.x, y: source.y)
  }
}

/// A head of the device: what it shows, its host buffers, and the frames under way.
final class ScanoutState {
  /// Pools kept: the current size's, and the one before for a guest that goes back to it.
  static let maxPoolCount = 2
  /// More frames without an answer than any display leaves.
  static let maxUnansweredCount = 64

  let index: Int
  var binding: Binding?
  /// Most recently used first.
  private(set) var pools: [FramePool] = []
  /// Rises with every frame.
  private(set) var lastFrame: UInt64 = 0
  /// Presents without an answer, oldest first.
  private var unanswered: [(frame: UInt64, buffer: ShownBuffer)] = []
  /// The newest frame that was answered, and the newest one that was on screen.
  private var lastAnswered: UInt64 = 0
  private var lastFlipped: UInt64 = 0
  /// The buffer of `lastFlipped`.
  private var shown: ShownBuffer?
  /// The guest's pages that the display shows itself.
  var imports: DirectImports
  /// Why the display last had no answer to an import.
  var unavailableReason = ""
  /// What has changed since the last frame, in the source's pixels.
  var damage = DamageRegion()
  /// Bytes copied for this scanout since its last frame.
  var copiedBytes: UInt64 = 0
  /// A frame is due that had no buffer.
  var wantsPresent = false
  /// Whether the guest has asked to see what is bound.
  var wasFlushed = false
  /// When the guest's command for the next frame came.
  var readyNanoseconds: UInt64 = 0
  /// What the display was last told of the path; nil: nothing.
  var reportedPath: (path: FramePath, reason: String)?
  var cursor = CursorState()

  init(index: Int, scanoutCount: Int) {
    self.index = index
    imports = DirectImports(scanoutCount: scanoutCount)
    unanswered.reserveCapacity(ScanoutState.maxUnansweredCount)
  }

  /// This scanout's bit in a set of scanouts.
  var bit: UInt16 { 1 << UInt16(index) }

  /// The number of the next frame.
  var nextFrame: UInt64 { lastFrame + 1 }

  /// The pool for pictures of that size, made where there is none.
  ///
  /// - Parameter dropped: gets each buffer of a pool that had to go.
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

  /// All host buffers go: the display has lost them, or the device is reset.
  func removeBuffers() {
    for pool in pools { pool.removeAll() }
    for pool in pools { pool.refusedUntilNanoseconds = 0 }
    unanswered.removeAll(keepingCapacity: true)
    lastAnswered = lastFrame
    lastFlipped = lastFrame
    shown = nil
  }

  /// Everything but the frame numbers, which rise for ever.
  func reset() {
    removeBuffers()
    pools.removeAll()
    binding = nil
    damage = DamageRegion()
    copiedBytes = 0
    wantsPresent = false
    wasFlushed = false
    reportedPath = nil
    cursor = CursorState()
  }

  /// Notes a frame of that buffer as handed over and gives its number.
  func noteFrame(of buffer: ShownBuffer) -> UInt64 {
    lastFrame += 1
    if unanswered.count == ScanoutState.maxUnansweredCount { unanswered.removeFirst() }
    unanswered.append((lastFrame, buffer))
    buffer.presented()
    damage = DamageRegion()
    copiedBytes = 0
    wantsPresent = false
    return lastFrame
  }

  /// A frame was answered.
  func noteAnswer(frame: UInt64, outcome: FrameOutcome) {
    // Frames are answered in their order; an answer to none of ours says nothing.
    if frame <= lastFrame { lastAnswered = max(lastAnswered, frame) }
    guard let index = unanswered.firstIndex(where: { $0.frame == frame }) else { return }
    let buffer = unanswered.remove(at: index).buffer
    buffer.answered(outcome)
    if outcome == .flipped && frame > lastFlipped {
      lastFlipped = frame
      shown = buffer
    }
  }

  /// Whether the guest may go on after that frame: it, or a newer one, is on screen or nothing is on its way there, and
  /// no page of the guest is read any more that it replaced.
  func isSettled(frame: UInt64) -> Bool {
    guard frame <= lastAnswered, frame <= lastFlipped || lastAnswered == lastFrame else { return false }
    return !imports.isReadingOther(than: shown)
  }

  /// The buffer of that id, if it is one of this scanout's.
  func buffer(_ id: UInt32) -> ShownBuffer? {
    if let imported = imports.buffer(id) { return imported }
    for pool in pools {
      for buffer in pool.buffers where buffer.host.id == id { return buffer }
    }
    return nil
  }

  /// The resource is gone: its buffers hold nothing of worth.
  func forget(serial: UInt64) {
    for pool in pools { pool.forget(resource: serial) }
  }

  /// Notes that a part of a resource has changed, in every buffer that shows some of it.
  func markStale(_ rect: Rect, serial: UInt64) {
    for pool in pools { pool.add(rect, ofResource: serial) }
  }
}
