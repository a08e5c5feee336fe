import GraphicsMemory
import Outputs
import Scanout

/// A client's picture: a buffer, and the part of it that is shown.
struct SurfaceFrame {
  var buffer: ClientBuffer
  var number: UInt64
  var source: Rect
}

/// A frame that is not committed yet, with its changes. Only updates carry damage, because it takes a quarter of a
/// kilobyte and pictures are copied often.
struct SurfaceUpdate {
  var frame: SurfaceFrame
  /// The changes since the scanout's previous frame, in the buffer's pixels; full damage is the source rectangle.
  var damage: DamageRegion
  /// CLOCK_MONOTONIC time when the guest presented it; nil if the client did not report it.
  var readyNanoseconds: UInt64?

  /// Adds the damage of an older frame that this one supersedes.
  mutating func supersede(_ older: SurfaceUpdate) {
    if older.frame.source == frame.source && older.frame.buffer.buffer.layout == frame.buffer.buffer.layout {
      damage.add(older.damage)
    } else {
      damage = DamageRegion(frame.source)
    }
  }
}

/// A client's cursor, in the frame's pixels.
struct SurfaceCursor {
  var buffer: ClientBuffer
  var x: Int
  var y: Int
}
