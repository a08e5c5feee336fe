/// Bytes that are consumed as numbers and lists; beyond their end everything is 0.
struct FuzzInput {
  private let bytes: [UInt8]
  private var next = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var isEmpty: Bool { next >= bytes.count }

  mutating func byte() -> UInt8 {
    if isEmpty { return 0 }
    defer { next += 1 }
    return bytes[next]
  }

  mutating func number<Number: FixedWidthInteger>(_: Number.Type = Number.self) -> Number {
    var value: Number = 0
    for index in 0..<Number.bitWidth / 8 { value |= Number(truncatingIfNeeded: byte()) << Number(index * 8) }
    return value
  }

  /// A number below `limit`, which is at most 2^16.
  mutating func number(below limit: Int) -> Int {
    limit <= 256 ? Int(byte()) % limit : Int(number(UInt16.self)) % limit
  }

  /// As many bytes; fewer at the end.
  mutating func list(_ count: Int) -> [UInt8] {
    let end = min(bytes.count, next + count)
    defer { next = end }
    return Array(bytes[next..<end])
  }

  mutating func rest() -> [UInt8] { list(bytes.count) }
}

extension FixedWidthInteger {
  /// Its bytes, the least significant one first.
  var littleEndianBytes: [UInt8] { (0..<Self.bitWidth / 8).map { UInt8(truncatingIfNeeded: self >> Self($0 * 8)) } }
}
