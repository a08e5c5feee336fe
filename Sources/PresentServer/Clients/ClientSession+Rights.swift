import PresentProtocol

/// What the client may do.
extension ClientSession {
  /// Refuses a message that clients of this role may not send.
  func deny(_ message: ClientMessage) {
    let (name, request) = (message.type.name, RequestID(wire: message.request))
    switch role {
    case .control:
      refuse(.denied, "\(name) is for clients that show frames, by \(server.path)", request)
    case .framesWithoutScanouts where MessageRights.right(of: .framesWithScanouts, to: message.type) != .denied:
      refuse(.denied, "\(name) is for clients with scanouts, or for the control socket, \(server.controlPath)", request)
    case .framesWithScanouts, .framesWithoutScanouts:
      refuse(.denied, "\(name) is for the control socket, \(server.controlPath)", request)
    }
  }

  /// Why a client of the frames socket gets no answer: it is not about the client. Whether there is such a VM or
  /// output is not told.
  func objection(to inquiry: Inquiry) -> String? {
    guard purpose == .frames, case .snapshot(let subject) = inquiry else { return nil }
    if case .vm(let vm, scanout: _) = subject, vm == name { return nil }
    return "a client gets snapshots of its own scanouts; of others by the control socket, \(server.controlPath)"
  }
}
