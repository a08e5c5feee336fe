import DaemonSettings
import GraphicsMemory
import LinuxIO
import PresentProtocol

extension ClientSession {
  /// Sends an error, for a request or for a message without a request number.
  func refuse(_ code: PresentErrorCode, _ text: String, _ request: RequestID, about scanout: ScanoutID? = nil) {
    send(.error(ErrorMessage(code: code, scanout: scanout?.wire ?? 0, text: text.printable), request: request.wire))
  }

  /// Reports a protocol error to the client and ends the session.
  func fail(_ code: PresentErrorCode, _ text: String) {
    refuse(code, text, .none)
    // A refused client reconnects repeatedly; the same refusal is logged only once.
    let isNews = !surfaces.isEmpty || server.refusals.note(pid: peer.pid, name: hello?.name ?? "", reason: text)
    close(isNews ? "refused: \(text)" : nil)
  }

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

  /// Executes a command, and replies.
  ///
  /// - Parameter body: returns a line for the log.
  private func command(_ request: RequestID, _ body: () throws(SettingsError) -> String) {
    do throws(SettingsError) {
      log("changed: \(try body())")
      send(.done(request: request.wire))
    } catch {
      refuse(.refused, error.reason, request)
    }
  }

  /// Begins the answer to a long request; one at a time, which the client has read before the next one begins.
  ///
  /// A client that does not read its answers is not read from either, so that at most one waits for it.
  func inquire(_ inquiry: Inquiry, _ request: RequestID) {
    // Requests that a client left behind are not answered.
    if isHungUp { return disconnected() }
    if let why = objection(to: inquiry) { return refuse(.denied, why, request) }
    if isTaken { begin(inquiry, request) } else { wait(with: inquiry, request) }
  }

  /// Begins the answer to a waiting request, if the client has read the last one.
  func inquireAgain() {
    guard !isClosed, let (inquiry, request) = waitingInquiry, isTaken else { return }
    endWaiting()
    begin(inquiry, request)
  }

  private func begin(_ inquiry: Inquiry, _ request: RequestID) {
    charge = nil
    if case .status = inquiry { server.changes.looked(self) }
    server.reports.begin(inquiry, for: self, request)
  }

  private var isTaken: Bool { !server.reports.isWriting(for: self) && hasNothingUnread }
}
