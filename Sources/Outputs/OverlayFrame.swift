public import Scanout

/// A buffer on an overlay plane.
public struct OverlayFrame {
  /// A buffer that `Output.overlayPlanes(for:)` has named planes for.
  public var buffer: any ScanoutBuffer
  /// The part of the buffer that is shown, in the buffer's pixels.
  public var source: Rect
  /// Pixels from the left of the output.
  public var x: Int
  /// Pixels from the top of the output.
  public var y: Int

  /// A buffer at (x, y) of the output.
  public init(buffer: any ScanoutBuffer, source: Rect, x: Int, y: Int) {
    self.buffer = buffer
    self.source = source
    self.x = x
    self.y = y
  }
}

/// The contents of the overlay planes by plane number. Stored in place, so that a frame with overlays needs no
/// allocation.
public struct Overlays {
  /// The most planes that an output can have.
  public static let capacity = 8

  /// Nil until the first overlay is set: most frames have none, and this is copied with each frame.
  private var places: InlineArray<8, OverlayFrame?>?
  /// The number of planes in use.
  public private(set) var count = 0

  /// No overlays.
  public init() {}

  /// Whether no plane is in use.
  public var isEmpty: Bool { count == 0 }

  /// The content of a plane; nil if it shows nothing.
  public subscript(plane: Int) -> OverlayFrame? {
    get { (0..<Overlays.capacity).contains(plane) ? places?[plane] : nil }
    set {
      guard (0..<Overlays.capacity).contains(plane) else { return }
      count += (newValue == nil ? 0 : 1) - (self[plane] == nil ? 0 : 1)
      if places == nil { places = InlineArray(repeating: nil) }
      places?[plane] = newValue
    }
  }
}

extension Output {
  /// No overlay planes.
  public var overlayCount: Int { 0 }
  /// No overlay planes.
  public func overlayPlanes(for buffer: any ScanoutBuffer) -> UInt64 { 0 }
  /// Accepts frames without overlays only.
  public func accepts(_ frame: OutputFrame) -> Bool { frame.overlays.isEmpty }
}
