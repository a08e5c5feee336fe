/// The damage of a frame: the part of its picture that differs from the scanout's frame before it.
///
/// An empty region means that nothing has changed; only `full` means everything. Never allocates.
public enum Damage: Sendable {
  /// The whole picture, whatever its size.
  case full
  /// These rectangles. They may exceed the picture.
  case region(DamageRegion)

  /// No damage: the picture is the same.
  public static var nothing: Damage { .region(DamageRegion()) }

  /// The damage of one rectangle.
  public init(_ rect: Rect) { self = .region(DamageRegion(rect)) }

  /// Whether nothing has changed.
  public var isNothing: Bool {
    switch self {
    case .full: false
    case .region(let region): region.isEmpty
    }
  }

  /// Adds a rectangle.
  public mutating func add(_ rect: Rect) {
    guard case .region(var region) = self else { return }
    region.add(rect)
    self = .region(region)
  }

  /// Adds the damage of another frame of the same picture.
  public mutating func add(_ other: Damage) {
    guard case .region(var region) = self else { return }
    guard case .region(let added) = other else {
      self = .full
      return
    }
    region.add(added)
    self = .region(region)
  }

  /// The damage moved by `x` pixels to the right and `y` pixels down, for a picture that is moved with it.
  public func moved(x: Int, y: Int) -> Damage {
    switch self {
    case .full: .full
    case .region(let region): .region(region.moved(x: x, y: y))
    }
  }

  /// The rectangles inside `bounds`, the whole of a picture.
  public func clipped(to bounds: Rect) -> DamageRegion {
    switch self {
    case .full: DamageRegion(bounds)
    case .region(let region): region.clipped(to: bounds)
    }
  }
}
