/// A uevent of the kernel: a device was added, changed or removed.
public struct Uevent: Equatable, Sendable {
  private let values: [String: String]

  /// Parses one message: `ACTION@PATH`, then `KEY=value` strings, each terminated by a zero byte.
  ///
  /// - Returns: nil for a message of another form, such as udev's.
  public init?(_ bytes: some Collection<UInt8>) {
    let parts = bytes.split(separator: 0)
    guard let head = parts.first, head.contains(UInt8(ascii: "@")) else { return nil }
    var values: [String: String] = [:]
    for part in parts.dropFirst() {
      let pair = part.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      guard pair.count == 2 else { continue }
      values[String(decoding: pair[0], as: UTF8.self)] = String(decoding: pair[1], as: UTF8.self)
    }
    self.values = values
  }

  /// A value of the message, such as `HOTPLUG`; empty if it has none of that name.
  public subscript(_ key: String) -> String { values[key] ?? "" }

  /// `change`, `add`, `remove`, …
  public var action: String { self["ACTION"] }
  /// `drm`, `input`, …
  public var subsystem: String { self["SUBSYSTEM"] }
  /// `dri/card0`, `input/event3`, …; empty for a device without a node.
  public var deviceName: String { self["DEVNAME"] }
}

/// Listens for uevents on a loop.
public final class UeventListener {
  private let socket: UeventSocket
  private let loop: EventLoop
  private var source: EventLoop.Source?
  private var buffer = [UInt8](repeating: 0, count: 8192)

  /// - Parameters:
  ///   - onEvents: called on the loop's thread with the events of a read, in order, and with whether the kernel dropped
  ///     some of them: then the devices must be listed again.
  public init(
    loop: EventLoop, onEvents: @escaping (_ events: [Uevent], _ areSomeLost: Bool) -> Void
  ) throws(SystemError) {
    socket = try UeventSocket()
    self.loop = loop
    source = try loop.add(socket.fd.raw) { [unowned self] _ in
      let (events, areSomeLost) = receiveAll()
      if areSomeLost || !events.isEmpty { onEvents(events, areSomeLost) }
    }
  }

  deinit { if let source { loop.remove(source) } }

  private func receiveAll() -> (events: [Uevent], areSomeLost: Bool) {
    var events: [Uevent] = []
    var areSomeLost = false
    // Events left in the socket wake the loop again: it is level-triggered.
    for _ in 0..<64 {
      // SAFETY: the buffer is the array's own storage; receive writes at most its size.
      let received = unsafe buffer.withUnsafeMutableBytes { bytes in
        unsafe try? socket.receive(into: bytes)
      }
      switch received {
      case .event(let count): if let event = Uevent(buffer[..<min(count, buffer.count)]) { events.append(event) }
      case .lost: areSomeLost = true
      case .nothing, nil: return (events, areSomeLost)
      }
    }
    return (events, areSomeLost)
  }
}
