import LinuxIO

/// Events that arose inside a call of a client, for delivery by the loop.
final class DeferredEvents {
  private var waiting: [PresentEvent] = []
  private var delivering: [PresentEvent] = []
  private let wake: EventFD

  init() throws(SystemError) {
    wake = try EventFD()
    waiting.reserveCapacity(64)
    delivering.reserveCapacity(64)
  }

  /// Readable while events wait, and until `drain`.
  var descriptor: Int32 { wake.fd.raw }

  func drain() { wake.drain() }

  func add(_ event: PresentEvent) {
    waiting.append(event)
    wake.signal()
  }

  func removeAll() { waiting.removeAll(keepingCapacity: true) }

  /// Delivers all, with those that arise meanwhile.
  func deliver(_ handler: (PresentEvent) -> Void) {
    // Each event raised the eventfd; without one it need not be read.
    if waiting.isEmpty { return }
    wake.drain()
    while !waiting.isEmpty {
      swap(&waiting, &delivering)
      for event in delivering { handler(event) }
      delivering.removeAll(keepingCapacity: true)
    }
  }
}
