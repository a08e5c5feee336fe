/// A client's number for one of its scanouts.
struct ScanoutID: Hashable, CustomStringConvertible {
  let index: Int

  init(_ index: Int) { self.index = index }

  /// The number in messages.
  init(wire: UInt32) { index = Int(wire) }

  var wire: UInt32 { UInt32(clamping: index) }
  var description: String { "\(index)" }
}

/// A client's number for one of its buffers; not 0.
struct BufferID: Hashable, CustomStringConvertible {
  /// The number in messages.
  let wire: UInt32

  init(wire: UInt32) { self.wire = wire }

  var description: String { "\(wire)" }
}

/// Counts the outputs of a surface. Buffers and frames of an earlier generation are stale.
struct Generation: Hashable {
  /// The number in messages.
  private(set) var wire: UInt32

  init(wire: UInt32) { self.wire = wire }

  /// Before the first output.
  static let none = Generation(wire: 0)

  mutating func advance() { wire &+= 1 }
}

/// A client's number for a request, repeated by the answer.
struct RequestID: Hashable {
  /// The number in messages.
  let wire: UInt64

  init(wire: UInt64) { self.wire = wire }

  /// For an error that does not answer a request.
  static let none = RequestID(wire: 0)
}
