/// The changed part of a picture: up to 16 rectangles, beyond that their union.
///
/// Fixed storage: adding never allocates. The rectangles may overlap. They are stored in half the size of a `Rect`,
/// because every frame carries a region through the daemon by value.
public struct DamageRegion: Sendable {
  /// The most rectangles kept apart.
  public static let capacity = 16

  /// The number of rectangles.
  public private(set) var count = 0
  private var storage = InlineArray<16, PackedRect>(repeating: PackedRect(.empty))

  /// An empty region.
  public init() {}

  /// A region of one rectangle.
  public init(_ rect: Rect) { add(rect) }

  /// Whether the region is empty.
  public var isEmpty: Bool { count == 0 }

  /// The rectangle at `index`, below `count`.
  public subscript(index: Int) -> Rect { storage[index].rect }

  /// Adds a rectangle. One that is covered already adds nothing; a full region becomes its bounds.
  public mutating func add(_ rect: Rect) {
    if rect.isEmpty { return }
    var kept = 0
    for index in 0..<count {
      let other = self[index]
      if other.contains(rect) { return }
      if !rect.contains(other) {
        storage[kept] = storage[index]
        kept += 1
      }
    }
    count = kept
    if count == DamageRegion.capacity {
      storage[0] = PackedRect(bounds.union(rect))
      count = 1
    } else {
      storage[count] = PackedRect(rect)
      count += 1
    }
  }

  /// Adds every rectangle of `other`.
  public mutating func add(_ other: DamageRegion) {
    for index in 0..<other.count { add(other[index]) }
  }

  /// The smallest rectangle that contains the region.
  public var bounds: Rect {
    var result = Rect.empty
    for index in 0..<count { result = result.union(self[index]) }
    return result
  }

  /// The region moved by `x` pixels to the right and `y` pixels down.
  public func moved(x: Int, y: Int) -> DamageRegion {
    var result = self
    for index in 0..<count {
      var rect = self[index]
      rect.x &+= x
      rect.y &+= y
      result.storage[index] = PackedRect(rect)
    }
    return result
  }

  /// The part of the region inside `rect`.
  public func clipped(to rect: Rect) -> DamageRegion {
    var result = DamageRegion()
    for index in 0..<count { result.add(self[index].intersection(rect)) }
    return result
  }
}

/// A rectangle in 16 bytes. Coordinates are cut to 2³¹ pixels, more than any picture has.
private struct PackedRect {
  var x: Int32
  var y: Int32
  var width: Int32
  var height: Int32

  init(_ rect: Rect) {
    x = Int32(clamping: rect.x)
    y = Int32(clamping: rect.y)
    width = Int32(clamping: rect.width)
    height = Int32(clamping: rect.height)
  }

  var rect: Rect { Rect(x: Int(x), y: Int(y), width: Int(width), height: Int(height)) }
}
