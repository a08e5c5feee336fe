import DaemonSettings
import GraphicsMemory
import Outputs
import Scanout

/// Caches how frames of a size and kind reach the output.
struct FitCache {
  private struct Key: Hashable {
    var sourceWidth: Int
    var sourceHeight: Int
    var width: Int
    var height: Int
    var strideBytes: Int
    var offset: Int
    var format: PixelFormat
    var memoryKind: MemoryKind
    var isImported: Bool
    var keeping: DisplayMode?

    init(_ frame: SurfaceFrame, keeping: DisplayMode?) {
      self.keeping = keeping
      let layout = frame.buffer.buffer.layout
      sourceWidth = frame.source.width
      sourceHeight = frame.source.height
      width = layout.width
      height = layout.height
      strideBytes = layout.strideBytes
      offset = layout.offset
      format = layout.format
      memoryKind = frame.buffer.buffer.memoryKind
      isImported = frame.buffer.isImported
    }
  }

  /// Bounds the memory for clients that keep changing their size.
  private static let capacity = 64
  private var methods: [Key: FitMethod] = [:]
  /// The last result, because most frames are like the one before.
  private var last: (key: Key, method: FitMethod)?

  mutating func method(for frame: SurfaceFrame, keeping: DisplayMode?, ask: () -> FitMethod) -> FitMethod {
    let key = Key(frame, keeping: keeping)
    if let last, last.key == key { return last.method }
    let known = methods[key]
    let answer = known ?? ask()
    last = (key, answer)
    if known != nil { return answer }
    if methods.count >= FitCache.capacity { methods.removeAll(keepingCapacity: true) }
    methods[key] = answer
    return answer
  }

  mutating func remember(_ method: FitMethod, for frame: SurfaceFrame, keeping: DisplayMode?) {
    methods[Key(frame, keeping: keeping)] = method
    last = nil
  }

  mutating func removeAll() {
    methods.removeAll(keepingCapacity: true)
    last = nil
  }
}
