import GraphicsMemory
import Scanout

/// The content of a host buffer: a resource, and the part of it.
struct FrameContent: Equatable {
  var serial: UInt64
  var offset: Int
  var strideBytes: Int
  var x: Int
  var y: Int
}

/// A host buffer of a pool, with its content.
final class PooledBuffer: ShownBuffer {
  let host: HostBuffer
  /// Its index in its pool.
  let index: Int
  /// Nil if the content is unknown.
  fileprivate(set) var content: FrameContent?
  /// Drawn into since its last present.
  var isFresh = false

  init(_ host: HostBuffer, index: Int) {
    self.host = host
    self.index = index
    super.init(id: host.id)
  }

  override func presented() {
    super.presented()
    isFresh = false
  }
}

/// The host buffers of one scanout for pictures of one size and format.
///
/// An unpaced guest may draw faster than the screen: one buffer is on screen, one waits, one is replaced but not yet
/// released, and one is drawn into. More would not help: then the copy waits for a release.
final class FramePool {
  static let maxBufferCount = 4

  let width: Int
  let height: Int
  let format: PixelFormat
  private(set) var buffers: [PooledBuffer] = []
  /// The damage that each buffer lacks of its resource, in the buffer's pixels.
  private var ring = DamageRing(bufferCount: 0, bounds: .empty)
  /// The display had no buffer; the next request is not sent before this time.
  var refusedUntilNanoseconds: UInt64?

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

  /// Adds a buffer of the pool's size.
  func add(_ host: HostBuffer) -> PooledBuffer {
    let buffer = PooledBuffer(host, index: buffers.count)
    buffers.append(buffer)
    ring.addBuffer(bounds: bounds)
    return buffer
  }

  func removeAll() {
    buffers.removeAll(keepingCapacity: true)
    ring.removeBuffers()
  }

  // MARK: - Damage

  /// The damage that a buffer lacks.
  func damage(of buffer: PooledBuffer) -> DamageRegion { ring.damage(ofBuffer: buffer.index) }

  /// A buffer has been drawn and lacks nothing.
  func drawn(_ buffer: PooledBuffer) {
    _ = ring.takeDamage(ofBuffer: buffer.index)
    buffer.isFresh = true
  }

  /// Assigns content to a buffer; it lacks everything if its content was another.
  func assign(_ content: FrameContent, to buffer: PooledBuffer) {
    if buffer.content == content { return }
    buffer.content = content
    ring.invalidate(buffer: buffer.index, bounds: bounds)
  }

  /// Adds damage of a resource, in the resource's pixels, to all buffers that show a part of it.
  func add(_ damage: Rect, ofResource serial: UInt64) {
    for buffer in buffers {
      guard let content = buffer.content, content.serial == serial else { continue }
      let moved = Rect(x: damage.x - content.x, y: damage.y - content.y, width: damage.width, height: damage.height)
      ring.add(moved.intersection(bounds), toBuffer: buffer.index)
    }
  }

  /// A resource was destroyed: the content of its buffers becomes unknown.
  func forget(resource serial: UInt64) {
    for buffer in buffers where buffer.content?.serial == serial {
      buffer.content = nil
      buffer.isFresh = false
    }
  }

  // MARK: - Choosing a buffer

  /// A buffer that has exactly that content already, preferably one that was not presented yet.
  func ready(_ content: FrameContent) -> PooledBuffer? {
    var found: PooledBuffer?
    for buffer in buffers where buffer.content == content && damage(of: buffer).isEmpty {
      if buffer.isFresh { return buffer }
      found = buffer
    }
    return found
  }

  /// The free buffer that needs the fewest pixels for that content, without overwriting another resource's new drawing.
  func free(for content: FrameContent) -> PooledBuffer? {
    var best: PooledBuffer?
    var bestCost = Int.max
    for buffer in buffers where buffer.isFree {
      let same = buffer.content == content
      if buffer.isFresh && !same { continue }
      let bounds = damage(of: buffer).bounds
      let cost = same ? bounds.width * bounds.height : width * height + 1
      if cost < bestCost {
        best = buffer
        bestCost = cost
      }
    }
    return best
  }

  /// Any free buffer: a resource that has drawn into it without a present must draw again.
  func anyFree() -> PooledBuffer? { buffers.first { $0.isFree } }
}
