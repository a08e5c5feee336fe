/// The damage that each buffer of a swap chain has missed.
///
/// A buffer last drawn some frames ago has missed the damage of all frames since. Every frame's damage is added to all
/// buffers. To bring a buffer up to date, take its missed damage and draw only that.
public struct DamageRing: Sendable {
  private var missing: [DamageRegion]

  /// Creates a ring for buffers of unknown content: each has missed all of `bounds`.
  public init(bufferCount: Int, bounds: Rect) {
    missing = Array(repeating: DamageRegion(bounds), count: bufferCount)
  }

  /// The number of buffers.
  public var bufferCount: Int { missing.count }

  /// Adds a buffer of unknown content; its index is the former `bufferCount`.
  public mutating func addBuffer(bounds: Rect) { missing.append(DamageRegion(bounds)) }

  /// Removes all buffers.
  public mutating func removeBuffers() { missing.removeAll(keepingCapacity: true) }

  /// Adds a frame's damage to all buffers.
  public mutating func add(_ damage: DamageRegion) {
    for index in missing.indices { missing[index].add(damage) }
  }

  /// Adds a frame's damage to all buffers except the one that it was drawn into.
  public mutating func add(_ damage: DamageRegion, except drawn: Int) {
    for index in missing.indices where index != drawn { missing[index].add(damage) }
  }

  /// Adds damage to one buffer, for buffers with different pictures.
  public mutating func add(_ damage: Rect, toBuffer index: Int) { missing[index].add(damage) }

  /// Adds a region to one buffer, for example if drawing it was not finished.
  public mutating func add(_ damage: DamageRegion, toBuffer index: Int) { missing[index].add(damage) }

  /// Marks the content of all buffers as unknown: each has missed all of `bounds`.
  public mutating func invalidate(bounds: Rect) {
    for index in missing.indices { missing[index] = DamageRegion(bounds) }
  }

  /// Marks the content of one buffer as unknown: it has missed all of `bounds`.
  public mutating func invalidate(buffer index: Int, bounds: Rect) { missing[index] = DamageRegion(bounds) }

  /// A buffer's missed damage.
  public func damage(ofBuffer index: Int) -> DamageRegion { missing[index] }

  /// Returns and clears a buffer's missed damage, which the caller must draw.
  public mutating func takeDamage(ofBuffer index: Int) -> DamageRegion {
    let damage = missing[index]
    missing[index] = DamageRegion()
    return damage
  }
}
