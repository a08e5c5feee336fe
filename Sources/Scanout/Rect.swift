/// A rectangle of whole pixels; `x` and `y` of its upper left corner, never negative here.
///
/// Sizes may come from a guest: all arithmetic is 64-bit and clamps or fails, it never traps.
public struct Rect: Equatable, Hashable, Sendable {
  /// Pixels from the left.
  public var x: Int
  /// Pixels from the top.
  public var y: Int
  /// Pixels across.
  public var width: Int
  /// Pixels down.
  public var height: Int

  /// A rectangle of the given place and size in pixels.
  public init(x: Int, y: Int, width: Int, height: Int) {
    self.x = x
    self.y = y
    self.width = width
    self.height = height
  }

  /// A rectangle at the origin.
  public init(width: Int, height: Int) { self.init(x: 0, y: 0, width: width, height: height) }

  /// The empty rectangle.
  public static let empty = Rect(width: 0, height: 0)

  /// One past the last column.
  @inlinable public var maxX: Int { x &+ width }
  /// One past the last row.
  @inlinable public var maxY: Int { y &+ height }
  /// No pixel at all.
  @inlinable public var isEmpty: Bool { width <= 0 || height <= 0 }

  /// Whether all of `other` lies in this rectangle.
  @inlinable public func contains(_ other: Rect) -> Bool {
    other.x >= x && other.y >= y && other.maxX <= maxX && other.maxY <= maxY
  }

  /// The pixels in both.
  @inlinable public func intersection(_ other: Rect) -> Rect {
    let left = max(x, other.x)
    let top = max(y, other.y)
    let right = min(maxX, other.maxX)
    let bottom = min(maxY, other.maxY)
    return right > left && bottom > top ? Rect(x: left, y: top, width: right - left, height: bottom - top) : .empty
  }

  /// The smallest rectangle around both; an empty one adds nothing.
  @inlinable public func union(_ other: Rect) -> Rect {
    if isEmpty { return other }
    if other.isEmpty { return self }
    let left = min(x, other.x)
    let top = min(y, other.y)
    return Rect(x: left, y: top, width: max(maxX, other.maxX) - left, height: max(maxY, other.maxY) - top)
  }
}
