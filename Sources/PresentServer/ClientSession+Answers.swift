import DaemonSettings
import GraphicsMemory
import LinuxIO
import PresentProtocol

extension ClientSession {
  /// Answers SETTINGS.
  func changeSettings(_ count: Int, _ request: RequestID, _ fds: inout ReceivedFDs) {
    let records: [SettingRecord]
    do throws(PresentProtocolError) {
      records = try SettingRecords.read(count: count, fds: &fds)
    } catch {
      return fail(.malformed, error.description)
    }
    command(request) { () throws(SettingsError) in
      let changes = try SettingChange.changes(records)
      try server.change(changes)
      return changes.map(\.description).joined(separator: "; ")
    }
  }

  /// Answers FOCUS.
  func focus(onVM vm: String, _ request: RequestID) {
    command(request) { () throws(SettingsError) in
      try server.focus(onVM: vm)
      return "focus on \(vm)"
    }
  }

  /// Answers REVOKE.
  func revoke(_ output: String, ofLease: Bool, _ request: RequestID) {
    command(request) { () throws(SettingsError) in
      if ofLease { try server.revokeLease(output: output) } else { try server.revoke(output: output) }
      return "revoke\(ofLease ? " lease of" : "") \(output)"
    }
  }

  /// Executes a command if the client is authorised, and replies.
  ///
  /// - Parameter body: returns a line for the log.
  private func command(_ request: RequestID, _ body: () throws(SettingsError) -> String) {
    guard peer.uid == 0 || peer.uid == currentUserID() else {
      return refuse(
        .refused, "commands are accepted from the daemon's user and root only, not from user \(peer.uid)", request)
    }
    do throws(SettingsError) {
      log("changed: \(try body())")
      send(.done(request: request.wire))
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
