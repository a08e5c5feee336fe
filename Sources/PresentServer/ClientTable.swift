import FrameScheduler
import LinuxIO
import PresentProtocol

/// The connected clients, in the order in which they came.
final class ClientTable {
  private(set) var sessions: [ClientSession] = []
  /// By their memory account.
  private var byAccount: [VMID: ClientSession] = [:]
  /// Clients to be ended once the lists are not in use.
  private var dropped: [(session: ClientSession, why: String)] = []
  private let wake: EventFD
  private let loop: EventLoop
  private var source: EventLoop.Source?

  init(loop: EventLoop) throws(SystemError) {
    self.loop = loop
    wake = try EventFD()
    source = try loop.add(wake.fd.raw) { [unowned self] _ in endDropped() }
  }

  func add(_ session: ClientSession) {
    sessions.append(session)
    byAccount[session.account.id] = session
  }

  func remove(_ session: ClientSession) {
    sessions.removeAll { $0 === session }
    byAccount[session.account.id] = nil
  }

  /// Ends all clients.
  func stop() {
    if let source = source.take() { loop.remove(source) }
    for session in sessions { session.close(nil) }
    sessions = []
  }

  /// Ends a session from the loop, for callers that walk through lists.
  func drop(_ session: ClientSession, _ why: String) {
    dropped.append((session, why))
    wake.signal()
  }

  private func endDropped() {
    wake.drain()
    let ended = dropped
    dropped = []
    for (session, why) in ended { session.close(why) }
  }

  /// The client of a memory account.
  func session(ofAccount id: VMID) -> ClientSession? { byAccount[id] }

  /// Whether others wait while one client is served.
  var isShared: Bool { sessions.count > 1 }

  /// The client with scanouts that has that name now. One whose process has gone is closed first.
  func living(_ name: String) -> ClientSession? {
    for session in sessions where session.name == name && !session.heads.isEmpty {
      if !session.isHungUp { return session }
      session.close("disconnected")
      return nil
    }
    return nil
  }
}
