/// The damage that each buffer of a swap chain lacks.
///
/// A buffer that was last drawn some frames ago lacks the damage of all frames since. Every frame's damage is added for
/// all buffers; drawing a buffer takes its missing damage, and only that must be drawn.
public struct DamageRing: Sendable {
  private var missing: [DamageRegion]

  /// A ring for that many buffers whose content is unknown: each lacks all of `bounds`.
  public init(bufferCount: Int, bounds: Rect) {
    missing = Array(repeating: DamageRegion(bounds), count: bufferCount)
  }

  /// The number of buffers.
  public var bufferCount: Int { missing.count }

  /// Adds one more buffer of unknown content; its index is the former `bufferCount`.
  public mutating func addBuffer(bounds: Rect) { missing.append(DamageRegion(bounds)) }

  /// Removes all buffers.
  public mutating func removeBuffers() { missing.removeAll(keepingCapacity: true) }

  /// Adds a frame's damage: every buffer lacks it until it is drawn.
  public mutating func add(_ damage: DamageRegion) {
    for index in missing.indices { missing[index].add(damage) }
  }

  /// Adds a frame's damage for all buffers but the one that it was drawn into.
  public mutating func add(_ damage: DamageRegion, except drawn: Int) {
    for index in missing.indices where index != drawn { missing[index].add(damage) }
  }

  /// Adds damage to one buffer, for buffers that do not all show the same picture.
  public mutating func add(_ damage: Rect, toBuffer index: Int) { missing[index].add(damage) }

  /// Adds a region to one buffer, as where drawing it was not finished.
  public mutating func add(_ damage: DamageRegion, toBuffer index: Int) { missing[index].add(damage) }

  /// The content of all buffers is unknown: each lacks all of `bounds`.
  public mutating func invalidate(bounds: Rect) {
    for index in missing.indices { missing[index] = DamageRegion(bounds) }
  }

  /// The content of one buffer is unknown: it lacks all of `bounds`.
  public mutating func invalidate(buffer index: Int, bounds: Rect) { missing[index] = DamageRegion(bounds) }

  /// A buffer's missing damage.
  public func damage(ofBuffer index: Int) -> DamageRegion { missing[index] }

  /// Takes a buffer's missing damage, which the caller draws: afterwards the buffer lacks nothing.
  public mutating func takeDamage(ofBuffer index: Int) -> DamageRegion {
    let damage = missing[index]
    missing[index] = DamageRegion()
    return damage
  }
}
