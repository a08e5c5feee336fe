import LinuxIO

extension Uevent {
  /// Whether the connectors of `card` (`dri/card0`) must be read again.
  func concernsConnectors(of card: String) -> Bool {
    concerns(card) && self["DEVTYPE"] == "drm_minor" && self["HOTPLUG"] == "1"
  }

  /// Whether the lessees of `card` must be listed again.
  func concernsLeases(of card: String) -> Bool { concerns(card) && self["LEASE"] == "1" }

  /// Whether `card` was removed.
  func isRemoval(of card: String) -> Bool { subsystem == "drm" && action == "remove" && deviceName == card }

  private func concerns(_ card: String) -> Bool {
    subsystem == "drm" && action == "change" && (deviceName == card || deviceName.isEmpty)
  }
}

/// Listens for uevents of one card.
final class HotplugListener {
  /// A change of the card.
  enum News {
    case connectorsChanged
    case leasesChanged
    case cardRemoved
  }

  private let listener: UeventListener

  /// - Parameters:
  ///   - path: the card's node, `/dev/dri/card0`.
  ///   - onNews: called on the loop's thread, once for all events of a read.
  init(path: String, loop: EventLoop, onNews: @escaping (News) -> Void) throws(SystemError) {
    let card = path.hasPrefix("/dev/") ? String(path.dropFirst(5)) : path
    listener = try UeventListener(loop: loop) { events, areSomeLost in
      if let news = HotplugListener.news(events, areSomeLost, of: card) { onNews(news) }
    }
  }

  private static func news(_ events: [Uevent], _ areSomeLost: Bool, of card: String) -> News? {
    if events.contains(where: { $0.isRemoval(of: card) }) { return .cardRemoved }
    if areSomeLost || events.contains(where: { $0.concernsConnectors(of: card) }) { return .connectorsChanged }
    return events.contains { $0.concernsLeases(of: card) } ? .leasesChanged : nil
  }
}
