import LinuxIO

/// The events that the loop reports of a client's connection.
struct ConnectionWatch {
  private let loop: EventLoop
  private var source: EventLoop.Source?
  private var watched: Readiness = .readable
  /// Whether something waits until the socket has room.
  var wantsWritable = false

  /// Of a connection that is not watched yet.
  init(_ loop: EventLoop) { self.loop = loop }

  /// Watches for messages.
  mutating func begin(_ fd: Int32, handler: @escaping (Readiness) -> Void) throws(SystemError) {
    source = try loop.add(fd, handler: handler)
  }

  /// - Parameters:
  ///   - isReading: whether messages of the client are read.
  ///   - waitsForReading: whether each message that the client reads is an event.
  mutating func update(isReading: Bool, waitsForReading: Bool) throws(SystemError) {
    guard let source else { return }
    var interest: Readiness = isReading ? .readable : []
    if wantsWritable { interest.insert(.writable) }
    if waitsForReading { interest.formUnion([.writable, .edge]) }
    // A change without a difference would report an edge again.
    if interest == watched { return }
    watched = interest
    try loop.modify(source, interest)
  }

  /// Reports nothing any more.
  mutating func end() { if let source = source.take() { loop.remove(source) } }
}
