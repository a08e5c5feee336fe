/// A rectangle in whole pixels. `x` and `y` are the upper left corner; here they are never negative.
///
/// Sizes may come from a guest: arithmetic is 64-bit, and clamps or fails but never traps.
public struct Rect: Equatable, Hashable, Sendable {
  /// Pixels from the left.
  public var x: Int
  /// Pixels from the top.
  public var y: Int
  /// Pixels across.
  public var width: Int
  /// Pixels down.
  public var height: Int

  /// A rectangle at (x, y) of a size in pixels.
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
  /// Whether the rectangle has no pixels.
  @inlinable public var isEmpty: Bool { width <= 0 || height <= 0 }

  /// Whether `other` lies inside this rectangle.
  @inlinable public func contains(_ other: Rect) -> Bool {
    other.x >= x && other.y >= y && other.maxX <= maxX && other.maxY <= maxY
  }

  /// The pixels common to both.
  @inlinable public func intersection(_ other: Rect) -> Rect {
    let left = max(x, other.x)
    let top = max(y, other.y)
    let right = min(maxX, other.maxX)
    let bottom = min(maxY, other.maxY)
    return right > left && bottom > top ? Rect(x: left, y: top, width: right - left, height: bottom - top) : .empty
  }

  /// The smallest rectangle that contains both; an empty one is ignored.
  @inlinable public func union(_ other: Rect) -> Rect {
    if isEmpty { return other }
    if other.isEmpty { return self }
    let left = min(x, other.x)
    let top = min(y, other.y)
    return Rect(x: left, y: top, width: max(maxX, other.maxX) - left, height: max(maxY, other.maxY) - top)
  }
}
