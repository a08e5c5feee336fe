public import Scanout

/// A picture on an overlay plane, over the frame's own.
public struct OverlayFrame {
  /// A buffer that `Output.overlayPlanes(for:)` has named planes for.
  public var buffer: any ScanoutBuffer
  /// The part of the buffer that is shown, in the buffer's pixels.
  public var source: Rect
  /// Pixels from the left of the output.
  public var x: Int
  /// Pixels from the top of the output.
  public var y: Int

  /// A picture at a place.
  public init(buffer: any ScanoutBuffer, source: Rect, x: Int, y: Int) {
    self.buffer = buffer
    self.source = source
    self.x = x
    self.y = y
  }
}

/// What overlay planes show, by their numbers; in place, so that a frame with overlays needs no storage of its own.
public struct Overlays {
  /// The most planes that an output can have.
  public static let capacity = 8

  /// nil while there was none yet: most frames have none, and this is copied with each.
  private var places: InlineArray<8, OverlayFrame?>?
  /// How many show something.
  public private(set) var count = 0

  /// None.
  public init() {}

  /// Whether no plane shows anything.
  public var isEmpty: Bool { count == 0 }

  /// What a plane shows; nil for nothing.
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
  /// No planes but its own.
  public var overlayCount: Int { 0 }
  /// None.
  public func overlayPlanes(for buffer: any ScanoutBuffer) -> UInt64 { 0 }
  /// Without planes, nothing that has any.
  public func accepts(_ frame: OutputFrame) -> Bool { frame.overlays.isEmpty }
}
