import LinuxIO

/// A uevent of the kernel.
struct Uevent: Equatable {
  /// `change`, `add`, `remove`, …
  var action = ""
  /// `drm`, …
  var subsystem = ""
  /// `drm_minor`, `drm_connector`, …
  var deviceType = ""
  /// `dri/card0`, …
  var deviceName = ""
  /// A connector was plugged or unplugged, or its modes changed.
  var isHotplug = false
  /// A lease ended.
  var isLease = false

  /// Parses one message: `ACTION@PATH`, then `KEY=value` strings, each terminated by a zero byte.
  init?(_ bytes: some Collection<UInt8>) {
    let parts = bytes.split(separator: 0)
    guard let head = parts.first, head.contains(UInt8(ascii: "@")) else { return nil }
    for part in parts.dropFirst() {
      let pair = part.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      guard pair.count == 2 else { continue }
      let value = String(decoding: pair[1], as: UTF8.self)
      switch String(decoding: pair[0], as: UTF8.self) {
      case "ACTION": action = value
      case "SUBSYSTEM": subsystem = value
      case "DEVTYPE": deviceType = value
      case "DEVNAME": deviceName = value
      case "HOTPLUG": isHotplug = value == "1"
      case "LEASE": isLease = value == "1"
      default: break
      }
    }
  }

  /// Whether the connectors of `card` (`dri/card0`) must be read again.
  func concernsConnectors(of card: String) -> Bool {
    subsystem == "drm" && deviceType == "drm_minor" && action == "change" && isHotplug
      && (deviceName == card || deviceName.isEmpty)
  }

  /// Whether the lessees of `card` must be listed again.
  func concernsLeases(of card: String) -> Bool {
    subsystem == "drm" && action == "change" && isLease && (deviceName == card || deviceName.isEmpty)
  }

  /// Whether `card` was removed.
  func isRemoval(of card: String) -> Bool { subsystem == "drm" && action == "remove" && deviceName == card }
}

/// Listens for uevents of one card.
final class HotplugListener {
  /// A change of the card.
  enum News {
    case connectorsChanged
    case leasesChanged
    case cardRemoved
  }

  private let socket: UeventSocket
  private let loop: EventLoop
  private var source: EventLoop.Source?
  private var buffer = [UInt8](repeating: 0, count: 8192)
  private let cardName: String

  /// - Parameters:
  ///   - path: the card's node, `/dev/dri/card0`.
  ///   - onNews: called on the loop's thread, once for all events of a read.
  init(path: String, loop: EventLoop, onNews: @escaping (News) -> Void) throws(SystemError) {
    socket = try UeventSocket()
    self.loop = loop
    cardName = path.hasPrefix("/dev/") ? String(path.dropFirst(5)) : path
    source = try loop.add(socket.fd.raw) { [unowned self] _ in
      if let news = receiveAll() { onNews(news) }
    }
  }

  deinit { if let source { loop.remove(source) } }

  private func receiveAll() -> News? {
    var news: News?
    // Events left in the socket wake the loop again: it is level-triggered.
    for _ in 0..<64 {
      // SAFETY: the buffer is the array's own storage; receive writes at most its size.
      let received = unsafe buffer.withUnsafeMutableBytes { bytes in
        unsafe try? socket.receive(into: bytes)
      }
      switch received {
      case .event(let count):
        guard let event = Uevent(buffer[..<min(count, buffer.count)]) else { continue }
        if event.isRemoval(of: cardName) { return .cardRemoved }
        if event.concernsLeases(of: cardName), news == nil { news = .leasesChanged }
        if event.concernsConnectors(of: cardName) { news = .connectorsChanged }
      case .lost: news = .connectorsChanged
      case .nothing, nil: return news
      }
    }
    return news
  }
}
