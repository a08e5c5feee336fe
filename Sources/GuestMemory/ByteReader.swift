/// Reads little-endian fields from a private copy of a message; nil at the end of the bytes.
///
/// Do not use it on memory that a guest can write: the bytes may change between two reads.
public struct ByteReader: ~Escapable {
  @usableFromInline let bytes: RawSpan
  /// The number of bytes read.
  public private(set) var offset = 0

  /// Starts at the first byte.
  @_lifetime(copy bytes)
  public init(_ bytes: RawSpan) { self.bytes = bytes }

  /// The number of bytes left.
  public var remaining: Int { bytes.byteCount - offset }

  /// The next integer; nil, with nothing consumed, if fewer bytes are left.
  @_lifetime(self: copy self)
  @inlinable
  public mutating func read<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type = T.self) -> T? {
    let size = MemoryLayout<T>.size
    let start = offset
    guard advance(size) else { return nil }
    // SAFETY: `advance` found `size` bytes after `start`; any bit pattern is a valid integer.
    return T(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: start, as: T.self))
  }

  /// Skips bytes; false, with nothing skipped, if fewer are left.
  @_lifetime(self: copy self)
  public mutating func advance(_ byteCount: Int) -> Bool {
    guard byteCount >= 0, byteCount <= remaining else { return false }
    offset += byteCount
    return true
  }
}

/// Writes little-endian fields into a private buffer; false when it is full.
public struct ByteWriter: ~Copyable, ~Escapable {
  @usableFromInline var bytes: MutableRawSpan
  /// The number of bytes written.
  public private(set) var offset = 0

  /// Starts at the first byte.
  @_lifetime(copy bytes)
  public init(_ bytes: consuming MutableRawSpan) { self.bytes = bytes }

  /// The number of bytes that still fit.
  public var remaining: Int { bytes.byteCount - offset }

  /// Appends an integer; false, with nothing written, if it does not fit.
  @_lifetime(self: copy self)
  @discardableResult
  @inlinable
  public mutating func write<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) -> Bool {
    let start = offset
    guard reserve(MemoryLayout<T>.size) else { return false }
    bytes.storeBytes(of: value.littleEndian, toByteOffset: start, as: T.self)
    return true
  }

  /// Appends zeros; false, with nothing written, if they do not fit.
  @_lifetime(self: copy self)
  @discardableResult
  public mutating func writeZeros(_ byteCount: Int) -> Bool {
    let start = offset
    guard reserve(byteCount) else { return false }
    for index in start..<start + byteCount { bytes.storeBytes(of: 0, toByteOffset: index, as: UInt8.self) }
    return true
  }

  @_lifetime(self: copy self)
  @usableFromInline mutating func reserve(_ byteCount: Int) -> Bool {
    guard byteCount >= 0, byteCount <= remaining else { return false }
    offset += byteCount
    return true
  }
}
