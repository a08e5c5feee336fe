/// The changed part of a picture: up to 16 rectangles, then their union.
///
/// Fixed storage: adding never allocates. The rectangles may overlap.
public struct DamageRegion: Sendable {
  /// The most rectangles kept apart.
  public static let capacity = 16

  @usableFromInline var storage = InlineArray<16, Rect>(repeating: .empty)
  /// How many rectangles there are.
  public private(set) var count = 0

  /// Nothing changed.
  public init() {}

  /// One changed rectangle.
  public init(_ rect: Rect) { add(rect) }

  /// Nothing changed.
  public var isEmpty: Bool { count == 0 }

  /// The rectangle at `index`, below `count`.
  public subscript(index: Int) -> Rect { storage[index] }

  /// Adds a rectangle; one that is covered already adds nothing, and a full region becomes its bounds.
  public mutating func add(_ rect: Rect) {
    if rect.isEmpty { return }
    var kept = 0
    for index in 0..<count {
      if storage[index].contains(rect) { return }
      if !rect.contains(storage[index]) {
        storage[kept] = storage[index]
        kept += 1
      }
    }
    count = kept
    if count == DamageRegion.capacity {
      storage[0] = bounds.union(rect)
      count = 1
    } else {
      storage[count] = rect
      count += 1
    }
  }

  /// Adds every rectangle of `other`.
  public mutating func add(_ other: DamageRegion) {
    for index in 0..<other.count { add(other[index]) }
  }

  /// The smallest rectangle around all of it.
  public var bounds: Rect {
    var result = Rect.empty
    for index in 0..<count { result = result.union(storage[index]) }
    return result
  }

  /// The same changes `x` pixels further right and `y` further down.
  public func moved(x: Int, y: Int) -> DamageRegion {
    var result = self
    for index in 0..<count {
      result.storage[index].x &+= x
      result.storage[index].y &+= y
    }
    return result
  }

  /// The part of it inside `rect`.
  public func clipped(to rect: Rect) -> DamageRegion {
    var result = DamageRegion()
    for index in 0..<count { result.add(storage[index].intersection(rect)) }
    return result
  }
}
