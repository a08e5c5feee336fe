import LinuxIO
import PresentProtocol

/// Messages whose descriptors the client may not have, or that the daemon could not take.
extension ClientSession {
  /// Why a message's descriptors are not accepted; nil if they are.
  func objection(to fds: borrowing ReceivedFDs) -> String? {
    if fds.count == 0, !fds.hasLost { return nil }
    if let why = server.clients.users.objection(toDescriptorsOf: self) { return why }
    return fds.hasLost ? "the daemon has no room for more descriptors now" : nil
  }

  /// Answers a message whose descriptors were closed. This is not the client's fault, or not the connection's end.
  func refuse(_ message: ClientMessage, without why: String) {
    switch message {
    case .importBuffer(let imported, let request):
      refuse(.noMemory, why, RequestID(wire: request), about: ScanoutID(wire: imported.scanout))
    case .settings(_, let request): refuse(.noMemory, why, RequestID(wire: request))
    case .region(let region): refuse(.noMemory, why, .none, about: ScanoutID(wire: region.scanout))
    case .syncPoints(let points, let request):
      guard let surface = surface(ScanoutID(wire: points.scanout)) else { return }
      surface.nextSync = .refused
      refuse(.noMemory, why, RequestID(wire: request), about: surface.id)
    case .present(let present) where present.hasAcquireFence:
      guard let surface = surface(ScanoutID(wire: present.scanout)) else { return }
      surface.nextSync = .none
      surface.counters.presented += 1
      surface.frameDone(present.frame, .rejected)
    default:
      // It needs no descriptors.
      var none = ReceivedFDs()
      accept(message, &none)
    }
  }
}
