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
  private var unanswered: [(frame: UInt64, buffer: PooledBuffer)] = []
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
  /// What the display was last told of the path.
  var reportedReason = ""
  var cursor = CursorState()

  init(index: Int) {
    self.index = index
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
    reportedReason = ""
    cursor = CursorState()
  }

  /// Notes a frame of that buffer as handed over and gives its number.
  func noteFrame(of buffer: PooledBuffer) -> UInt64 {
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
    guard let index = unanswered.firstIndex(where: { $0.frame == frame }) else { return }
    unanswered.remove(at: index).buffer.answered(outcome)
  }

  /// The host buffer of that id, if it is one of this scanout's.
  func buffer(_ id: UInt32) -> PooledBuffer? {
    for pool in pools {
      for buffer in pool.buffers where buffer.host.id == id { return buffer }
    }
    return nil
  }

  /// The resource is gone: its buffers hold nothing of worth.
  func forget(serial: UInt64) {
    for pool in pools {
      for buffer in pool.buffers where buffer.content?.serial == serial {
        buffer.content = nil
        buffer.isFresh = false
      }
    }
  }

  /// Notes that a part of a resource has changed, in every buffer that shows some of it.
  func markStale(_ rect: Rect, serial: UInt64) {
    for pool in pools {
      for buffer in pool.buffers {
        guard let content = buffer.content, content.serial == serial else { continue }
        let moved = Rect(x: rect.x - content.x, y: rect.y - content.y, width: rect.width, height: rect.height)
        buffer.stale.add(moved.intersection(pool.bounds))
      }
    }
  }
}
