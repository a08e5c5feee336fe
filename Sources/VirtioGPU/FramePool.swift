import GraphicsMemory
import Scanout

/// What a host buffer shows: which resource, and which part of it.
struct FrameContent: Equatable {
  var serial: UInt64
  var offset: Int
  var strideBytes: Int
  var x: Int
  var y: Int
}

/// A host buffer of a pool, with what is known of its content.
final class PooledBuffer: ShownBuffer {
  let host: HostBuffer
  /// Nil: anything.
  var content: FrameContent?
  /// What the content's resource has changed since, in the buffer's pixels.
  var stale = DamageRegion()
  /// Drawn into and not presented since.
  var isFresh = false

  init(_ host: HostBuffer) {
    self.host = host
    super.init(id: host.id)
  }

  override func presented() {
    super.presented()
    isFresh = false
  }
}

/// The host buffers of one scanout for pictures of one size and format.
///
/// A guest that nobody paces may draw faster than the screen: one buffer is on screen, one waits, one has been replaced
/// but its release is still on the way, one is drawn into. More are of no use: then the copy waits for a release.
final class FramePool {
  static let maxBufferCount = 4

  let width: Int
  let height: Int
  let format: PixelFormat
  private(set) var buffers: [PooledBuffer] = []
  /// The display had no buffer for us; not asked again before this time.
  var refusedUntilNanoseconds: UInt64 = 0

  init(width: Int, height: Int, format: PixelFormat) {
    self.width = width
    self.height = height
    self.format = format
    buffers.reserveCapacity(FramePool.maxBufferCount)
  }

  var bounds: Rect { Rect(width: width, height: height) }
  var canGrow: Bool { buffers.count < FramePool.maxBufferCount }

  func fits(width: Int, height: Int, format: PixelFormat) -> Bool {
    self.width == width && self.height == height && self.format == format
  }

  func add(_ buffer: PooledBuffer) { buffers.append(buffer) }
  func removeAll() { buffers.removeAll(keepingCapacity: true) }

  /// A buffer that shows exactly that already; one that is not handed over yet if there is one.
  func ready(_ content: FrameContent) -> PooledBuffer? {
    var found: PooledBuffer?
    for buffer in buffers where buffer.content == content && buffer.stale.isEmpty {
      if buffer.isFresh { return buffer }
      found = buffer
    }
    return found
  }

  /// The free buffer that needs the fewest pixels to show that, without taking what another resource has drawn.
  func free(for content: FrameContent) -> PooledBuffer? {
    var best: PooledBuffer?
    var bestCost = Int.max
    for buffer in buffers where buffer.isFree {
      let same = buffer.content == content
      if buffer.isFresh && !same { continue }
      let bounds = buffer.stale.bounds
      let cost = same ? bounds.width * bounds.height : width * height + 1
      if cost < bestCost {
        best = buffer
        bestCost = cost
      }
    }
    return best
  }

  /// Any free buffer: the resource that has drawn into it and not shown it yet will have to draw again.
  func anyFree() -> PooledBuffer? { buffers.first { $0.isFree } }
}
