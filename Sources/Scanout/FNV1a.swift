/// The 64-bit hash FNV-1a. It is the same in every process; it does not resist values that are chosen to collide.
public struct FNV1a: Equatable, Sendable {
  @usableFromInline var state: UInt64 = 0xcbf2_9ce4_8422_2325

  /// The hash of nothing.
  public init() {}

  /// The hash of a text's UTF-8.
  public init(_ text: String) { for byte in text.utf8 { add(UInt64(byte)) } }

  /// The hash of all that was added.
  public var value: UInt64 { state }

  /// Adds a value as one step, where FNV-1a itself adds a byte.
  @inlinable public mutating func add(_ value: UInt64) { state = (state ^ value) &* 0x100_0000_01b3 }

  /// Adds a value's bit pattern as one step.
  @inlinable public mutating func add(_ value: Int) { add(UInt64(bitPattern: Int64(value))) }

  /// Adds the four numbers of a rectangle.
  public mutating func add(_ rect: Rect) {
    add(rect.x)
    add(rect.y)
    add(rect.width)
    add(rect.height)
  }
}
