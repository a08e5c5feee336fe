import GraphicsMemory
import LinuxIO
import PresentProtocol

extension ClientSession {
  func answerControl(_ text: String, _ request: RequestID) {
    guard peer.uid == 0 || peer.uid == currentUserID() else {
      return refuse(
        .refused, "settings are changed by the daemon's own user and root, not by user \(peer.uid)", request)
    }
    do throws(SettingsError) {
      try server.apply(text)
      log("changed: \(text.split(separator: "\n").joined(separator: " "))")
      send(.controlReply(request: request.wire))
    } catch {
      refuse(.refused, error.reason, request)
    }
  }

  func answerSnapshot(_ subject: SnapshotSubject, _ request: RequestID) {
    do throws(SnapshotError) {
      let (picture, fromWriteback) = try server.snapshot(subject)
      let byteCount = picture.pixelByteCount + picture.layout.offset
      send(
        .snapshotReply(
          SnapshotReply(
            layout: picture.layout, fromWriteback: fromWriteback, memoryKind: picture.kind,
            byteCount: UInt64(byteCount)), request: request.wire), fd: picture.fd)
    } catch {
      switch error {
      case .unknown(let text): refuse(.noSuchVM, text, request)
      case .failed(let text): refuse(.refused, text, request)
      }
    }
  }
}
